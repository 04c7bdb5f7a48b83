"""08  Layer normalisation                                     section 3.1, after Ba et al. 2016 · 15 minutes · 2 of 5

Every token's vector is brought to mean 0 and spread 1, by itself, before the next layer reads it; a learned gain and a
learned bias then give each channel back the size and the place that suit it.

    mean = the mean of the e channels                  variance = the mean of (x - mean)^2 over the e channels
    gain * (x - mean) / sqrt(variance + eps) + bias

Worked example, one token of three channels, eps = 3 (so large that it shows; 1e-5 is usual):

    x  [0, 3, 6]     mean 3     variance (9 + 0 + 9) / 3 = 6     sqrt(6 + 3) = 3     normed  [-1, 0, 1]
    gain  [2, 1, 1], bias  [1, 0, 10]     answer  [-1, 0, 11]

Letters: n sentences, t positions, e channels of a token.
"""

from jaxtyping import Float
from torch import Tensor


def layer_norm(
    x: Float[Tensor, "n t e"], gain: Float[Tensor, "e"], bias: Float[Tensor, "e"], eps: float
) -> Float[Tensor, "n t e"]:
    """Each token brought to mean 0 and variance 1 over its own channels, then times gain, then plus bias."""
    raise NotImplementedError
