"""Drawing into a string, as a terminal of a given width would show it."""

from io import StringIO

from rich.console import Console, RenderableType


def shown(drawing: RenderableType, width: int = 80, *, coloured: bool = False) -> str:
    file = StringIO()
    Console(file=file, width=width, force_terminal=coloured, color_system="truecolor" if coloured else None).print(
        drawing
    )
    return file.getvalue()
