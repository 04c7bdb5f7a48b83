"""02  Scaled dot-product attention                                    section 3.2.1, equation 1 · 20 minutes · 2 of 5

Each query asks every key how well they fit, the answers become weights that add up to 1, and the weights mix the
values. All heads are computed at once, side by side.

    softmax(Q K^T / sqrt(d)) V

Worked example, one sentence, one head, d = 4, two keys:

    query  [2, 0, 0, 0]        key 0  [1, 0, 0, 0]   value 0  [10]
                               key 1  [0, 1, 0, 0]   value 1  [20]
    dot products  [2, 0]   divided by sqrt(4)  [1, 0]   softmax  [0.731, 0.269]
    answer  0.731 x 10 + 0.269 x 20 = 12.69

Letters: n sentences, q query positions, k key positions, h heads, d channels of a key, m channels of a value.
"""

from jaxtyping import Float
from torch import Tensor


def attention(
    queries: Float[Tensor, "n q h d"], keys: Float[Tensor, "n k h d"], values: Float[Tensor, "n k h m"]
) -> Float[Tensor, "n q h m"]:
    """softmax(Q K^T / sqrt(d)) V for every sentence and head."""
    raise NotImplementedError
