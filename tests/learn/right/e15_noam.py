"""The learning rate, rightly, in other ways than the solution's."""

import math

import torch
from torch import Tensor


def by_cases(step: int, embed_size: int, warmup: int, factor: float) -> float:
    peak = factor / math.sqrt(embed_size * warmup)
    if step <= warmup:
        return peak * step / warmup
    return peak * math.sqrt(warmup / step)


def with_infinity(step: int, embed_size: int, warmup: int, factor: float) -> float:
    falling = 1 / math.sqrt(step) if step else math.inf
    return factor / math.sqrt(embed_size) * min(falling, step / (warmup * math.sqrt(warmup)))


def as_a_tensor(step: int, embed_size: int, warmup: int, factor: float) -> Tensor:
    steps = torch.tensor(float(step), dtype=torch.float64)
    return factor * embed_size**-0.5 * torch.minimum(steps.rsqrt(), steps * warmup**-1.5)


def whole_zero(step: int, embed_size: int, warmup: int, factor: float) -> float:
    return 0 if step < 1 else embed_size**-0.5 * min(step**-0.5, step * warmup**-1.5) * factor


RIGHT = {"noam": [by_cases, with_infinity, as_a_tensor, whole_zero]}
