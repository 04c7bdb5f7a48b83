"""The tour quotes the whole core, once, and shows what its cells print now."""

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.docs.makers import maker
from tests.docs.pages import DOCS, ROOT, blocks, read

pytest.importorskip("jupytext", reason="the tour is made with the extra docs")
pytest.importorskip("nbclient", reason="the tour is made with the extra docs")

CORE = sorted((ROOT / "src/glassformer/model").glob("*.py"))
CAPTION = re.compile(
    r"^`model/(\w+\.py)`, lines? (\d+)(?: to (\d+))?\n\n```python\n(.*?)\n```$", re.DOTALL | re.MULTILINE
)


@pytest.fixture
def tour(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return maker("make_tour", monkeypatch)


@pytest.mark.parametrize("file", CORE, ids=lambda file: file.name)
def test_every_line_of_the_core_stands_in_the_tour_once_under_its_number(file: Path) -> None:
    shown: dict[int, str] = {}
    for name, first, _, code in CAPTION.findall(read("tour.md")):
        if name == file.name:
            for number, line in enumerate(code.splitlines(), start=int(first)):
                assert number not in shown, f"line {number} stands there twice"
                shown[number] = line
    lines = enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
    assert {number: line for number, line in shown.items() if line} == {number: line for number, line in lines if line}


def test_the_lines_in_a_caption_are_those_below_it() -> None:
    captions = CAPTION.findall(read("tour.md"))
    assert len(captions) > 30
    for name, first, last, code in captions:
        assert int(last or first) - int(first) == code.count("\n"), f"{name} {first}"


@pytest.mark.timeout(120)
def test_the_notebook_runs_and_the_page_is_what_it_prints(tour: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    ran: Any = tour.run(tour.notebook())  # the kernel says on stderr how it talks to us
    assert tour.markdown(ran) == read("tour.md"), "docs/tour.md is stale: run python docs/make_tour.py"
    assert sum(bool(cell.get("outputs")) for cell in ran.cells) >= 12


def test_each_cell_of_code_prints_something() -> None:
    """Cells that show nothing have no place in a tour."""
    after_code = re.findall(
        r"```python\n(?:(?!```).)*\bprint\((?:(?!```).)*```\n\n(```text)?", read("tour.md"), re.DOTALL
    )
    assert after_code
    assert all(after_code)


def test_the_rows_say_what_they_see_and_are_asked_for() -> None:
    printed = "\n".join(blocks(read("tour.md"), "text"))
    assert "row <s>: sees <s>, asked for I\n" in printed
    assert "row learning: sees <s> I love deep learning, asked for </s>" in printed
    assert "Step 0" not in read("tour.md")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["top", "no_such_name"], "masks.py does not define"),
        (["padding_mask"], "must mark each piece of masks.py once, and its top"),
        (["top", "padding_mask", "padding_mask"], "must mark each piece of masks.py once, and its top"),
    ],
)
def test_a_marker_that_fits_no_source_is_an_error(tour: ModuleType, names: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(tour.pieces("masks.py", names))


def test_decorators_go_with_what_they_decorate(tour: ModuleType) -> None:
    for _, first, code in tour.pieces("transformer.py", ["top", "Transformer.device", "initialise"]):
        assert first == 1 or code.lstrip().startswith("@")


def test_the_script_is_a_notebook_of_words_and_code() -> None:
    script = (DOCS / "tour.py").read_text(encoding="utf-8")
    assert script.count("# %% [markdown]") >= 9
    assert len(re.findall(r"^# %%$", script, flags=re.MULTILINE)) >= 12
