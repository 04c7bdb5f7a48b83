"""11  Encoder                                                                 section 3.1, left · 30 minutes · 3 of 5

N layers, one after the other, each with weights of its own. In a layer the words look at each other, then each word
is worked on by itself; around both stands add & norm, as the paper has it:

    x = LayerNorm(x + Dropout(SelfAttention(x)))
    x = LayerNorm(x + Dropout(FeedForward(x)))

Padding is hidden as a key in every layer, so it never reaches a word. Dropout acts on a branch's output before it is
added (section 5.4), and only in training. What comes out is the memory that the decoder will read.

Worked example of one layer with an attention that answers [0, 0, 0] and a feed-forward layer that answers [3, 0, 0]:

    x                      [1, 2, 3]
    x + 0, normed          [-1.22, 0, 1.22]
    + [3, 0, 0]            [1.78, 0, 1.22]       normed  [1.05, -1.35, 0.303]

Letters: n sentences, s source positions, e embed_size. `layers` are the weights, `layers[0].self_attention` and so on;
see glassformer/learn/weights.py. Every layer norm has a gain, a bias and eps = 1e-5.
"""

from collections.abc import Sequence

from e05_multi_head import multi_head  # yours; or from glassformer.learn.answers import multi_head
from e08_layer_norm import layer_norm
from e09_feed_forward import feed_forward
from e10_residual import post_norm
from jaxtyping import Bool, Float
from torch import Tensor

from glassformer.learn.weights import EncoderLayerWeights

EPS = 1e-5


def encoder(
    x: Float[Tensor, "n s e"],
    mask: Bool[Tensor, "n 1 1 s"],
    layers: Sequence[EncoderLayerWeights],
    heads: int,
    dropout: float,
    training: bool,
) -> Float[Tensor, "n s e"]:
    """The memory: x after every layer, each with its own weights; dropout on each branch while training."""
    raise NotImplementedError
