"""14  Loss with label smoothing                                section 5.4; Szegedy et al. 2016 · 25 minutes · 3 of 5

What training lowers. Each real target token asks for a row of v probabilities: nearly everything on the right entry,
and the smoothing ε shared by all v of them, the right one included. A token costs -(row · log softmax(logits)).
Padding costs nothing: the loss is the mean over the tokens that are words.

    row = 1 - ε + ε/v for the target, ε/v for every other entry

Worked example, one sentence of one word and one padding, v = 4, target 0, ε = 0.2:

    softmax(logits)  [0.5, 0.25, 0.125, 0.125]      row  [0.85, 0.05, 0.05, 0.05]
    -log             [0.693, 1.386, 2.079, 2.079]
    the word costs 0.85 x 0.693 + 0.05 x (1.386 + 2.079 + 2.079) = 0.866, the padding nothing:
    the mean over 1 word is 0.866

Letters: n sentences, t target positions, v vocabulary.
"""

from jaxtyping import Float, Int
from torch import Tensor


def loss(
    logits: Float[Tensor, "n t v"], targets: Int[Tensor, "n t"], pad_idx: int, smoothing: float
) -> Float[Tensor, ""]:
    """Label-smoothed cross-entropy in nats, the mean over the tokens that are not padding. Gradients flow back."""
    raise NotImplementedError
