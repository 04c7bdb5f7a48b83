"""Imports go inward only, and the public names are a promise."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import glassformer

ROOT = Path(glassformer.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
INNER = {"model", "data", "checkpoint", "train", "decode", "score", "errors"}
MAY_IMPORT = {
    "model": {"model"},
    "errors": set(),
    "data": {"data", "model", "errors"},
    "checkpoint": {"checkpoint", "data", "model", "errors"},
    "train": {"train", "checkpoint", "data", "model", "errors"},
    "decode": {"decode", "checkpoint", "data", "model", "errors"},
    "score": {"score", "errors"},
    "runs": {"runs", *INNER, "look", "learn"},  # a run's model is looked at (the demo's pictures), or has a fault
    "look": {"look", *INNER},
    "learn": {"learn", *INNER, "look"},  # an exercise or a confusion shows its tensors
    "exchange": {"exchange", *INNER},
}  # cli, __main__ and the package's own list of public names may import all
RING_0_PACKAGES = {"torch", "jaxtyping", "glassformer"}


def imports(file: Path) -> Iterator[str]:
    """The full dotted names that a file imports, inside functions too."""
    package = ["glassformer", *file.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*start, *([node.module] if node.module else [])])
            yield module
            if module == "glassformer":
                yield from (f"glassformer.{alias.name}" for alias in node.names)


def folder(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def test_every_folder_has_its_place() -> None:
    assert {folder(file) for file in FILES} <= {*MAY_IMPORT, "cli", "__init__", "__main__"}


@pytest.mark.parametrize("file", [pytest.param(file, id=str(file.relative_to(ROOT))) for file in FILES])
def test_imports_go_inward_only(file: Path) -> None:
    allowed = MAY_IMPORT.get(folder(file))
    if allowed is not None:
        ours = {name.split(".")[1] for name in imports(file) if name.startswith("glassformer.")} - {"__version__"}
        assert ours <= allowed, f"{folder(file)} may not import {sorted(ours - allowed)}"


def test_ring_0_stands_on_torch_alone() -> None:
    for file in (ROOT / "model").glob("*.py"):
        packages = {name.split(".")[0] for name in imports(file)}
        assert packages <= RING_0_PACKAGES | sys.stdlib_module_names, file.name


def test_the_public_names_are_sorted_and_can_be_imported() -> None:
    assert glassformer.__all__ == sorted(glassformer.__all__)
    assert set(glassformer.__all__) == set(glassformer._HOMES)
    for name in glassformer.__all__:
        assert getattr(glassformer, name) is getattr(import_module(f"glassformer.{glassformer._HOMES[name]}"), name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Transformers'"):
        glassformer.Transformers  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, glassformer; print(*sorted({'torch', 'numpy', 'rich', 'tokenizers'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
