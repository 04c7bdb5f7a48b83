"""The models that ship are listed, told of, and taken by their names."""

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from glassformer.checkpoint import load, save
from glassformer.data import DataSet
from glassformer.look.sisters import HOME
from glassformer.runs.card import About, read_card
from glassformer.runs.shelf import folder_bytes, ship
from tests.cli.conftest import Cli

SPELL = About(name="spell", does="Letters in reverse", licence="MIT", cannot=("It knows ten letters.",), largest=10**7)


@pytest.fixture(scope="module", autouse=True)
def few_sentences() -> Iterator[None]:
    whole = DataSet.test_references
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DataSet, "test_references", lambda self: whole(self)[:20])
        yield


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shelf with one model: the honest sister, which learned to reverse letters."""
    home = tmp_path_factory.mktemp("shelf")
    shutil.copytree(HOME / "honest", home / "run" / "model")
    (home / "run" / "metrics.jsonl").write_text('{"step": 1000, "seconds": 62.0}')
    ship(home / "run", SPELL, machine="a machine", half=True, shelf=home / "models")
    return home / "models"


@pytest.fixture
def with_shelf(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shelf in use, and another folder to work in."""
    monkeypatch.setattr("glassformer.checkpoint.named.SHELF", shelf)
    monkeypatch.chdir(tmp_path)
    return shelf


def test_an_empty_shelf_says_how_to_train(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassformer.checkpoint.named.SHELF", tmp_path)
    answer = cli("models")
    assert answer.code == 0
    assert "glassformer train pronounce" in answer.out
    assert json.loads(cli("models", "--json").out) == []
    refused = cli("models", "pronounce")
    assert (refused.code, "no model ships" in refused.err) == (2, True)


def test_each_model_has_a_line(cli: Cli, with_shelf: Path) -> None:
    head, line = cli("models").out.strip().split("\n")
    assert head.split() == ["name", "what", "it", "does", "parameters", "size", "score", "licence"]
    card = read_card(with_shelf / "spell")
    for part in ("spell", SPELL.does, f"{card.parameters:,}", " MB", f"exact {card.scores[0].value:.2f}", "MIT"):
        assert part in line


def test_the_list_as_json_has_the_signatures(cli: Cli, with_shelf: Path) -> None:
    (row,) = json.loads(cli("models", "--json").out)
    assert row == json.loads(cli("models", "spell", "--json").out)
    assert row["bytes"] == folder_bytes(with_shelf / "spell")
    assert row["folder"] == str(with_shelf / "spell")
    assert row["scores"][0]["signature"] == read_card(with_shelf / "spell").scores[0].signature


def test_a_name_prints_its_card(cli: Cli, with_shelf: Path) -> None:
    assert cli("models", "spell").out == read_card(with_shelf / "spell").text


def test_an_unknown_name_is_answered_with_near_ones(cli: Cli, with_shelf: Path) -> None:
    for words in (["models", "spel"], ["translate", "spel"], ["look", "spel"]):
        answer = cli(*words)
        assert answer.code == 2
        assert "Did you mean spell?" in answer.err


def test_every_command_that_takes_a_model_takes_the_name(
    cli: Cli, with_shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in (
        ["translate", "spell", "--threads", "1"],
        ["evaluate", "spell", "--limit", "3", "--threads", "1"],
        ["shapes", "spell", "a b", "--threads", "1"],
        ["attention", "spell", "a b", "--threads", "1"],
        ["look", "spell", "--threads", "1"],
        ["compare", "spell", "base"],
        ["convert", "spell", str(tmp_path / "as-torch"), "--to", "torch"],
    ):
        monkeypatch.setattr("sys.stdin", io.StringIO("a b\n"))
        answer = cli(*words)
        assert answer.code == 0, answer.err
    page = Path("page.html").read_text(encoding="utf-8")
    assert str(with_shelf) not in page, "a page tells nobody where the package lies"


def test_evaluate_gives_the_score_of_the_card(cli: Cli, with_shelf: Path) -> None:
    found = json.loads(cli("evaluate", "spell", "--json", "--threads", "1").out)
    (score,) = read_card(with_shelf / "spell").scores
    assert found["scores"] == [{"name": score.name, "value": score.value, "signature": score.signature}]


def test_evaluate_says_when_the_data_are_another_copy(cli: Cli, tmp_path: Path) -> None:
    loaded = load(HOME / "honest")
    loaded.config.data["sha256"] = "0" * 64
    save(tmp_path / "other", *loaded)
    answer = cli("evaluate", str(tmp_path / "other"), "--limit", "3", "--threads", "1")
    assert answer.code == 0
    assert "another copy" in answer.err
    assert "another copy" not in cli("evaluate", str(HOME / "honest"), "--limit", "3", "--threads", "1").err
