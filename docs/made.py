"""What the makers of pages share."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from glassformer.learn.exercise import Texts
from glassformer.learn.why.page import address, text

DOCS = Path(__file__).parent
THREAD = re.compile(r"[\w.-]+/[\w.-]+#\d+")


def anchor(texts: Texts) -> str:
    """Where a page speaks of an exercise; the heading is named so by hand, so that a new title breaks no link."""
    return f"e{texts.number}"


def heading(texts: Texts) -> list[str]:
    return [f'<a id="{anchor(texts)}"></a>', "", f"## {texts.number}. {text(texts.title)}", ""]


def linked(source: str) -> str:
    """A source's words, its threads as links."""
    parts, start = [], 0
    for thread in THREAD.finditer(source):
        parts += [text(source[start : thread.start()]), f"[{text(thread[0])}]({address(thread[0])})"]
        start = thread.end()
    return "".join([*parts, text(source[start:])])


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """A Markdown table, then an empty line."""
    names = list(head)
    return [row(names), row("---" for _ in names), *map(row, rows), ""]


def row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write(name: str, page: Callable[[], str]) -> None:
    """Make a page and put it into docs/."""
    (DOCS / name).write_text(page(), encoding="utf-8", newline="\n")
