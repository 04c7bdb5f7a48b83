"""The course's folder and its state: nothing that a learner wrote is ever lost."""

import json
from pathlib import Path

import pytest

from glassformer.errors import UserError
from glassformer.learn import progress
from glassformer.learn.course import course, find
from tests.learn.course_folder import answer, begun


def test_a_course_has_a_file_for_each_exercise_and_a_state(tmp_path: Path) -> None:
    folder = begun(tmp_path / "mine")
    assert {file.name for file in folder.iterdir()} == {"progress.json", *(texts.file for texts in course())}


def test_a_course_is_not_begun_over_another(tmp_path: Path) -> None:
    folder = begun(tmp_path / "mine")
    before = answer(folder, "02", "return queries").read_text(encoding="utf-8")
    with pytest.raises(UserError, match=r"holds progress\.json already"):
        progress.begin(folder)
    assert (folder / find("02").file).read_text(encoding="utf-8") == before


def test_a_course_is_found_from_inside(tmp_path: Path) -> None:
    folder = begun(tmp_path / "mine")
    (folder / "notes").mkdir()
    assert progress.find_course(folder / "notes") == folder
    with pytest.raises(UserError, match="glassformer learn init"):
        progress.find_course(tmp_path)


def test_the_state_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = begun(tmp_path / "mine")
    state, _ = progress.read(folder)
    state.note(find("02"), "passed")
    progress.write(folder, state)
    again, word = progress.read(folder)
    assert (again, word) == (state, "")

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(progress.os, "fsync", killed)
    state.note(find("02"), "wrong")
    with pytest.raises(KeyboardInterrupt):
        progress.write(folder, state)
    assert "02" in progress.read(folder)[0].passed, "the old state is still whole"


@pytest.mark.parametrize("text", ["", "{", '{"passed": 3}', "[]", "\ufffe"])
def test_a_state_that_cannot_be_read_is_kept_aside(tmp_path: Path, text: str) -> None:
    folder = begun(tmp_path / "mine")
    (folder / "progress.json").write_text(text, encoding="utf-8")
    state, word = progress.read(folder)
    assert state == progress.Progress()
    assert "kept as progress.json.unreadable-1" in word
    assert (folder / "progress.json.unreadable-1").read_text(encoding="utf-8") == text


def test_an_exercise_that_fails_again_is_open_again(tmp_path: Path) -> None:
    state = progress.Progress()
    state.note(find("02"), "passed")
    assert state.next_open() != find("02")
    state.note(find("02"), "wrong")
    assert "02" not in state.passed
    assert state.attempts["02"] == 2


def test_after_the_last_open_exercise_comes_the_first_open_one() -> None:
    state = progress.Progress()
    first, last = course()[0], course()[-1]
    assert state.next_open(after=last.number) == first
    for texts in course():
        state.note(texts, "passed")
    assert state.next_open() is None


def test_reset_keeps_what_was_there(tmp_path: Path) -> None:
    folder = begun(tmp_path / "mine")
    mine = answer(folder, "02", "return queries").read_text(encoding="utf-8")
    kept = progress.reset(folder, find("02"))
    assert kept is not None
    assert kept.read_text(encoding="utf-8") == mine
    assert progress.reset(folder, find("02")) is None, "nothing to keep the second time"


def test_the_state_is_plain_json(tmp_path: Path) -> None:
    folder = begun(tmp_path / "mine")
    assert json.loads((folder / "progress.json").read_text(encoding="utf-8"))["current"] == "01"


@pytest.mark.parametrize("word", ["2", "02", "attention", "e02_attention", "e02_attention.py", "./e02_attention.py"])
def test_an_exercise_is_found_by_number_name_or_file(word: str) -> None:
    assert find(word).number == "02"


def test_an_unknown_exercise_is_answered_with_near_names() -> None:
    with pytest.raises(UserError, match="Did you mean multi_head"):
        find("multi_hed")
    with pytest.raises(UserError, match="there is no exercise 99"):
        find("99")


def test_an_answer_in_another_encoding_is_kept_by_a_reset(tmp_path: Path) -> None:
    progress.begin(tmp_path)
    file = tmp_path / "e01_softmax.py"
    file.write_bytes(b"# \xe9t\xe9\n")
    kept = progress.reset(tmp_path, course()[0])
    assert kept is not None
    assert kept.read_bytes() == b"# \xe9t\xe9\n"
