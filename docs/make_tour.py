"""Write docs/tour.md and docs/tour.ipynb from docs/tour.py: run every cell, and put the source where it is explained.

python docs/make_tour.py

A line `<!-- source: attention.py MultiHeadAttention.forward -->` in tour.py stands for lines of src/glassformer/model:
from where that name is defined to where the file's next marked name is. `top` marks the first line of a file. So each
line is quoted once, beside its explanation, and cannot go stale.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

DOCS = Path(__file__).parent
MODEL = DOCS.parent / "src/glassformer/model"
MARKER = re.compile(r"<!-- source: (?P<file>\S+\.py) (?P<name>\S+) -->")
MADE = """\
<!-- Made by docs/make_tour.py. Change docs/tour.py or the model, then run it again. -->
<!-- fmt: off -->"""  # the source stands as it is, not as ruff would lay out a piece of it


def notebook() -> NotebookNode:
    """The tour as a notebook that was not run yet, with the source in place of its markers."""
    book = jupytext.read(DOCS / "tour.py")
    quotes = all_quotes("\n".join(cell.source for cell in book.cells))
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number}"  # not by lot: the same tour gives the same file
        if cell.cell_type == "markdown":
            cell.source = MARKER.sub(lambda marker: quotes[marker["file"], marker["name"]], cell.source)
    book.metadata.kernelspec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return book


def run(book: NotebookNode) -> NotebookNode:
    """The same notebook with what each cell printed. Raises CellExecutionError where a cell fails."""
    ran: NotebookNode = NotebookClient(book, timeout=120, kernel_name="python3").execute()
    return ran


def all_quotes(tour: str) -> dict[tuple[str, str], str]:
    """What to put for every marker of the tour."""
    marked: dict[str, list[str]] = {}
    for marker in MARKER.finditer(tour):
        marked.setdefault(marker["file"], []).append(marker["name"])
    return {
        (file, name): f"`model/{file}`, {lines(first, code)}\n\n```python\n{code.rstrip()}\n```"
        for file, names in marked.items()
        for name, first, code in pieces(file, names)
    }


def lines(first: int, code: str) -> str:
    last = first + code.rstrip().count("\n")
    return f"line {first}" if first == last else f"lines {first} to {last}"


def pieces(file: str, names: list[str]) -> Iterator[tuple[str, int, str]]:
    """The file cut at these names: name, number of the first line, text. Together they are the whole file."""
    text = (MODEL / file).read_text(encoding="utf-8")
    starts = {"top": 1} | dict(definitions(ast.parse(text)))
    if unknown := sorted(set(names) - set(starts)):
        raise ValueError(f"tour.py marks {', '.join(unknown)}, which {file} does not define.")
    if len(set(names)) < len(names) or "top" not in names:
        raise ValueError(f"tour.py must mark each piece of {file} once, and its top: it marks {', '.join(names)}.")
    cuts = sorted((starts[name], name) for name in names)
    ends = [start for start, _ in cuts[1:]] + [None]
    rows = text.splitlines(keepends=True)
    for (start, name), end in zip(cuts, ends, strict=True):
        yield name, start, "".join(rows[start - 1 : None if end is None else end - 1])


def definitions(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Each name that a module and its classes define, and the line where that begins, decorators included."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield prefix + node.name, min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        if isinstance(node, ast.ClassDef):
            yield from definitions(node, f"{node.name}.")
        for target in [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", []):
            if isinstance(target, ast.Name):
                yield prefix + target.id, node.lineno


def markdown(ran: NotebookNode) -> str:
    """The page: words, source, code and what it printed."""
    parts = [MADE]
    for cell in ran.cells:
        parts.append(cell.source if cell.cell_type == "markdown" else f"```python\n{cell.source}\n```")
        printed = "".join(output.text for output in cell.get("outputs", ()) if output.output_type == "stream")
        if printed:
            rows = [row.rstrip() for row in printed.rstrip().splitlines()]
            parts.append("\n".join(["```text", *rows, "```"]))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    ran = run(notebook())
    for cell in ran.cells:
        cell.metadata = {}  # when it ran is nobody's business
    (DOCS / "tour.md").write_text(markdown(ran), encoding="utf-8", newline="\n")
    nbformat.write(ran, DOCS / "tour.ipynb")


if __name__ == "__main__":
    main()
