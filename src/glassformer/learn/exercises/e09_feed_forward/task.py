"""09  Feed-forward layer                                                section 3.3, equation 2 · 10 minutes · 1 of 5

Attention moves information between positions; this layer works on each position by itself. It widens a token's vector,
cuts off what is negative, and brings it back. Two thirds of an encoder layer's numbers stand here.

    max(0, x W_1 + b_1) W_2 + b_2

Worked example, e = 1, f = 3:

    x  [2]     w1  [[1, -1, 3]]   b1  [0, 1, -4]     x W_1 + b_1  [2, -1, 2]     max(0, ...)  [2, 0, 2]
    w2  [[1], [10], [100]]   b2  [5]                 answer  2 x 1 + 0 x 10 + 2 x 100 + 5 = [207]

Letters: n sentences, t positions, e channels of a token, f channels of the hidden layer.
The weights come as a tuple with names: weights.w1 (e, f), weights.b1 (f), weights.w2 (f, e), weights.b2 (e).
"""

from jaxtyping import Float
from torch import Tensor

from glassformer.learn.weights import FeedForwardWeights


def feed_forward(x: Float[Tensor, "n t e"], weights: FeedForwardWeights) -> Float[Tensor, "n t e"]:
    """max(0, x W_1 + b_1) W_2 + b_2, the same for each position."""
    raise NotImplementedError
