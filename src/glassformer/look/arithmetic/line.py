"""One recorded operation, seen from one cell of its result."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from glassformer.look.arithmetic.cells import Cell, constant
from glassformer.look.watching.steps import Step, is_reflected

Index = tuple[int, ...]


@dataclass(frozen=True)
class Line:
    """The operation, its result, which cell of it, and how to open a cell of what it read."""

    step: Step
    result: Tensor
    index: Index
    operand: Callable[[Tensor, Index], Cell]  # opens a cell of one of the operation's tensors

    @property
    def value(self) -> float:
        return float(self.result[self.index].item())

    def given(self, place: int, name: str, default: Any = None) -> Any:
        """An argument, by its place or its name."""
        args = self.step.args
        return args[place] if place < len(args) else self.step.kwargs.get(name, default)

    def cell(self, operand: Any, index: Index | None = None) -> Cell:
        """The operand's cell here, or at another index: broadcast where it is smaller, a constant where it is one."""
        if not isinstance(operand, Tensor):
            return constant(float(operand) if not isinstance(operand, bool) else operand)
        at = self.index if index is None else index
        at = at[len(at) - operand.dim() :]
        return self.operand(operand, tuple(0 if size == 1 else i for i, size in zip(at, operand.shape, strict=True)))

    def pair(self) -> tuple[Any, Any]:
        """Both sides of an operator, left first."""
        left, right = self.step.args[0], self.given(1, "other")
        return (right, left) if is_reflected(self.step.function) else (left, right)
