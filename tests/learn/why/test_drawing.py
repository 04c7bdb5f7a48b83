"""How confusions look: in the terminal, on the page of the docs, and as values."""

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console, RenderableType
from typer import Typer
from typer.testing import CliRunner, Result

from glassformer.cli.common import out
from glassformer.cli.why import why
from glassformer.errors import UserError
from glassformer.learn.why import page
from glassformer.learn.why.catalogue import CONFUSIONS, find
from glassformer.learn.why.confusion import Confusion
from glassformer.learn.why.terminal import drawing, listing
from glassformer.learn.why.values import WIDTH, lines, plain
from tests.learn.why.conftest import EACH, demonstration

DOCS = Path(__file__).parents[3] / "docs"


def rendered(drawn: RenderableType, width: int) -> list[str]:
    console = Console(file=StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(drawn)
    return [line.rstrip() for line in captured.get().splitlines()]


@EACH
def test_a_confusion_fits_one_screen_and_no_line_of_code_is_broken(confusion: Confusion) -> None:
    screen = rendered(drawing(demonstration(confusion)), 100)
    assert len(screen) <= 48
    assert all(len(line) <= 100 for line in screen)
    code = [line[10:] for line in screen]
    for part in (confusion.given, confusion.wrong, confusion.right, confusion.then):
        assert set(part.splitlines()) <= {*code, ""}


@EACH
def test_both_sides_stand_beside_each_other_and_no_value_is_cut(confusion: Confusion) -> None:
    shown = demonstration(confusion).shown
    assert all(len(line) <= WIDTH for each in shown for line in (*each.wrong.lines, *each.right.lines))
    screen = rendered(drawing(demonstration(confusion)), 100)
    assert any("✗ wrong" in line and "✓ right" in line for line in screen)
    for each in shown:
        for left, right in zip(each.wrong.lines, each.right.lines, strict=False):
            assert any(left in line and right in line for line in screen), each.label


@EACH
def test_in_a_narrow_terminal_nothing_is_cut(confusion: Confusion) -> None:
    screen = rendered(drawing(demonstration(confusion)), 60)
    assert all(len(line) <= 60 and "…" not in line for line in screen)
    for each in demonstration(confusion).shown:
        assert all(any(line in row for row in screen) for line in each.right.lines), each.label


def test_the_list_has_one_line_each() -> None:
    screen = rendered(listing(CONFUSIONS), 100)
    for confusion in CONFUSIONS:
        (line,) = [line for line in screen if line.split()[:2] == [str(confusion.number), confusion.slug]]
        assert confusion.question in line
        assert line.endswith(confusion.exercise)


def test_the_list_needs_no_torch() -> None:
    code = (
        "import sys\nfrom glassformer.learn.why.catalogue import CONFUSIONS\n"
        "from glassformer.learn.why.terminal import listing\nlisting(CONFUSIONS)\nprint('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_the_page_of_the_docs_is_what_the_source_gives() -> None:
    written = (DOCS / "confusions.md").read_text(encoding="utf-8")
    assert written == page.page(map(demonstration, CONFUSIONS)), "run python docs/make_confusions.py"


@pytest.mark.parametrize(("word", "slugs"), [("6", ["heads"]), ("nan", ["nan"]), (" Beam ", ["beam"])])
def test_a_confusion_is_found_by_number_and_name(word: str, slugs: list[str]) -> None:
    assert [confusion.slug for confusion in find(word)] == slugs


def test_a_theme_or_a_word_finds_all_that_have_it() -> None:
    assert {confusion.theme for confusion in find("masks")} == {"masks"}
    assert {confusion.slug for confusion in find("embed")} == {"tied-embeddings"}
    assert {confusion.slug for confusion in find("cross-attention")} == {"cross-mask"}


@pytest.mark.parametrize(("word", "says"), [("hedas", "Did you mean heads"), ("0", "from 1 to 34"), ("", "unknown")])
def test_an_unknown_one_is_an_error_that_helps(word: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        find(word)


def test_values_are_short_and_the_same_everywhere() -> None:
    assert lines(torch.tensor(3e-8)) == lines(0.0) == lines(0) == ("0",)
    assert lines(1234567.0) == ("1,234,567",)
    assert lines(float("nan")) == ("nan",)
    assert lines(None) == ("none",)
    assert lines((2, 7, 10)) == ("(2, 7, 10)",)
    assert lines({"a": 0.12345, "long": 2}) == ("a     0.123", "long  2")
    assert lines(torch.tensor([[-0.001, 2.0]])) == ("0.00 2.00",)
    assert lines(torch.tensor([1, 2]), rows=["x", "yy"]) == ("x   1", "yy  2")


def test_a_mask_is_drawn_with_its_words() -> None:
    mask = torch.tensor([[True, False], [True, True]])
    assert lines(mask, rows=["<s>", "I"], columns=["<s>", "I"]) == ("     <s> I", "<s>   ■  ·", "I     ■  ■")


def test_plain_values_are_json() -> None:
    value = {"a": torch.tensor([1.0, float("nan")]), "b": (1, None)}
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == {"a": [1.0, "nan"], "b": [1, None]}


def run(*words: str) -> Result:
    app = Typer()
    app.command()(why)
    return CliRunner().invoke(app, words, env={"COLUMNS": "100"})


def test_the_command_shows_one() -> None:
    answer = run("heads")
    assert answer.exit_code == 0
    assert answer.output.splitlines()[0].startswith("6  heads")
    assert "jsbaan/transformer-from-scratch#6" in answer.output


def test_the_command_lists_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(out, "width", 120)  # rich reads COLUMNS once, when the console is made
    everything, masks = run().output, run("masks").output
    assert all(confusion.question in everything for confusion in CONFUSIONS)
    assert "cross-mask" in masks
    assert "einsum" not in masks


def test_the_command_answers_programs() -> None:
    one = json.loads(run("3", "--json").output)
    assert one["slug"] == "nan"
    assert one["compare"][-1]["wrong"] == [["nan", "nan"], ["nan", "nan"]]
    assert [each["number"] for each in json.loads(run("--json").output)] == [each.number for each in CONFUSIONS]


def test_the_command_says_what_it_does_not_know() -> None:
    assert isinstance(run("hedas").exception, UserError)
