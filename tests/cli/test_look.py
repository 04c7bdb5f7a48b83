"""`glassformer look`: the page from the command line."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli


def test_without_a_model_it_shows_the_one_that_ships(cli: Cli, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    answer = cli("look", "--out", str(page))
    assert answer.code == 0
    assert f"{page}  " in answer.out
    assert "computes live" in answer.out
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_run_is_shown_with_its_sentence_and_told_as_json(cli: Cli, tmp_path: Path, trained: Path) -> None:
    page = tmp_path / "page.html"
    answer = cli("look", str(trained), "c a b", "--out", str(page), "--json")
    told = json.loads(answer.out)
    assert told == {"page": str(page), "bytes": page.stat().st_size, "live": True, "sentence": "c a b"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "unknown model 'nowhere'"),
        (["{trained}", "a " * 40], "the model reads at most max_length=32"),
        (["{trained}", " "], "has no word to look at"),
        (["{trained}", "a", "--out", "{folder}/none/page.html"], "cannot be written"),
    ],
)
def test_what_cannot_be_shown_is_said_and_the_page_that_was_there_stays(
    cli: Cli, tmp_path: Path, trained: Path, words: list[str], message: str
) -> None:
    page = tmp_path / "page.html"
    page.write_text("the page before", encoding="utf-8")
    filled = [word.format(trained=trained, folder=tmp_path) for word in words]
    answer = cli("look", *filled, *([] if "--out" in filled else ["--out", str(page)]))
    assert answer.code == 2
    assert message in answer.err
    assert "Traceback" not in answer.err
    assert page.read_text(encoding="utf-8") == "the page before"
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]
