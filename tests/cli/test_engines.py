"""`glassformer translate` with another engine, rounded weights and several processes: the same answers."""

from pathlib import Path

import pytest

from glassformer.cli import engines
from glassformer.decode import Setting
from tests.cli.conftest import Cli

TEXTS = ["a b c d", "", "e f g", "h a g e"] * 3


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text"
    path.write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("beam", ["1", "4"])
def test_ctranslate2_gives_the_answers_of_the_built_in_engine(cli: Cli, trained: Path, text: Path, beam: str) -> None:
    pytest.importorskip("ctranslate2")
    own = cli("translate", str(trained), "-i", str(text), "--beam", beam)
    theirs = cli("translate", str(trained), "-i", str(text), "--beam", beam, "--engine", "ctranslate2")
    assert theirs.code == 0, theirs.err
    assert theirs.out == own.out
    assert theirs.out.split("\n")[1] == ""


@pytest.mark.slow
def test_two_processes_give_the_answers_of_one_in_the_same_order(
    cli: Cli, trained: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glassformer.cli.translate.BLOCK", 3)
    own = cli("translate", str(trained), "-i", str(text))
    shared = cli("translate", str(trained), "-i", str(text), "--workers", "2")
    assert shared.code == 0, shared.err
    assert shared.out == own.out


def test_rounded_weights_answer_line_for_line(cli: Cli, trained: Path, text: Path) -> None:
    answer = cli("translate", str(trained), "-i", str(text), "--quantize", "int8")
    assert answer.code == 0, answer.err
    assert len(answer.out.splitlines()) == len(TEXTS)


def test_evaluate_takes_rounded_weights(cli: Cli, trained: Path) -> None:
    answer = cli("evaluate", str(trained), "--limit", "20", "--quantize", "int8")
    assert answer.code == 0, answer.err
    assert "exact" in answer.out


def test_the_dry_run_names_the_fastest_way_and_translates_nothing(
    cli: Cli, trained: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = {Setting(2, 1): 30.0, Setting(1, 2): 20.0}
    monkeypatch.setattr("glassformer.decode.workers.fastest", lambda make, texts, cores: measured)
    answer = cli("translate", str(trained), "-i", str(text), "--dry-run")
    assert answer.code == 0, answer.err
    assert answer.out.rstrip().endswith("--workers 2 --threads 1")
    assert engines.cores() >= 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--engine", "ctranslate2", "--sample"], "sample"),
        (["--engine", "ctranslate2", "--stream"], "--stream"),
        (["--engine", "ctranslate2", "--quantize", "bfloat16"], "bfloat16"),
        (["--stream", "--workers", "2"], "--workers"),
    ],
)
def test_what_does_not_go_together_is_named(
    cli: Cli, trained: Path, text: Path, options: list[str], named: str
) -> None:
    pytest.importorskip("ctranslate2")
    answer = cli("translate", str(trained), "-i", str(text), *options)
    assert answer.code == 2
    assert named in answer.err
    assert "Traceback" not in answer.err
