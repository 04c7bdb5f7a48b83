"""What a function did with a probe: its answer taken apart into numbers, or its error, and whether it spoilt its input.

Answers are compared as one long row of numbers, each divided by the size of what the right answer has there, so that
one number says how far two functions are apart on all probes together.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from glassformer.learn.exercise import Function, Probe

NOT_A_NUMBER, INFINITE = 1e9, 1e12  # stand-ins, so that NaN equals NaN and nothing else


@dataclass(frozen=True)
class Leaf:
    """One tensor or number of an answer."""

    path: str  # where in the answer: "", "[0]", "['logits']"
    kind: str  # "float", "int", "bool", or the type's name and text for what is no number
    shape: tuple[int, ...]
    numbers: Tensor  # flat, float64


@dataclass(frozen=True)
class Seen:
    """One function on one probe."""

    value: Any
    error: Exception | None
    spoilt: bool  # it changed an argument in place
    leaves: tuple[Leaf, ...]

    @property
    def structure(self) -> tuple[Any, ...]:
        """All that is no number: two functions can be compared where this is the same."""
        if self.error is not None:
            return ("error", type(self.error).__name__)
        return (self.spoilt, *((leaf.path, leaf.kind, leaf.shape) for leaf in self.leaves))


def observe(function: Function, probe: Probe, seed: int = 0) -> Seen:
    """Put the probe's question. The global random state is set to `seed`, so that accidents can be repeated."""
    arguments = copied(probe.arguments)
    torch.default_generator.manual_seed(seed)  # not torch.manual_seed, which asks every kind of device
    try:
        value = probe.drive(function, *arguments)
        error = None
    except Exception as caught:  # a learner's code may raise anything
        value, error = None, caught
    before, after = list(leaves(probe.arguments)), list(leaves(arguments))
    spoilt = any(not torch.equal(a.numbers, b.numbers) for a, b in zip(before, after, strict=True))
    return Seen(value, error, spoilt, tuple(leaves(value)) if error is None else ())


def copied(value: Any) -> Any:
    """The same structure with tensors of its own; trainable ones stay trainable."""
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(copied, value))
    if isinstance(value, tuple | list):
        return type(value)(map(copied, value))
    if isinstance(value, dict):
        return {key: copied(part) for key, part in value.items()}
    return value


def leaves(value: Any, path: str = "") -> Iterator[Leaf]:
    """The tensors and numbers in an answer, in order. A tensor without axes counts as a number."""
    if isinstance(value, Tensor):
        yield Leaf(path, kind_of(value), tuple(value.shape), stand_ins(value.detach().double().flatten()))
    elif isinstance(value, bool | int | float):
        yield Leaf(path, type(value).__name__, (), stand_ins(torch.tensor([float(value)], dtype=torch.float64)))
    elif isinstance(value, tuple | list):
        for index, part in enumerate(value):
            yield from leaves(part, f"{path}[{index}]")
        if not value:
            yield Leaf(path, "empty", (), torch.empty(0, dtype=torch.float64))
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, f"{path}[{key!r}]")
    elif callable(value):
        return  # a function handed over as an argument: nothing to compare
    else:
        yield Leaf(path, f"{type(value).__name__} {value!r}", (), torch.empty(0, dtype=torch.float64))


def kind_of(tensor: Tensor) -> str:
    if tensor.dtype == torch.bool:
        return "bool"
    return "float" if tensor.is_floating_point() else "int" if not tensor.is_complex() else "complex"


def stand_ins(numbers: Tensor) -> Tensor:
    return numbers.nan_to_num(nan=NOT_A_NUMBER, posinf=INFINITE, neginf=-INFINITE)


def has_nan(seen: Seen) -> bool:
    return any(bool((leaf.numbers == NOT_A_NUMBER).any()) for leaf in seen.leaves)


@dataclass(frozen=True)
class Behaviour:
    """One function on all probes: what kind of answers, and one row of numbers."""

    structure: tuple[Any, ...]
    numbers: Tensor


def behaviour(seen: Sequence[Seen], right: Sequence[Seen]) -> Behaviour:
    """`right` sets the scale: each of its leaves counts with its own largest number as 1, where they are alike."""
    rows = []
    for ours, theirs in zip(seen, right, strict=True):
        alike = ours.structure[1:] == theirs.structure[1:]
        for index, leaf in enumerate(ours.leaves):
            rows.append(leaf.numbers / (scale(theirs.leaves[index]) if alike else 1))
    numbers = torch.cat(rows) if rows else torch.empty(0, dtype=torch.float64)
    return Behaviour(tuple(each.structure for each in seen), numbers)


def scale(leaf: Leaf) -> float:
    """The largest finite size among its numbers; 1 where there is none."""
    sizes = leaf.numbers.abs()
    finite = sizes[sizes < NOT_A_NUMBER]
    largest = float(finite.max()) if len(finite) else 0.0
    return largest or 1.0


def distance(a: Behaviour, b: Behaviour) -> float:
    """The largest difference anywhere, relative to the right answer's size; infinite where they cannot be compared."""
    if a.structure != b.structure:
        return math.inf
    return float((a.numbers - b.numbers).abs().max()) if len(a.numbers) else 0.0
