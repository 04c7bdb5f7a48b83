"""`glassformer learn` as people use it."""

import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from glassformer.cli.learn.watch import Saved
from glassformer.learn import progress
from glassformer.learn.course import course, find
from tests.cli.conftest import Cli
from tests.learn.course_folder import answer, behave_like

WRONG = (
    "from torch import einsum\n"
    "energy = einsum('nqhd,nkhd->nhqk', queries, keys)\n"
    "return einsum('nhqk,nkhm->nqhm', energy.softmax(-1), values)"
)


@pytest.fixture
def folder(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new course; the tests work inside it."""
    place = tmp_path / "mine"
    assert cli("learn", "init", str(place)).code == 0
    monkeypatch.chdir(place)
    return place


def test_init_says_what_to_do_next(tmp_path: Path, cli: Cli) -> None:
    said = cli("learn", "init", str(tmp_path / "mine")).out
    assert f"{len(course())} exercises" in said
    assert "glassformer learn\n" in said
    assert course()[0].file in said


def test_init_does_not_overwrite(folder: Path, cli: Cli) -> None:
    again = cli("learn", "init", str(folder))
    assert again.code == 2
    assert "holds progress.json already" in again.err


def test_outside_a_course_the_way_in_is_named(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (["learn"], ["learn", "run"], ["learn", "list"], ["learn", "hint"], ["learn", "exam"]):
        told = cli(*words)
        assert told.code == 2
        assert "glassformer learn init" in " ".join(told.err.split())


def test_each_outcome_has_its_exit_code(folder: Path, cli: Cli) -> None:
    untouched = cli("learn", "run", "2")
    assert untouched.code == 2
    assert "not started" in untouched.out
    answer(folder, "02", WRONG)
    wrong = cli("learn", "run", "2")
    assert wrong.code == 1
    assert "behaves like scale-missing" in wrong.out
    assert "How large does a dot product" in wrong.out, "a question"
    assert "d = 256" not in wrong.out, "the rest is for explain"
    answer(folder, "02", "import os\nos._exit(9)")
    assert cli("learn", "run", "2").code == 3
    behave_like(folder, "02")
    assert cli("learn", "run", "2").code == 0


def test_without_a_terminal_learn_checks_what_is_at_hand_once(folder: Path, cli: Cli) -> None:
    state, _ = progress.read(folder)
    state.current = "02"
    progress.write(folder, state)
    answer(folder, "02", WRONG)
    told = cli("learn")
    assert told.code == 1
    assert "scale-missing" in told.out


def test_explain_tells_everything(folder: Path, cli: Cli) -> None:
    answer(folder, "02", WRONG)
    said = cli("learn", "explain", "2").out
    for part in ("example", "yours:", "expected:", "measured", "in training", "look at", "others too", "line 27"):
        assert part in said
    assert "variance" in said, "why it is so"


def test_json_holds_the_same(folder: Path, cli: Cli) -> None:
    answer(folder, "02", WRONG)
    told = json.loads(cli("learn", "run", "2", "--json").out)
    assert told["number"] == "02"
    assert told["outcome"] == "wrong"
    assert told["mistakes"] == ["scale-missing"]
    listed = json.loads(cli("learn", "list", "--json").out)
    assert [each["number"] for each in listed["exercises"]] == [texts.number for texts in course()]


def test_hints_come_one_by_one_and_the_last_one_says_so(folder: Path, cli: Cli) -> None:
    texts = find("02")
    said = [cli("learn", "hint", "2").out for _ in range(len(texts.hints) + 1)]
    for number, hint in enumerate(texts.hints):
        assert " ".join(hint.split()) in " ".join(said[number].split())
    assert "That was the last one" in said[-1]
    assert cli("learn", "hint", "2", "--number", "9").code == 2


def test_the_solution_is_shown_after_passing_or_after_giving_up(folder: Path, cli: Cli) -> None:
    early = cli("learn", "solution", "2")
    assert early.code == 2
    assert "--give-up" in early.err
    assert progress.read(folder)[0].gave_up == []
    given_up = cli("learn", "solution", "2", "--give-up")
    assert given_up.code == 0
    assert "einsum(" in given_up.out
    assert progress.read(folder)[0].gave_up == ["02"]
    assert "(solution" in cli("learn", "list").out
    behave_like(folder, "02")
    cli("learn", "run", "2")
    assert cli("learn", "solution", "2").code == 0


def test_reset_brings_the_task_back_and_keeps_the_answer(folder: Path, cli: Cli) -> None:
    mine = answer(folder, "02", WRONG).read_text(encoding="utf-8")
    said = cli("learn", "reset", "2")
    assert "Yours is in e02_attention.before-1.txt" in said.out
    assert (folder / "e02_attention.before-1.txt").read_text(encoding="utf-8") == mine
    assert cli("learn", "run", "2").code == 2


def test_check_all_goes_through_everything_and_survives_a_crash(folder: Path, cli: Cli) -> None:
    answer(folder, "02", "import os\nos._exit(9)")
    told = cli("learn", "check-all")
    assert told.code == 3
    for texts in course():
        assert f"{texts.number} {texts.name}" in told.out
    assert told.out.count("not started") == len(course()) - 1
    state, _ = progress.read(folder)
    assert state.current == "01", "the exercise at hand stays the one at hand"
    assert state.attempts == {"02": 1}, "what is not started is no attempt"


def test_an_unreadable_state_is_kept_and_said(folder: Path, cli: Cli) -> None:
    (folder / "progress.json").write_text("{", encoding="utf-8")
    told = cli("learn", "list")
    assert told.code == 0
    assert "kept as progress.json.unreadable-1" in told.err


def test_an_exam_shows_mistakes_without_their_names_and_asks_on(folder: Path, cli: Cli) -> None:
    begun = cli("learn", "exam", "2", "--minutes", "5")
    assert begun.code == 0
    assert "5 minutes" in begun.out
    exam_file = folder / "exam"
    assert cli("learn", "exam").code == 2, "not started"
    answer(exam_file, "02", WRONG)
    wrong = cli("learn", "exam")
    assert wrong.code == 1
    assert "scale" not in wrong.out
    assert "expected:" in wrong.out
    behave_like(exam_file, "02")
    right = cli("learn", "exam")
    assert right.code == 0
    assert "next question" in right.out
    assert find("02").follow_ups[0].rubric[0] in " ".join(right.out.split())
    assert "1 of 1 in time" in right.out
    assert progress.read(folder)[0].exam is None, "over when all is done"
    assert not progress.read(folder)[0].passed, "an exam is not the course"


def test_an_answer_after_the_time_does_not_count(folder: Path, cli: Cli) -> None:
    cli("learn", "exam", "2", "--minutes", "5")
    state, _ = progress.read(folder)
    assert state.exam is not None
    state.exam.started = (datetime.now().astimezone() - timedelta(minutes=6)).isoformat()
    progress.write(folder, state)
    behave_like(folder / "exam", "02")
    said = cli("learn", "exam").out
    assert "after the time was up" in said
    assert "0 of 1 in time" in said


def test_an_exam_can_be_stopped_and_another_keeps_its_files(folder: Path, cli: Cli) -> None:
    assert cli("learn", "exam", "--stop").code == 2
    cli("learn", "exam", "2")
    mine = answer(folder / "exam", "02", WRONG).read_text(encoding="utf-8")
    assert cli("learn", "exam", "2").code == 2, "one at a time"
    cli("learn", "exam", "--stop")
    cli("learn", "exam", "2")
    assert (folder / "exam-1" / "e02_attention.py").read_text(encoding="utf-8") == mine


def test_the_same_seed_draws_the_same_exam(folder: Path, cli: Cli) -> None:
    drawn = []
    for _ in range(2):
        cli("learn", "exam", "--seed", "7")
        state, _ = progress.read(folder)
        assert state.exam is not None
        drawn.append(state.exam.exercises)
        cli("learn", "exam", "--stop")
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 3


Screen = Callable[[str], str]


@contextmanager
def terminal(folder: Path, *words: str) -> Iterator[tuple[Callable[[str], None], Screen]]:
    """`glassformer learn WORDS` in a terminal: press keys, and wait until the screen shows something."""
    pty = pytest.importorskip("pty")
    master, terminal_side = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-m", "glassformer", "learn", *words],
        stdin=terminal_side,
        stdout=terminal_side,
        stderr=terminal_side,
        cwd=folder,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
        start_new_session=True,
    )
    os.close(terminal_side)
    seen = ""

    def until(pattern: str) -> str:
        """What came on the screen since the last call, up to the pattern and a little more."""
        nonlocal seen
        deadline = time.monotonic() + 120
        while not re.search(pattern, seen):
            ready, _, _ = select.select([master], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"no {pattern!r} in {seen!r}"
            try:
                seen += os.read(master, 65536).decode(errors="replace")
            except OSError:  # the program has ended
                break
        shown, seen = seen, ""
        return shown

    try:
        yield lambda key: os.write(master, key.encode()) and None, until
        assert program.wait(timeout=60) == 0
    finally:
        program.kill()
        program.wait()
        os.close(master)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
def test_the_watch_checks_what_is_saved_and_answers_keys(folder: Path) -> None:
    with terminal(folder) as (press, until):
        until("q quit")
        answer(folder, "02", WRONG)
        assert "scale-missing" in until("q quit")
        press("h")
        assert "hint 1" in until("hint 1.*")
        press("e")
        assert "in training" in until("q quit")
        press("l")
        assert "difficulty" in until("q quit")
        behave_like(folder, "02")
        assert "press n for the next exercise" in until("q quit")
        press("n")
        until(r"(?s)03 masks.*q quit")  # both may arrive at once
        press("q")
    assert "02" in progress.read(folder)[0].passed


def test_a_file_that_is_still_being_written_is_not_checked_yet(folder: Path) -> None:
    saved = Saved(folder)
    file = folder / "e02_attention.py"
    file.write_text("", encoding="utf-8")
    assert saved.files() == set(), "it may go on"
    file.write_text("def attention(", encoding="utf-8")
    assert saved.files() == set(), "it went on"
    assert saved.files() == {"e02_attention.py"}
    assert saved.files() == set(), "told once"
    (folder / "notes.py").write_text("", encoding="utf-8")
    assert [saved.files(), saved.files()] == [set(), set()], "no exercise"
