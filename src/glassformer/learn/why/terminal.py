"""A confusion for the terminal, on one screen of 100 columns, and the list of all."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from glassformer.learn.why.catalogue import by_theme
from glassformer.learn.why.confusion import Confusion

if TYPE_CHECKING:  # the list needs no torch
    from glassformer.learn.why.run import Demonstration, Shown

MARGIN = 9  # "✗ wrong" and the like
GAP = 2  # between columns
SHORTEST_LABEL = 14
WRONG, RIGHT = "red", "green"


def drawing(demonstration: "Demonstration") -> RenderableType:
    """Question, code, numbers side by side, and what to make of them."""
    confusion = demonstration.confusion
    heading = Text(f"{confusion.number}  {confusion.slug}", style="bold cyan")
    heading.append(f"   {confusion.theme} · exercise {confusion.exercise} · paper, {confusion.paper}", style="dim")
    return Group(
        heading,
        Text(confusion.question, style="bold"),
        Text(),
        code(confusion),
        Text(),
        Numbers(demonstration.shown),
        Text(),
        texts(confusion),
    )


def code(confusion: Confusion) -> Table:
    """The parts of the two programs, each under its name."""
    parts = (
        ("given", "dim", confusion.given),
        ("✗ wrong", WRONG, confusion.wrong),
        ("✓ right", RIGHT, confusion.right),
        ("then", "dim", confusion.then),
    )
    return rows_with_margin(*((name, style, snippet(part)) for name, style, part in parts if part))


def snippet(part: str) -> Syntax:
    return Syntax(part.strip("\n"), "python", theme="ansi_dark", background_color="default", word_wrap=True)


class Numbers:
    """A quantity a row, both sides beside each other, below each other where the terminal is too narrow.

    The sign between them says whether they differ.
    """

    def __init__(self, shown: "Sequence[Shown]") -> None:
        self.shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        sides = [max(map(len, lines)) for each in self.shown for lines in (each.wrong.lines, each.right.lines)]
        room = options.max_width - max(sides[::2]) - max(sides[1::2])
        yield self.beside() if room >= SHORTEST_LABEL + 3 * GAP + 1 else self.below()

    def beside(self) -> Table:
        grid = Table.grid(padding=(0, GAP))
        for column in ("label", "wrong", "sign", "right"):
            grid.add_column(no_wrap=column != "label")
        grid.add_row("", Text("✗ wrong", style=WRONG), "", Text("✓ right", style=RIGHT))
        for each in self.shown:
            left, right = sides(each)
            grid.add_row(Text(each.label), left, Text("=" if each.same else "≠", style="dim"), right)
        return grid

    def below(self) -> Group:
        lines: list[RenderableType] = []
        for each in self.shown:
            left, right = sides(each)
            lines.append(Text(each.label, style="dim"))
            if each.same:
                lines.append(rows_with_margin(("= both", "", right)))
            else:
                lines.append(rows_with_margin(("✗ wrong", WRONG, left), ("✓ right", RIGHT, right)))
        return Group(*lines)


def sides(shown: "Shown") -> tuple[Text, Text]:
    """What stands on the left and on the right, in colour where they differ."""
    wrong, right = ("", "") if shown.same else (WRONG, RIGHT)
    return Text("\n".join(shown.wrong.lines), style=wrong), Text("\n".join(shown.right.lines), style=right)


def texts(confusion: Confusion) -> Table:
    """What the difference does, where it does none, what is true, and who asked."""
    parts = (
        ("changes", "", confusion.changes),
        ("harmless", "", confusion.harmless),
        ("truth", "bold", confusion.truth),
        ("asked in", "dim", ", ".join(confusion.threads)),
        ("seen in", "dim", confusion.seen),
    )
    return rows_with_margin(*((name, style or "dim", Text(part, style=style)) for name, style, part in parts if part))


def rows_with_margin(*rows: tuple[str, str, RenderableType]) -> Table:
    """A name in the margin, its style, and what stands beside it."""
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(width=MARGIN, no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")
    for name, style, content in rows:
        grid.add_row(Text(name, style=style), content)
    return grid


def listing(confusions: tuple[Confusion, ...]) -> RenderableType:
    """One line each, by theme."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="bold cyan", justify="right")
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column()
    grid.add_column(style="dim", no_wrap=True)
    for theme, group in by_theme(confusions).items():
        grid.add_row("", Text(theme, style="bold"), "", "exercise")
        for each in group:
            grid.add_row(str(each.number), each.slug, Text(each.question), each.exercise)
    return grid
