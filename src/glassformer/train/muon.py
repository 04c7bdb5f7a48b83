"""Muon: steps of equal length in every direction, for the matrices inside the layers; AdamW for all other weights."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

MOMENTUM = 0.95
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the polynomial that takes singular values between 0 and 1 near 1
STEPS = 3  # times that it is applied: five learn no more here, and cost more
RMS = 0.2  # the size of an element of a step, as large as AdamW's usually is: both can share a learning rate


class Muon(torch.optim.AdamW):
    """AdamW, but for the matrices `hidden`: there a step is the momentum with all singular values set to about 1.

    The same as `torch.optim.Muon(ns_steps=3, adjust_lr_fn="match_rms_adamw")` (K. Jordan's, 2024; the factor of Liu et
    al., arXiv 2502.16982), but for two things: singular values are set in `numbers` (None: the weights' own), since
    bfloat16 is slow on a CPU without it, and matrices of a shape are computed together.
    """

    def __init__(
        self,
        hidden: Sequence[Tensor],
        others: Iterable[dict[str, Any]],
        numbers: torch.dtype | None = None,
        **adamw: Any,
    ) -> None:
        self.numbers = numbers
        super().__init__([{"params": list(hidden), "moments": ("step", "exp_avg")}, *others], **adamw)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of all weights that have a gradient."""
        groups = self.param_groups
        self._step_hidden(groups[0])
        try:
            self.param_groups = groups[1:]
            super().step()
        finally:
            self.param_groups = groups

    def _step_hidden(self, group: dict[str, Any]) -> None:
        rate = group["lr"]
        by_shape: dict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for weight in group["params"]:
            if weight.grad is not None:
                by_shape[weight.shape].append((weight, self._ahead(weight, weight.grad)))
        for shape, pairs in by_shape.items():
            weights, ahead = zip(*pairs, strict=True)
            for weight, direction in zip(weights, orthogonal(torch.stack(ahead), self.numbers), strict=True):
                weight.mul_(1 - rate * group["weight_decay"]).sub_(direction, alpha=rate * RMS * max(shape) ** 0.5)

    def _ahead(self, weight: Tensor, gradient: Tensor) -> Tensor:
        """The momentum, one gradient further (Nesterov's)."""
        state = self.state[weight]
        if not state:
            state.update(step=torch.zeros(()), exp_avg=torch.zeros_like(weight))
        state["step"] += 1
        return gradient.lerp(state["exp_avg"].lerp_(gradient, 1 - MOMENTUM), MOMENTUM)


def orthogonal(matrices: Tensor, numbers: torch.dtype | None = None) -> Tensor:
    """Each of `matrices`, N x rows x columns, with all but its smallest singular values near 1 (Newton-Schulz)."""
    if matrices.size(-2) > matrices.size(-1):
        return orthogonal(matrices.mT, numbers).mT
    matrices = (matrices / torch.linalg.matrix_norm(matrices, keepdim=True).clamp(min=1e-7)).to(numbers)
    first, third, fifth = COEFFICIENTS
    for _ in range(STEPS):
        squares = matrices @ matrices.mT
        factor = torch.baddbmm(squares, squares, squares, beta=third, alpha=fifth)
        matrices = torch.baddbmm(matrices, factor, matrices, beta=first)
    return matrices
