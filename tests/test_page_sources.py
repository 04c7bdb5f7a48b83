"""The page is made from plain ES modules that a person can read, and that cannot be fooled by words."""

import re
from pathlib import Path

import pytest

import glassformer
from glassformer.look.export import page_html

PAGE = Path(glassformer.__file__).parent / "look" / "page"
MODULES = sorted(PAGE.rglob("*.js"))
# What turns text into markup or into code, and what asks the network.
FORBIDDEN = re.compile(
    r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|setAttribute\(\"style\"|srcdoc"
    r"|XMLHttpRequest|WebSocket|EventSource|sendBeacon|localStorage|Math\.random)"
)


@pytest.mark.parametrize("file", [pytest.param(file, id=str(file.relative_to(PAGE))) for file in MODULES])
def test_a_module_is_short_and_treats_words_as_data(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) <= 400, "split it"
    assert max(map(len, lines)) <= 120
    assert FORBIDDEN.search(text) is None, FORBIDDEN.search(text)
    assert "fetch(" not in text or file.name == "server.js"


@pytest.mark.parametrize("file", [pytest.param(file, id=str(file.relative_to(PAGE))) for file in MODULES])
def test_a_module_imports_by_names_that_the_import_map_knows(file: Path) -> None:
    for name in re.findall(r"""(?:from|import)\s*\(?\s*["'`]([^"'`]+)["'`]""", file.read_text(encoding="utf-8")):
        if "${" not in name:
            assert name.startswith("glass/"), name
            assert (PAGE / name.removeprefix("glass/")).is_file(), name


def test_the_page_without_models_is_small() -> None:
    assert len(page_html({"title": "empty"}, {}).encode()) < 200_000
