"""Drawings as HTML, in notebooks and as files: what a terminal shows, with its styles written inline.

Nothing is fetched and nothing runs. The colours are a terminal's on a dark ground of their own, so that they are as
readable on a light page as on a dark one.
"""

from dataclasses import dataclass
from html import escape
from io import StringIO

from rich.console import Console, RenderableType
from rich.terminal_theme import TerminalTheme

from glassformer.look.svg import MONOSPACE

WIDTH = 112
GROUND, INK = (20, 22, 36), (236, 238, 247)
COLOURS = [  # black, red, green, yellow, blue, magenta, cyan, white: each at least 6:1 on the ground
    (148, 154, 178), (240, 132, 132), (126, 211, 150), (236, 201, 112),
    (132, 170, 255), (220, 150, 235), (112, 206, 226), INK,
]  # fmt: skip
THEME = TerminalTheme(GROUND, INK, COLOURS, COLOURS)
# <pre>, where notebooks leave dollar signs alone; no ground between the lines of a picture.
BLOCK = (
    f'<pre style="font-family: {MONOSPACE}; font-size: 13px; line-height: 1.25; white-space: pre; overflow: auto; '
    f'margin: 0; padding: 0.8em 1em; color: rgb{INK}; background: rgb{GROUND}">{{code}}</pre>'
)
CELL = '<div style="max-height: 640px; overflow: auto; border-radius: 6px; background: rgb{ground}">{block}</div>'
PAGE = (
    '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
    '<body style="margin: 0; background: rgb{ground}">\n{block}\n</body>\n</html>\n'
)


def html_block(drawing: RenderableType, width: int = WIDTH) -> str:
    """What a terminal of this width shows, as one <pre>; words are escaped."""
    console = Console(record=True, file=StringIO(), width=width, color_system="truecolor", force_terminal=True)
    console.print(drawing)
    return console.export_html(theme=THEME, code_format=BLOCK, inline_styles=True)


def html_page(drawing: RenderableType, *, title: str, width: int = WIDTH) -> str:
    """The same as a whole page."""
    return PAGE.format(title=escape(title), ground=GROUND, block=html_block(drawing, width))


class Html:
    """A drawing that notebooks show as HTML."""

    def _repr_html_(self) -> str:
        # Those who inherit from this are renderable.
        return CELL.format(ground=GROUND, block=html_block(self))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Drawing(Html):
    """Any renderable, for the terminal and for notebooks."""

    renderable: RenderableType

    def __rich__(self) -> RenderableType:
        return self.renderable
