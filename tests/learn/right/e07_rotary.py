"""Rotary positions, rightly, in other ways than the solution's."""

import math

import torch
from torch import Tensor, einsum


def by_complex_numbers(x: Tensor, positions: Tensor, base: float) -> Tensor:
    n, t, h, d = x.shape
    frequency = base ** (-torch.arange(0, d, 2, dtype=x.dtype) / d)
    angle = torch.outer(positions.to(x.dtype), frequency)
    turn = torch.polar(torch.ones_like(angle), angle).view(1, t, 1, d // 2)
    points = torch.view_as_complex(x.reshape(n, t, h, d // 2, 2))
    return torch.view_as_real(points * turn).reshape(n, t, h, d)


def by_loops(x: Tensor, positions: Tensor, base: float) -> Tensor:
    out = torch.empty_like(x)
    d = x.size(-1)
    for step, place in enumerate(positions.tolist()):
        for pair in range(d // 2):
            angle = place / base ** (2 * pair / d)
            first, second = x[:, step, :, 2 * pair], x[:, step, :, 2 * pair + 1]
            out[:, step, :, 2 * pair] = first * math.cos(angle) - second * math.sin(angle)
            out[:, step, :, 2 * pair + 1] = first * math.sin(angle) + second * math.cos(angle)
    return out


def by_turning_matrices(x: Tensor, positions: Tensor, base: float) -> Tensor:
    d = x.size(-1)
    angle = positions.to(x.dtype).unsqueeze(1) / base ** (torch.arange(d // 2, dtype=x.dtype) * 2 / d)
    rows = [torch.stack([angle.cos(), -angle.sin()], -1), torch.stack([angle.sin(), angle.cos()], -1)]
    return einsum("tiab,nthib->nthia", torch.stack(rows, -2), x.unflatten(-1, (d // 2, 2))).flatten(-2)


def swapped_neighbours(x: Tensor, positions: Tensor, base: float) -> Tensor:
    d = x.size(-1)
    frequency = torch.exp(torch.arange(0, d, 2, dtype=torch.float64) * (-math.log(base) / d)).repeat_interleave(2)
    angle = (positions[:, None] * frequency)[None, :, None, :]
    swapped = torch.stack([-x[..., 1::2], x[..., ::2]], dim=-1).reshape(x.shape)
    return x * torch.cos(angle) + swapped * torch.sin(angle)


def with_float32_angles(x: Tensor, positions: Tensor, base: float) -> Tensor:
    frequency = 1.0 / (base ** (torch.arange(0, x.shape[-1], 2).float() / x.shape[-1]))
    angle = torch.einsum("t,i->ti", positions.float(), frequency)[:, None, :]
    even, odd = x[..., ::2], x[..., 1::2]
    out = torch.zeros_like(x)
    out[..., ::2] = even * angle.cos() - odd * angle.sin()
    out[..., 1::2] = odd * angle.cos() + even * angle.sin()
    return out


def in_float64(x: Tensor, positions: Tensor, base: float) -> Tensor:
    return by_complex_numbers(x.double(), positions, base)


RIGHT = {
    "rotate": [
        by_complex_numbers,
        by_loops,
        by_turning_matrices,
        swapped_neighbours,
        with_float32_angles,
        in_float64,
    ]
}
