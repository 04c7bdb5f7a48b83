"""Values as short lines of text, with few digits, so that they read the same on every machine."""

import math
from collections.abc import Sequence
from textwrap import wrap
from typing import Any

from torch import Tensor

WIDTH = 38  # of a line
NOTHING = 1e-5  # rounding errors of float32 stay below, and are shown as 0
MAY, MAY_NOT = "■", "·"


def lines(value: Any, *, rows: Sequence[str] = (), columns: Sequence[str] = ()) -> tuple[str, ...]:
    """A number, a text, a tensor of one or two axes, or a list or dictionary of such."""
    if isinstance(value, Tensor) and value.dim():
        return table(value, rows, columns)
    if isinstance(value, dict):
        widest = max(len(str(name)) for name in value)
        return tuple(f"{name!s:{widest}}  {lines(each)[0]}" for name, each in value.items())
    if isinstance(value, list):
        return tuple(line for each in value for line in lines(each))
    if isinstance(value, str):
        return tuple(wrap(value, WIDTH, subsequent_indent="  "))
    if isinstance(value, tuple):
        return (f"({', '.join(map(str, value))})",)
    return ("none" if value is None else number(value),)


def number(value: float | Tensor) -> str:
    """Whole numbers in full, others with three digits."""
    value = value.item() if isinstance(value, Tensor) else value
    if isinstance(value, int) or (math.isfinite(value) and abs(value) >= 1000):
        return f"{value:,.0f}"
    return "0" if abs(value) < NOTHING else f"{value:.3g}"


def table(tensor: Tensor, rows: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """The cells in columns; a mask as squares. Names stand before the rows and above the columns.

    One axis stands upright where each of its cells has a name.
    """
    if tensor.dim() == 1:
        tensor = tensor.unsqueeze(1 if len(rows) == len(tensor) else 0)
    cells = [[cell(value) for value in row] for row in tensor.tolist()]
    if columns:
        cells = [list(columns), *cells]
        rows = ["", *rows] if rows else rows
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    written = [" ".join(placed(text, width) for text, width in zip(row, widths, strict=True)) for row in cells]
    if rows:
        widest = max(map(len, rows))
        written = [f"{name:{widest}}  {line}" for name, line in zip(rows, written, strict=True)]
    return tuple(line.rstrip() for line in written)


def cell(value: bool | float) -> str:
    if isinstance(value, bool):
        return MAY if value else MAY_NOT
    if isinstance(value, int):
        return str(value)
    return f"{0.0 if abs(value) < 0.005 else value:.2f}"


def placed(text: str, width: int) -> str:
    return text.center(width) if text in (MAY, MAY_NOT) else text.rjust(width)


def plain(value: Any) -> Any:
    """The value as JSON can say it: numbers that are none become words."""
    if isinstance(value, Tensor):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
