"""Numbers and calls as a person would write them down."""

import math
from typing import Any

from torch import Tensor

from glassformer.learn.checker.observe import Seen
from glassformer.learn.exercise import Part, Probe

MOST_NUMBERS = 24


def number(value: float) -> str:
    """Three significant digits at least, without an exponent below a million; whole numbers as they are."""
    if isinstance(value, bool):
        return str(value)
    if math.isfinite(value) and value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.3g}" if not 1000 <= abs(value) < 1e6 else f"{value:.0f}"


def written(value: Any) -> str:
    """A tensor as nested rows of numbers, text as it is, long tensors by their shape, anything else as Python would."""
    if isinstance(value, str):
        return value
    if isinstance(value, Tensor):
        return rows(value.detach().tolist()) if value.numel() <= MOST_NUMBERS else f"a tensor {tuple(value.shape)}"
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        named = zip(value._fields, value, strict=True)
        return f"{type(value).__name__}({', '.join(f'{name}={written(part)}' for name, part in named)})"
    if isinstance(value, tuple | list):
        inside = ", ".join(map(written, value))
        return f"({inside})" if isinstance(value, tuple) else f"[{inside}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {written(part)}" for key, part in value.items()) + "}"
    if isinstance(value, float):
        return number(value)
    return getattr(value, "__name__", None) or repr(value)


def rows(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(rows, value)) + "]"
    return number(value)


def question(part: Part, probe: Probe, names: tuple[str, ...]) -> tuple[str, ...]:
    """The example's call: one line for it, one for each argument that is too long to stand inside."""
    if probe.shown:
        return tuple(probe.shown.splitlines())
    inside, below = [], []
    for name, value in zip(names, probe.arguments, strict=False):
        text = written(value)
        if isinstance(value, Tensor) and value.ndim > 0 and value.numel() <= MOST_NUMBERS:
            inside.append(name)
            below.append(f"  {name} = {text}")
        else:
            inside.append(f"{name}={text}" if len(text) < 40 else name)
    return (f"{part.function}({', '.join(inside)})", *below)


def answered(seen: Seen) -> str:
    """What a function answered to an example, in one line."""
    if seen.error is not None:
        first = str(seen.error).splitlines()[:1]
        return f"{type(seen.error).__name__}{': ' + first[0] if first else ''}"
    return written(seen.value) + ("   and its argument is changed" if seen.spoilt else "")
