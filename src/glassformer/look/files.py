"""Drawings as files, by the file's ending: what a terminal shows (.svg, .html, .txt), or a picture by matplotlib."""

from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType

from glassformer.errors import UserError
from glassformer.look.html import WIDTH, html_page
from glassformer.look.svg import export_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWN = (".svg", ".html", ".txt")
PICTURES = (".png", ".svg")


def check_ending(path: Path, *, figure: tuple[str, ...] = ()) -> None:
    """Raises UserError naming the endings that can be written; `figure` holds those that a picture is drawn for."""
    known = sorted({*DRAWN, *figure})
    if path.suffix not in known:
        raise UserError(f"{path} does not say what to write: its name must end in {', '.join(known)}.")
    if not path.parent.is_dir():
        raise UserError(f"{path} cannot be written: there is no folder {path.parent}. Make it, or choose another.")


def save_drawing(
    drawing: RenderableType, path: Path, *, title: str, figures: Mapping[str, Callable[[], "Figure"]] | None = None
) -> None:
    """Write the drawing as its ending says; for the endings in `figures`, the figure that is made there instead."""
    figures = figures or {}
    check_ending(path, figure=tuple(figures))
    if path.suffix in figures:
        from glassformer.look.plot import save_figure

        save_figure(figures[path.suffix](), path)
    elif path.suffix == ".svg":
        export_svg(drawing, path, title=title, width=WIDTH)
    elif path.suffix == ".html":
        path.write_text(html_page(drawing, title=title), encoding="utf-8")
    else:
        console = Console(file=StringIO(), width=WIDTH, color_system=None, record=True)
        console.print(drawing)
        path.write_text(console.export_text(), encoding="utf-8")
