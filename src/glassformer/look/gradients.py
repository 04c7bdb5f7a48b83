"""Where gradients went: which parameters got none in a watched backward, and why."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text
from torch import nn

from glassformer.errors import UserError
from glassformer.look.html import Html
from glassformer.look.seen import Seen, Use

Fate = Literal["arrived", "zero", "cut off", "unused", "frozen"]


@dataclass(frozen=True)
class ParameterGradient:
    """What came to one parameter."""

    name: str
    shape: list[int]
    fate: Fate
    why: str
    largest: float | None  # the largest size in the gradient; None: none came
    used_in: list[str]  # the names whose lines used it


@dataclass(frozen=True)
class GradientReport(Html):
    """One row a parameter, in the model's order; shared ones once. Drawn: those that learned nothing, and why."""

    rows: list[ParameterGradient]

    @property
    def missing(self) -> list[ParameterGradient]:
        """Those that this backward leaves as they are."""
        return [row for row in self.rows if row.fate != "arrived"]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        arrived = [row for row in self.rows if row.fate == "arrived"]
        yield Text(f"{len(arrived)} of {len(self.rows)} parameters got a gradient", style="bold")
        if arrived:
            small, large = (pick(arrived, key=lambda row: row.largest or 0) for pick in (min, max))
            for words, row in (("smallest", small), ("largest", large)):
                yield Text(f"{words}: at most {row.largest:.3g} in {row.name}", style="dim")
        table = Table.grid(padding=(0, 2))
        table.add_column(overflow="fold", ratio=3)
        table.add_column(no_wrap=True)
        table.add_column(ratio=4)
        for row in self.missing:
            table.add_row(Text(row.name, style="bold"), Text(row.fate, style="yellow"), Text(row.why))
        if self.missing:
            yield Text()
            yield table


def gradient_report(model: nn.Module, seen: Seen) -> GradientReport:
    """What became of each parameter of a model watched with `gradients=True`, backward included.

    Raises UserError where it was watched without, or where no backward ran inside the block.
    """
    parameters = dict(getattr(model, "_orig_mod", model).named_parameters())
    if not seen._uses.keys() >= parameters.keys():
        raise UserError("this was watched without gradients: watch(model, gradients=True), and the same model here.")
    uses = seen._uses.values()
    if any(parameter.requires_grad for parameter in parameters.values()) and all(use.largest is None for use in uses):
        raise UserError("no gradient came to any parameter: call loss.backward() inside the with block.")
    return GradientReport([row_of(name, parameter, seen._uses[name]) for name, parameter in parameters.items()])


def row_of(name: str, parameter: nn.Parameter, use: Use) -> ParameterGradient:
    fate, why = fate_of(parameter, use)
    return ParameterGradient(name, list(parameter.shape), fate, why, use.largest, list(use.lines))


def fate_of(parameter: nn.Parameter, use: Use) -> tuple[Fate, str]:
    where = f"used in {', '.join(use.lines[:2])}" if use.lines else "used"
    if not parameter.requires_grad:
        return "frozen", "requires_grad is off: nothing is computed for it"
    if not use.used:
        return "unused", "no operation of the forward read it"
    if use.largest is None and not use.followed:
        return "cut off", f"{where}, but only where gradients are not followed (torch.no_grad)"
    if use.largest is None:
        return "cut off", f"{where}, and from there no path leads to the loss: detached, or not part of it"
    if use.largest == 0:
        return "zero", f"{where}, but the loss does not change with it: every number of its gradient is 0"
    return "arrived", f"{where}; its largest number is {use.largest:.3g}"
