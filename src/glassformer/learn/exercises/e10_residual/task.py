"""10  Residuals and norms                                                           section 3.1 · 20 minutes · 2 of 5

Every sublayer, attention or feed-forward, is wrapped: what it answers is added to what it was given, and a norm keeps
sizes in check. The paper norms after the sum. Most later models norm before the sublayer and leave the sum alone, which
trains without warm-up; after the last block they need one norm more.

    post_norm         norm(x + sublayer(x))
    pre_norm          x + sublayer(norm(x))
    pre_norm_stack    pre_norm with the first sublayer and the first norm, then with the second ones, ...,
                      and final_norm of what comes out

Worked example with a toy sublayer(y) = 3 y, reversed, and a toy norm(y) = 6 y / sum(y); x = [1, 2]:

    post_norm    sublayer(x)  [6, 3]     x + that  [7, 5]     norm  [3.5, 2.5]
    pre_norm     norm(x)  [2, 4]     sublayer  [12, 6]     x + that  [13, 8]

Letters: n sentences, t positions, e channels. Sublayers and norms are functions from (n, t, e) to (n, t, e): call them.
"""

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor


def post_norm(
    x: Float[Tensor, "n t e"], sublayer: Callable[[Tensor], Tensor], norm: Callable[[Tensor], Tensor]
) -> Float[Tensor, "n t e"]:
    """norm(x + sublayer(x)), as in the paper."""
    raise NotImplementedError


def pre_norm(
    x: Float[Tensor, "n t e"], sublayer: Callable[[Tensor], Tensor], norm: Callable[[Tensor], Tensor]
) -> Float[Tensor, "n t e"]:
    """x + sublayer(norm(x)), as in most later models."""
    raise NotImplementedError


def pre_norm_stack(
    x: Float[Tensor, "n t e"],
    sublayers: Sequence[Callable[[Tensor], Tensor]],
    norms: Sequence[Callable[[Tensor], Tensor]],
    final_norm: Callable[[Tensor], Tensor],
) -> Float[Tensor, "n t e"]:
    """All blocks in their order, each with its own sublayer and norm, and the final norm after the last."""
    raise NotImplementedError
