"""Scoring a model: on the test part of its data, on another data set, on the user's own text."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from glassformer.checkpoint import load, save
from glassformer.data import Tsv, from_sources
from tests.cli.conftest import Cli

TEXT = [("a b c", "c b a"), ("d e", "e d"), ("f", "f")] * 4


def test_evaluate_prints_scores_with_their_signatures(cli: Cli, trained: Path) -> None:
    answer = cli("evaluate", str(trained), "--limit", "20", "--scores", "exact,bleu")
    assert answer.code == 0
    assert "exact" in answer.out
    assert "version:" in answer.out, "sacreBLEU's signature"


def test_evaluate_as_json(cli: Cli, trained: Path) -> None:
    answer = cli("evaluate", str(trained), "--limit", "20", "--json")
    found = json.loads(answer.out)
    assert found["sentences"] == 20
    assert found["scores"][0]["name"] == "exact"


def test_another_split_of_the_same_data_is_refused(cli: Cli, trained: Path, tmp_path: Path) -> None:
    loaded = load(trained)
    loaded.config.data["split"] = "by the moon"
    other = tmp_path / "other"
    save(other, loaded.model, loaded.vocabularies, loaded.config)
    refused = cli("evaluate", str(other), "--limit", "5")
    assert refused.code == 2
    assert "--anyway" in refused.err
    assert cli("evaluate", str(other), "--limit", "5", "--anyway").code == 0


def two_files(folder: Path) -> list[str]:
    """The options that name TEXT as two files."""
    for place, name in enumerate(("text.src", "text.trg")):
        (folder / name).write_text("".join(f"{pair[place]}\n" for pair in TEXT))
    return ["--src", str(folder / "text.src"), "--trg", str(folder / "text.trg")]


def one_file(folder: Path) -> list[str]:
    """The options that name TEXT as a table."""
    (folder / "text.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in TEXT))
    return ["--tsv", str(folder / "text.tsv")]


@pytest.fixture
def of_own_files(trained: Path, tmp_path: Path) -> Path:
    """A model whose checkpoint says that it was trained on the table of `one_file`."""
    _, table = one_file(tmp_path)
    loaded = load(trained)
    config = replace(loaded.config, run=loaded.config.run | {"data": "files"}, data=from_sources(Tsv(table)).identity)
    save(tmp_path / "own", loaded.model, loaded.vocabularies, config)
    return tmp_path / "own"


def test_own_text_is_scored_whole_in_whichever_form_it_comes(cli: Cli, trained: Path, tmp_path: Path) -> None:
    answers = [
        cli("evaluate", str(trained), *files(tmp_path), "--scores", "exact,chrf", "--json")
        for files in (two_files, one_file)
    ]
    first, second = (json.loads(answer.out) for answer in answers)
    assert first == second
    assert first["sentences"] == len(TEXT)
    assert [score["name"] for score in first["scores"]] == ["exact", "chrf"]


def test_a_model_of_own_files_asks_for_text_to_score(cli: Cli, of_own_files: Path, tmp_path: Path) -> None:
    asked = cli("evaluate", str(of_own_files))
    assert asked.code == 2
    assert "--src FILE --trg FILE" in asked.err
    (tmp_path / "new.tsv").write_text("b a\ta b\n")
    assert cli("evaluate", str(of_own_files), "--tsv", str(tmp_path / "new.tsv")).code == 0


def test_the_text_a_model_was_trained_on_is_refused_as_a_test(cli: Cli, of_own_files: Path, tmp_path: Path) -> None:
    for files in (one_file, two_files):
        refused = cli("evaluate", str(of_own_files), *files(tmp_path))
        assert refused.code == 2
        assert "it has seen some of these sentences" in refused.err
    assert cli("evaluate", str(of_own_files), *one_file(tmp_path), "--anyway").code == 0


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--src", "a"], "--src and --trg go together"),
        (["--tsv", "a", "--jsonl", "b"], "give one source of pairs"),
        (["--tsv", "a", "--split", "valid"], "are scored whole"),
        (["--tsv", "nowhere.tsv"], "cannot read nowhere.tsv"),
        (["--scores", "blue"], "Did you mean bleu"),
    ],
)
def test_mistakes_are_named_with_a_way_out(cli: Cli, trained: Path, words: list[str], part: str) -> None:
    answer = cli("evaluate", str(trained), *words)
    assert answer.code == 2
    assert part in answer.err
    assert "Traceback" not in answer.err
