"""A probe: one expression, evaluated with the names of a system, that must answer True or False."""

import ast
from types import CodeType
from typing import Any

import torch
from torch import Tensor

from glassformer.errors import UserError

BUILTINS: dict[str, Any] = {
    each.__name__: each
    for each in (
        abs, all, any, bool, dict, enumerate, float, int, isinstance, len, list, map, max, min, range, reversed, round,
        set, sorted, str, sum, tuple, zip,
    )
}  # fmt: skip
LONGEST_SHOWN = 120


class ProbeError(UserError):
    """The probe cannot be evaluated, or answers something else than True or False."""


def compiled(text: str) -> CodeType:
    """The expression, ready to be evaluated. Raises ProbeError for anything but one expression."""
    text = text.strip()
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError as error:
        raise ProbeError(
            f"{short(text)} is not one expression: {error.msg}. Write what could stand after `print(`; a name for a "
            "part is given by (part := ...), and several lines become one with `and`."
        ) from error
    for node in ast.walk(tree):
        hidden = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if hidden.startswith("_"):
            raise ProbeError(f"{hidden} is out of bounds: a probe asks what the system does, not how it was made.")
    return compile(tree, "probe", "eval")


def answer(code: CodeType, text: str, names: dict[str, Any]) -> bool:
    """What the probe says of the system that these names belong to, always with the same random numbers.

    Raises ProbeError where it crashes, and where it answers no True or False.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            value = eval(code, {"__builtins__": BUILTINS} | names)  # a learner's expression, on the learner's machine
        except Exception as error:
            raise ProbeError(f"{short(text)} stops with {type(error).__name__}: {first_line(error)}") from error
    verdict = as_bool(value)
    if verdict is None:
        raise ProbeError(f"{short(text)} gives {described(value)}. {way_out(value)}")
    return verdict


def as_bool(value: Any) -> bool | None:
    """True or False, also where it comes as a tensor with one cell; None for anything else."""
    if isinstance(value, Tensor) and value.dtype == torch.bool and value.numel() == 1:
        return bool(value)
    return value if isinstance(value, bool) else None


def described(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of {value.dtype} and shape {tuple(value.shape)}"
    return f"{short(repr(value))}, a {type(value).__name__}"


def way_out(value: Any) -> str:
    if isinstance(value, Tensor) and value.dtype == torch.bool:
        return "A probe answers once: end it with .any() or .all()."
    return "A probe answers True or False: compare it with what a right system would give."


def first_line(error: Exception) -> str:
    return short(str(error).strip().split("\n")[0] or "no more is said")


def short(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
