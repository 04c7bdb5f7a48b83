"""Executes the code of a confusion, once for each side, and reads off what is to be compared."""

import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from glassformer.learn.why.confusion import PREAMBLE, Confusion
from glassformer.learn.why.values import lines, plain


class Reading(NamedTuple):
    """What one side says of one quantity: as it is, and as lines of text."""

    value: Any
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Shown:
    """One quantity on both sides."""

    label: str
    same: bool  # said to make no difference
    wrong: Reading
    right: Reading

    def to_dict(self) -> dict[str, Any]:
        """For programs; what JSON has no number for becomes a word."""
        wrong, right = plain(self.wrong.value), plain(self.right.value)
        return {"label": self.label, "same": self.same, "wrong": wrong, "right": right}


@dataclass(frozen=True)
class Demonstration:
    """A confusion with its numbers."""

    confusion: Confusion
    shown: tuple[Shown, ...]

    def to_dict(self) -> dict[str, Any]:
        """Texts, code and numbers for programs."""
        names = ("number", "slug", "theme", "question", "given", "wrong", "right", "then")
        texts = ("changes", "harmless", "truth", "threads", "seen", "exercise", "paper")
        parts = {name: getattr(self.confusion, name) for name in names + texts}
        return parts | {"compare": [each.to_dict() for each in self.shown]}


def demonstrate(confusion: Confusion) -> Demonstration:
    """Both programs are run from the beginning, so that neither sees what the other has changed."""
    wrong, right = readings(confusion, confusion.wrong), readings(confusion, confusion.right)
    shown = (
        Shown(each.label, each.same, left, other)
        for each, left, other in zip(confusion.compare, wrong, right, strict=True)
    )
    return Demonstration(confusion, tuple(shown))


def readings(confusion: Confusion, side: str) -> list[Reading]:
    """Run one program and read off every quantity. The caller's random state and warnings stay as they are."""
    names: dict[str, Any] = {"__name__": "why"}
    found = []
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nn.TransformerEncoder tells of its prototypes
        exec(compile(program(confusion, side), f"<why {confusion.number}>", "exec"), names)
        for each in confusion.compare:
            value = eval(each.value, names)
            rows, columns = (list(eval(axis, names)) if axis else [] for axis in (each.rows, each.columns))
            found.append(Reading(value, lines(value, rows=rows, columns=columns)))
    return found


def program(confusion: Confusion, side: str) -> str:
    """The whole program of one side, as a person could paste it."""
    return "\n".join(part.strip("\n") for part in (PREAMBLE, confusion.given, side, confusion.then) if part)
