"""What was measured of each case, and a curve drawn in characters. Imports no torch."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MEASURED = Path(__file__).parent / "made" / "given.json"
EIGHTHS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True, kw_only=True)
class Given:
    """What was measured: curves over the updates of the training, and scores of the finished system.

    `curves` has "step", "loss" and "accuracy" (of target tokens, when shown the right ones before), all of one length;
    a number that was NaN is nan.
    """

    curves: dict[str, list[float]]
    scores: dict[str, float]


@cache
def measured() -> dict[str, Given]:
    """By the number of a case, and "healthy" for the system without a fault."""
    stored = json.loads(MEASURED.read_text(encoding="utf-8"))
    return {
        number: Given(
            curves={
                name: [math.nan if point is None else point for point in curve]
                for name, curve in parts["curves"].items()
            },
            scores=parts["scores"],
        )
        for number, parts in stored.items()
    }


def curve_lines(curve: Sequence[float], width: int, height: int) -> list[str]:
    """The curve as columns of blocks, `height` lines of `width` characters, from 0 at the bottom to its maximum.

    Points are averaged into columns where there are more of them, and repeated where there are fewer. NaN is "x" on
    the bottom line. Raises ValueError for no point, or a size below 1.
    """
    if not curve or width < 1 or height < 1:
        raise ValueError(f"{len(curve)} points in {width} x {height} characters: each must be at least 1.")
    columns = [column(curve, place, width) for place in range(width)]
    top = max((value for value in columns if math.isfinite(value)), default=0.0) or 1.0
    lines = []
    for line in reversed(range(height)):
        lines.append("".join(block(value / top * height - line, bottom=line == 0) for value in columns))
    return lines


def column(curve: Sequence[float], place: int, width: int) -> float:
    """The mean of the points that fall into one of `width` columns."""
    first = place * len(curve) // width
    points = curve[first : max(first + 1, (place + 1) * len(curve) // width)]
    return sum(points) / len(points)


def block(filled: float, *, bottom: bool) -> str:
    """One character: how much of this line a column fills; what is above 0 shows at least a little at the bottom."""
    if math.isnan(filled):
        return "x" if bottom else " "
    eighths = min(8, max(0, round(filled * 8)))
    return EIGHTHS[max(1, eighths) if bottom and filled > 0 else eighths]
