"""A grid of cells with words on both axes, as wide as the terminal allows. Masks and attention are drawn with it.

Words are data: they are shown letter by letter, whatever they contain, and counted in terminal cells.
"""

import unicodedata
from collections.abc import Callable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

TALLEST_LABEL = 12
CORNER = "asks ↓"
Draw = Callable[[int, int, int], Text]  # row, column, width -> a cell of that width


def readable(piece: str) -> str:
    """A piece as it can be shown: spaces and control characters become visible, nothing is interpreted."""
    if piece.isspace() or not piece:
        return "␣" * len(piece) or "∅"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in piece)


def fit(text: str, width: int) -> str:
    """The text in exactly this many cells, cut with an ellipsis where it is too long."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(set_cell_size(text, width - 1).rstrip() + "…", width)


def centred(text: str, width: int) -> str:
    return set_cell_size(" " * max(0, (width - cell_len(text)) // 2) + text, width)


def letters(text: str) -> list[str]:
    """The characters of a word, each with the marks that combine with it."""
    parts: list[str] = []
    for character in text:
        if parts and (unicodedata.combining(character) or cell_len(character) == 0):
            parts[-1] += character
        else:
            parts.append(character)
    return parts


class Grid:
    """Rows and columns of cells; too many columns for the width go on below.

    `draw(row, column, width)` makes one cell. `cell_width` is the width that a cell would like to have, `gap` the
    space between two.
    """

    def __init__(
        self,
        rows: Sequence[str],
        columns: Sequence[str],
        draw: Draw,
        *,
        cell_width: int,
        narrowest: int = 1,
        gap: int = 1,
    ) -> None:
        self.rows = [readable(row) for row in rows]
        self.columns = [readable(column) for column in columns]
        self.draw = draw
        self.cell_width = cell_width
        self.gap = gap
        self.narrowest = max([narrowest, *(cell_len(letter) for column in self.columns for letter in letters(column))])

    def layout(self, width: int) -> tuple[int, int, bool]:
        """The width of row labels, the width of cells, and whether column words stand upright (one letter a line)."""
        label = min(max(map(cell_len, [*self.rows, CORNER])), max(len(CORNER), width // 4))
        room = (width - label - 1) // len(self.columns) - self.gap
        words = max(map(cell_len, self.columns)) + (not self.gap)  # words never touch
        if room >= max(words, self.narrowest):
            return label, max(words, min(self.cell_width, room)), False
        return label, max(self.narrowest, min(self.cell_width, room)), True

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        label, cell, _ = self.layout(options.max_width)
        return Measurement(min(options.max_width, label + 1 + self.gap + cell), options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        label, cell, upright = self.layout(options.max_width)
        at_once = max(1, (options.max_width - label - 1) // (cell + self.gap))
        for start in range(0, len(self.columns), at_once):
            if start:
                yield Text()
            block = range(start, min(start + at_once, len(self.columns)))
            yield from self.header([self.columns[column] for column in block], label, cell, upright)
            for row, name in enumerate(self.rows):
                line = Text(no_wrap=True).append(fit(name, label) + " ", style="bold")
                for column in block:
                    line.append(" " * self.gap).append_text(self.draw(row, column, cell))
                yield line

    def header(self, names: list[str], label: int, cell: int, upright: bool) -> RenderResult:
        if not upright:
            lines = [[centred(name, cell) for name in names]]
        else:
            written = [letters(name) for name in names]
            height = min(TALLEST_LABEL, max(map(len, written)))
            cut = [word if len(word) <= height else [*word[: height - 1], "…"] for word in written]
            standing = [[""] * (height - len(word)) + word for word in cut]  # words stand on the grid
            lines = [[centred(word[line], cell) for word in standing] for line in range(height)]
        for number, line in enumerate(lines):
            corner = CORNER if number == len(lines) - 1 else ""
            text = Text(no_wrap=True).append(set_cell_size(corner, label) + " ", style="dim")
            yield text.append("".join(" " * self.gap + name for name in line), style="bold")
