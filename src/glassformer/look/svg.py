"""Drawings as SVG files, for READMEs and slides: no font or anything else is fetched when one is opened."""

import re
from io import StringIO
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console, RenderableType

MONOSPACE = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def export_svg(renderable: RenderableType, path: str | Path, *, title: str, width: int = 80) -> None:
    """Write what a terminal of this width would show."""
    console = Console(record=True, file=StringIO(), width=width, color_system="truecolor", force_terminal=True)
    console.print(renderable)
    # rich's own frame fetches its font by URL; the machine's monospace font does as well, since each run of
    # text has its length written down.
    frame = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace(
        "Fira Code, monospace", MONOSPACE
    )
    Path(path).write_text(console.export_svg(title=title, code_format=frame), encoding="utf-8")
