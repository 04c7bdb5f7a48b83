"""07  Rotary positions, solved."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def rotate(x: Float[Tensor, "n t h d"], positions: Int[Tensor, "t"], base: float) -> Float[Tensor, "n t h d"]:
    """Every pair of channels (2i, 2i + 1) turned by positions / base^(2i / d), alike in all sentences and heads."""
    d = x.size(-1)
    two_i = torch.arange(0, d, 2, dtype=torch.float64)
    angle = positions[:, None, None] / base ** (two_i / d)  # t 1 d/2: the same for each head
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = (even * angle.cos() - odd * angle.sin(), even * angle.sin() + odd * angle.cos())
    return torch.stack(turned, dim=-1).flatten(-2)
