"""08  Layer normalisation, solved."""

from jaxtyping import Float
from torch import Tensor


def layer_norm(
    x: Float[Tensor, "n t e"], gain: Float[Tensor, "e"], bias: Float[Tensor, "e"], eps: float
) -> Float[Tensor, "n t e"]:
    """Each token brought to mean 0 and variance 1 over its own channels, then times gain, then plus bias."""
    centred = x - x.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1, keepdim=True)
    normed = centred / (variance + eps).sqrt()
    return gain * normed + bias
