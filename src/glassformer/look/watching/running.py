"""What a watch knows of the model's functions while they run: their frames, their names, their operations so far."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType, FrameType

import torch
from torch import Tensor, nn

from glassformer.look.watching.source import Axes, Bound, Code
from glassformer.look.watching.steps import Step

TORCH = str(Path(torch.__file__).parent)
OURS = str(Path(__file__).parent)
MODULE_CALL = nn.Module._call_impl.__code__
FAR = 100  # more than modules are ever nested without a line of the model between them


@dataclass
class Call:
    """One call of a module: what its names stand for so far, each with its place in the list of its taps."""

    taps: dict[str, tuple[Tensor, int]] = field(default_factory=dict)


@dataclass
class Noted:
    """An operation of a running statement, or a module's result."""

    instruction: int
    text: str  # a module's class; empty for an operation, which has its name from its step
    step: Step | None
    shown: bool = True  # False: inside a module that is named instead


@dataclass
class Running:
    """One running function of the model."""

    frame: FrameType
    code: Code
    owner: nn.Module | None
    path: str | None  # of the module it computes for; None: not of this model
    call: Call
    outer: "Running | None"
    called_at: int  # the instruction that the outer one stood at
    read_at: int = -1  # the instruction where its variables were last read
    bound: dict[str, object] = field(default_factory=dict)  # variable -> what it was last seen to be
    noted: dict[tuple[int, int], list[Noted]] = field(default_factory=dict)  # where a statement starts -> operations
    edited: set[str] = field(default_factory=set)  # names that reach it edited, from a function further in

    def variable(self, name: str) -> object:
        """What a variable of the function, or an attribute of its module, is now."""
        if name.startswith("self."):
            return getattr(self.owner, name.removeprefix("self."), None)
        return self.frame.f_locals.get(name)


def distance(code: CodeType) -> int:
    """How far a frame of this code takes one from the line of the model that called it."""
    if code is MODULE_CALL:
        return 1
    return 0 if passes(code.co_filename) else FAR


@cache
def passes(file: str) -> bool:
    """Whether code of this file hands on what it is given: torch's own, and that of a watch around this one."""
    return file.startswith((TORCH, OURS))


def letters(path: str | None, bound: Bound, value: Tensor) -> Axes:
    axes = bound.axes if bound.axes and len(bound.axes) == value.dim() else ("_",) * value.dim()
    if path and path.startswith("encoder"):  # blocks serve both sides and say t; on this side it is s
        return tuple("s" if letter == "t" else letter for letter in axes)
    return axes
