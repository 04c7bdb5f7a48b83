"""A cell and the arithmetic that made it: terms that add up to its value, each a product of further cells."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from glassformer.look.html import Html
from glassformer.look.watching.source import Axes

Kind = Literal["tap", "weight", "step", "number", "given"]
SHOWN = 8


@dataclass(frozen=True, eq=False)
class Term:
    """A product; a sum has one for each thing that it adds."""

    factors: tuple["Cell", ...]

    @property
    def value(self) -> float:
        return math.prod(float(factor.value) for factor in self.factors)

    def __str__(self) -> str:
        return " × ".join(number(factor.value) for factor in self.factors)


@dataclass(frozen=True)
class Account:
    """How a cell came about."""

    words: str
    terms: tuple[Term, ...] = ()
    uses: tuple["Cell", ...] = ()  # cells that decided it without being multiplied or added


@dataclass(frozen=True, eq=False)
class Cell(Html):
    """One number: `cell.terms` add up to `cell.value`, and each `term.factors` are cells that open the same way.

    kind: "tap" (a name of the source), "weight" (a parameter or buffer), "step" (in the middle of a line, without a
    name), "number" (a constant), "given" (from outside what was watched). The last cells have no terms: their `words`
    say where they come from, and their `uses` what they depend on.
    """

    name: str
    index: tuple[int, ...]
    value: float | int | bool
    kind: Kind
    account: Callable[[], Account]
    axes: Axes = ()
    module: str = ""  # whose code computed it
    where: str = ""  # file:line of a tap
    source: str = ""

    @cached_property
    def _account(self) -> Account:
        return self.account()

    @property
    def words(self) -> str:
        """What was done, in words."""
        return self._account.words

    @property
    def terms(self) -> tuple[Term, ...]:
        """What adds up to the value, in the order of the axes; empty where the cell is not a sum of anything."""
        return self._account.terms

    @property
    def uses(self) -> tuple["Cell", ...]:
        return self._account.uses

    @property
    def total(self) -> float:
        """The sum of the terms: the value, up to rounding."""
        return math.fsum(term.value for term in self.terms)

    @property
    def size(self) -> float:
        """The sum of the terms' sizes, by which rounding is measured."""
        return math.fsum(abs(term.value) for term in self.terms)

    @property
    def place(self) -> str:
        """`energy[n0 h1 q2 k3]`, as far as the letters are known."""
        parts = [
            f"{letter}{i}" if letter.isalpha() else str(i)
            for letter, i in zip(self.axes or "_" * len(self.index), self.index, strict=True)
        ]
        return f"{self.name}[{' '.join(parts)}]" if self.index else self.name

    def largest(self, count: int) -> list[tuple[int, Term]]:
        """The terms of largest size, each with its place in `terms`."""
        return sorted(enumerate(self.terms), key=lambda numbered: -abs(numbered[1].value))[:count]

    def equation(self, count: int = SHOWN) -> str:
        """`0.31 × -0.414 + 0.334 × 0.167 = -0.0726`: the largest terms first, the rest added up."""
        if not self.terms:
            return number(self.value)
        shown = self.largest(count)
        parts = [str(term) for _, term in shown]
        rest = len(self.terms) - len(shown)
        if rest:
            parts.append(f"({rest} more: {number(self.rest(count))})")
        return f"{' + '.join(parts)} = {number(self.value)}"

    def rest(self, count: int) -> float:
        """What the terms beyond the largest add up to."""
        shown = {place for place, _ in self.largest(count)}
        return math.fsum(term.value for place, term in enumerate(self.terms) if place not in shown)

    def walk(self, depth: int) -> Iterator["Cell"]:
        """This cell, and those that it is made of, so many levels down; each along every path."""
        yield self
        if depth:
            for cell in [*(factor for term in self.terms for factor in term.factors), *self.uses]:
                yield from cell.walk(depth - 1)

    def __str__(self) -> str:
        return f"{self.place}: {self.words}: {self.equation()}" if self.terms else f"{self.place} = {self.words}"

    def __repr__(self) -> str:
        return f"<{self.place} = {number(self.value)}, {len(self.terms)} terms>"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self.place, style="bold").append(" = ").append(number(self.value), style="bold yellow")
        if self.source:
            yield Text(f"{self.where.rpartition('/')[2]}  {self.source}", style="dim")
        yield Text(self.words)
        table = Table.grid(padding=(0, 2))
        table.add_column("term", justify="right", style="dim")
        table.add_column("value", justify="right", style="yellow", no_wrap=True)
        table.add_column("factors", overflow="fold")
        for place, term in self.largest(SHOWN):
            table.add_row(f"terms[{place}]", number(term.value), self.product(term))
        if len(self.terms) > SHOWN:
            table.add_row("", number(self.rest(SHOWN)), Text(f"{len(self.terms) - SHOWN} smaller terms", style="dim"))
        if self.terms:
            table.add_row("", number(self.value), Text("together", style="dim"))
        for place, cell in enumerate(self.uses):
            table.add_row(f"uses[{place}]", number(cell.value), Text(self.near(cell), style="cyan"))
        yield table

    def product(self, term: Term) -> Text:
        text = Text()
        for factor in term.factors:
            text.append(" × " if text else "")
            if factor.kind != "number":
                text.append(f"{number(factor.value)} ")
            text.append(self.near(factor), style="cyan")
        return text

    def near(self, cell: "Cell") -> str:
        """The cell's place, without the module path where that is this cell's own."""
        return cell.place.removeprefix(f"{self.module}.") if self.module else cell.place


def number(value: float | int | bool) -> str:
    """Four digits of it; True and False as such."""
    return f"{value + 0.0:.4g}" if isinstance(value, float) else str(value)  # + 0.0: no -0


def constant(value: float, name: str = "") -> Cell:
    """A number of the source, or one that an operation brings along."""
    return Cell(name or number(value), (), value, "number", lambda: Account(f"the number {number(value)}"))


def made(name: str, value: float, account: Callable[[], Account]) -> Cell:
    """A number inside an operation: a mean, a denominator."""
    return Cell(name, (), value, "step", account)


def made_from(name: str, value: float, uses: tuple[Cell, ...]) -> Cell:
    """A number that follows from other cells by more than products and sums."""
    return made(name, value, lambda: Account(f"{name} = {number(value)}", (), uses))


def product(*factors: Cell) -> Term:
    return Term(factors)
