"""10  Residuals and norms, solved."""

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor


def post_norm(
    x: Float[Tensor, "n t e"], sublayer: Callable[[Tensor], Tensor], norm: Callable[[Tensor], Tensor]
) -> Float[Tensor, "n t e"]:
    """norm(x + sublayer(x)), as in the paper."""
    return norm(x + sublayer(x))


def pre_norm(
    x: Float[Tensor, "n t e"], sublayer: Callable[[Tensor], Tensor], norm: Callable[[Tensor], Tensor]
) -> Float[Tensor, "n t e"]:
    """x + sublayer(norm(x)), as in most later models."""
    return x + sublayer(norm(x))


def pre_norm_stack(
    x: Float[Tensor, "n t e"],
    sublayers: Sequence[Callable[[Tensor], Tensor]],
    norms: Sequence[Callable[[Tensor], Tensor]],
    final_norm: Callable[[Tensor], Tensor],
) -> Float[Tensor, "n t e"]:
    """All blocks in their order, each with its own sublayer and norm, and the final norm after the last."""
    for sublayer, norm in zip(sublayers, norms, strict=True):
        x = pre_norm(x, sublayer, norm)
    return final_norm(x)
