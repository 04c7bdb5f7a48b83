"""The usual edits for `watch(model, edit={name: function})`: each takes a value and gives what stands in its place.

Any function of one tensor will do as well; these are the ones that the page's "copy as Python" writes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import Tensor

from glassformer.errors import UserError, unknown_name
from glassformer.look.watching.source import Axes

Edit = Callable[[Tensor], Tensor]


def zero(value: Tensor) -> Tensor:
    """Nothing but zeros; for a mask: every cell closed."""
    return torch.zeros_like(value)


def zero_channel(channel: int) -> Edit:
    """One channel of every position at 0: one neuron of `hidden`, one number of each vector of a stream."""
    return ZeroPlace("channel", channel, -1)


def zero_head(head: int, axis: int | None = None) -> Edit:
    """One head at 0. `axis`: where the heads are; None: where the source's letters say h.

    Those are axis 1 of energy and attention, axis 2 of queries, keys, values and heads_out. A head is ablated by its
    `heads_out`: attention at 0 does the same, energy at 0 makes the head look everywhere alike.
    """
    return ZeroPlace("head", head, axis)


def uniform(attention: Tensor) -> Tensor:
    """In each row, equal shares for every key that has weight; a row without any stays at 0."""
    weighted = (attention > 0).to(attention.dtype)
    return weighted / weighted.sum(-1, keepdim=True).clamp(min=1)


def replace_with(tensor: Tensor) -> Edit:
    """This tensor instead, whatever was computed: `replace_with(other["memory"].value)` patches from another pass."""
    return lambda value: tensor


@dataclass(frozen=True)
class ZeroPlace:
    """Zeros at one place of one axis; asks for the value's letters where the axis was not given."""

    kind: str
    place: int
    axis: int | None

    def __call__(self, value: Tensor) -> Tensor:
        return self.at(value, self.axis, "the value")

    def of(self, name: str, axes: Axes) -> Edit:
        """The same for a tap with these letters."""
        axis = axes.index("h") if self.axis is None and "h" in axes else self.axis
        return lambda value: self.at(value, axis, f"{name} (axes {' '.join(axes)})")

    def at(self, value: Tensor, axis: int | None, where: str) -> Tensor:
        if axis is None:
            raise UserError(
                f"zero_head({self.place}): {where} has no axis h. Take energy, attention or heads_out, or say where "
                f"the heads are: zero_head({self.place}, axis=1)."
            )
        if not -value.dim() <= axis < value.dim():
            raise UserError(f"axis={axis} is not an axis of {where}, which has {value.dim()}.")
        size = value.size(axis)
        if not 0 <= self.place < size:
            raise UserError(
                f"{self.kind}={self.place} is not in {where}: there are {size}, counted from 0 to {size - 1}."
            )
        return value.index_fill(axis, torch.tensor([self.place], device=value.device), 0)


class Edits:
    """The edits of one watch: applies them, and knows which never came to anything."""

    def __init__(self, edits: Mapping[str, Edit]) -> None:
        for pattern, function in edits.items():
            if not callable(function):
                raise UserError(
                    f"edit of {pattern!r} is {function!r}, not a function of a tensor. For a fixed value, take "
                    f"replace_with(tensor)."
                )
        self.edits = edits
        self.applied: set[str] = set()
        self.names: set[str] = set()  # every name that was bound meanwhile

    def has(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.edits)

    def apply(self, name: str, axes: Axes, value: Tensor) -> Tensor:
        """The value after every edit that matches the name, in the order they were given."""
        for pattern, function in self.edits.items():
            if fnmatchcase(name, pattern):
                self.applied.add(pattern)
                edit = function.of(name, axes) if isinstance(function, ZeroPlace) else function
                value = checked(name, value, edit(value))
        return value

    def check(self) -> None:
        """Raises UserError for the first pattern that changed nothing."""
        for pattern in self.edits:
            matches = sorted(name for name in self.names if fnmatchcase(name, pattern))
            if pattern in self.applied:
                continue
            if matches:
                raise UserError(
                    f"edit of {pattern!r} changed nothing: {matches[0]} only names a value that was made elsewhere. "
                    f"Edit it where it is made, or change the model's input."
                )
            if not self.names:
                raise UserError(f"edit of {pattern!r} changed nothing: call the model inside the with block.")
            raise unknown_name("name to edit", pattern, self.names)


def checked(name: str, before: Tensor, after: object) -> Tensor:
    """The edit's result, if it can take the value's place."""
    wanted = f"a tensor {tuple(before.shape)} of {before.dtype}"
    if not isinstance(after, Tensor):
        raise UserError(f"edit of {name} gave {type(after).__name__}, wanted {wanted}: return what takes its place.")
    if after.shape != before.shape or after.dtype != before.dtype or after.device != before.device:
        got = f"{tuple(after.shape)} of {after.dtype}"
        place = f" on {before.device}, not {after.device}" if after.device != before.device else ""
        raise UserError(f"edit of {name} gave a tensor {got}, wanted {wanted}{place}.")
    return after
