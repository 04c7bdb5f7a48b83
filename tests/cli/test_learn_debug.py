"""`glassformer learn debug` as people use it."""

import json
import sys
from pathlib import Path

import pytest

from glassformer.learn import progress
from glassformer.learn.debug.cases import CASES, find_case
from glassformer.learn.debug.own_test import solution
from tests.cli.conftest import Cli
from tests.cli.test_learn import terminal

D1 = find_case("D1")


@pytest.fixture
def folder(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "mine"
    cli("learn", "init", str(place))
    monkeypatch.chdir(place)
    return place


def test_the_list_has_every_case(cli: Cli) -> None:
    said = cli("learn", "debug").out
    assert all(case.title in said for case in CASES.values())


def test_a_case_shows_curves_scores_and_names_and_not_the_fault(cli: Cli) -> None:
    said = cli("learn", "debug", "D1").out
    for part in ("loss", "accuracy", "greedy answers right", "model(src, trg)", "--answer"):
        assert part in said
    assert D1.solution is not None
    assert D1.solution.name not in said
    told = json.loads(cli("learn", "debug", "D1", "--json").out)
    assert len(told["curves"]["loss"]) == len(told["curves"]["step"])


def test_an_answer_is_judged_and_a_solved_case_is_noted_and_explained(folder: Path, cli: Cli) -> None:
    assert cli("learn", "debug", "D1", "--explain").code == 2, "it would give the fault away"
    wrong = cli("learn", "debug", "D1", "--answer", "scale-missing", "--probe", "torch.all(")
    assert wrong.code == 1
    assert "is another fault" in wrong.out
    assert "is not one expression" in wrong.out
    assert D1.solution is not None
    right = cli("learn", "debug", "D1", "--answer", D1.solution.name, "--probe", D1.solution.probe)
    assert right.code == 0
    assert "D1" in progress.read(folder)[0].solved
    assert "look-ahead" in cli("learn", "debug", "D1", "--explain").out


def test_a_probe_that_does_not_end_is_stopped(folder: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from glassformer.cli.learn import debug

    monkeypatch.setattr(debug, "SECONDS", 2)
    told = cli("learn", "debug", "D1", "--answer", "x", "--probe", "sum(1 for a in range(10**9) for b in range(10**9))")
    assert told.code == 1
    assert "no answer within 2 seconds" in told.out


def test_d10_lays_out_a_file_and_judges_it(folder: Path, cli: Cli) -> None:
    assert cli("learn", "debug", "D10").code == 2
    file = folder / "d10_test.py"
    assert "def accepts" in file.read_text(encoding="utf-8")
    file.write_text("def accepts(model, cached, src, trg, pad):\n    return True\n", encoding="utf-8")
    everything = cli("learn", "debug", "D10")
    assert everything.code == 1
    assert "Faults caught: 0 of 5" in everything.out
    file.write_text(solution(), encoding="utf-8")
    assert cli("learn", "debug", "D10").code == 0


def test_names_and_hints(cli: Cli) -> None:
    assert "no-look-ahead" in cli("learn", "debug", "--names").out.split()
    assert " ".join(D1.hints[0].split()) in " ".join(cli("learn", "debug", "D1", "--hint", "1").out.split())
    unknown = cli("learn", "debug", "D77")
    assert unknown.code == 2
    assert "there is no case" in unknown.err


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
def test_the_console_takes_probes_and_an_answer(folder: Path) -> None:
    assert D1.solution is not None
    with terminal(folder, "debug", "D1") as (press, until):
        until(r">>> ")
        press("tuple(model(src, trg).shape)\n")
        assert "(8, " in until(r"\(8, .*\n.*>>> ")
        press(f'answer("{D1.solution.name}", "{D1.solution.probe}")\n')
        assert "Probe: right" in until(r"Probe: .*")
        press("exit()\n")
    assert "D1" in progress.read(folder)[0].solved
