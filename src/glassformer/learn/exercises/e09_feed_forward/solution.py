"""09  Feed-forward layer, solved."""

from jaxtyping import Float
from torch import Tensor

from glassformer.learn.weights import FeedForwardWeights


def feed_forward(x: Float[Tensor, "n t e"], weights: FeedForwardWeights) -> Float[Tensor, "n t e"]:
    """max(0, x W_1 + b_1) W_2 + b_2, the same for each position."""
    hidden = (x @ weights.w1 + weights.b1).relu()
    return hidden @ weights.w2 + weights.b2
