"""A screen each: limits on code lines. Signatures, docstrings, comments and blank lines are free."""

import ast
import io
import tokenize
from pathlib import Path

import pytest

import glassformer

ROOT = Path(glassformer.__file__).parent
MODEL = ROOT / "model"
FREE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}

LONGER_FILES: dict[str, tuple[int, str]] = {}  # file from src/glassformer: (its own limit, why it may be longer)
SCREENS = {
    ("attention.py", "attention"): 20,
    ("attention.py", "MultiHeadAttention"): 40,
    ("blocks.py", "EncoderBlock"): 30,
    ("blocks.py", "DecoderBlock"): 30,
    ("transformer.py", "Transformer"): 60,
}


def code_lines(text: str) -> set[int]:
    """The numbers of the lines that hold code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in FREE and token.string:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            lines -= set(range(first, node.body[0].lineno if node.body[0].lineno > node.lineno else node.lineno + 1))
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and ast.get_docstring(node) is not None:
            lines -= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return lines


def size_of(file: Path, name: str) -> int:
    text = file.read_text(encoding="utf-8")
    (node,) = [n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == name]
    return len({line for line in code_lines(text) if node.lineno <= line <= (node.end_lineno or 0)})


def test_only_code_counts() -> None:
    head = '"""Doc."""\nimport a  # why\n\n# comment\n@b\n'
    text = head + 'def f(\n    c: int,\n) -> None:\n    """Doc\n    on."""\n    x = (\n        1\n    )\n'
    assert code_lines(text) == {2, 11, 12, 13}


@pytest.mark.parametrize(("place", "limit"), SCREENS.items(), ids=lambda value: str(value))
def test_each_part_fits_its_screen(place: tuple[str, str], limit: int) -> None:
    file, name = place
    assert size_of(MODEL / file, name) < limit


def core_lines() -> dict[str, int]:
    """Code lines of each file of ring 0."""
    return {file.name: len(code_lines(file.read_text(encoding="utf-8"))) for file in MODEL.glob("*.py")}


def test_the_core_is_about_450_lines() -> None:
    sizes = core_lines()
    assert sum(sizes.values()) <= 450, sizes


@pytest.mark.parametrize("file", [pytest.param(file, id=str(file.relative_to(ROOT))) for file in ROOT.rglob("*.py")])
def test_a_file_is_no_longer_than_its_limit(file: Path) -> None:
    name = str(file.relative_to(ROOT))
    limit, _ = LONGER_FILES.get(name, (250 if file.parent == MODEL else 400, ""))
    assert len(file.read_text(encoding="utf-8").splitlines()) <= limit, f"{name}: split it, or state why it is longer"


def test_the_exceptions_are_needed_and_explained() -> None:
    for name, (limit, reason) in LONGER_FILES.items():
        assert 400 < len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= limit
        assert len(reason.split()) > 3
