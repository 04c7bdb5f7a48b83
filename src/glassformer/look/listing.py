"""What was seen, as a list: every tap with its axes and sizes, and one tap with what its values are like."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text
from torch import Tensor

if TYPE_CHECKING:
    from glassformer.look.seen import Tap


def sizes_text(tap: "Tap") -> Text:
    """`n=1 h=4 q=7 k=9`, the letters and sizes in the colours of the shape table."""
    text = Text()
    for axis, size in zip(tap.axes, tap.shape, strict=True):
        text.append(" " if text else "").append(axis, style="green").append("=").append(str(size), style="yellow")
    return text if text else Text("one number", style="dim")


def tap_drawing(tap: "Tap") -> RenderableType:
    """The tap's name, axes, source line and values, and its gradient where one arrived."""
    table = Table.grid(padding=(0, 2))
    table.add_row(Text("axes", style="dim"), sizes_text(tap))
    table.add_row(Text("made by", style="dim"), Text(tap.operation or "a name for a value made elsewhere"))
    table.add_row(Text(tap.where.rpartition("/")[2], style="dim"), Text(tap.source))
    table.add_row(Text("values", style="dim"), Text(values_text(tap.value)))
    if tap.gradient is not None:
        table.add_row(Text("gradient", style="dim"), Text(values_text(tap.gradient)))
    whole = Table.grid()
    whole.add_row(Text(tap.name, style="bold cyan"))
    whole.add_row(table)
    return whole


def values_text(value: Tensor) -> str:
    """How many of what kind, and their range."""
    kind = str(value.dtype).removeprefix("torch.")
    if not value.numel():
        return f"none, {kind}"
    numbers = value.detach().double()
    if kind == "bool":
        return f"{int(numbers.sum())} of {value.numel()} are True"
    low, mean, high = (float(x) for x in (numbers.min(), numbers.mean(), numbers.max()))
    return f"{value.numel():,} x {kind}, from {low:.4g} to {high:.4g}, mean {mean:.4g}"


def seen_drawing(seen: "Mapping[str, Tap]") -> RenderableType:
    """A line for each name, in the order of computation."""
    if not seen:
        return Text("nothing was seen: call the model inside the with block, and check `only`.", style="dim")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    rows = []
    for tap in seen.values():
        name = Text(f"{tap.module}." if tap.module else "", style="dim").append(tap.quantity, style="bold not dim")
        rows.append((name, sizes_text(tap), Text(tap.where.rpartition("/")[2], style="dim"), Text(tap.operation)))
    for title, cells in zip(("name", "axes", "line"), zip(*rows, strict=True), strict=False):
        table.add_column(title, no_wrap=True, min_width=max(cell.cell_len for cell in cells))
    table.add_column("made by", no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*row)
    return table
