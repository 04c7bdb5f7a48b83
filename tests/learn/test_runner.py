"""A learner's code in a process of its own: whatever it does, there is a verdict, and no traceback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from glassformer.learn.checker.runner import Child, check_with
from glassformer.learn.checker.verdict import Verdict
from glassformer.learn.course import find
from tests.learn.course_folder import answer, begun, behave_like

TEXTS = find("02")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return begun(tmp_path_factory.mktemp("course") / "mine")


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    with Child(TEXTS) as waiting:
        yield waiting


def verdict_on(child: Child, folder: Path, body: str) -> Verdict:
    answer(folder, "02", body)
    return check_with(child, TEXTS, folder)


def test_one_process_answers_many_jobs_and_forgets_each_file(folder: Path, child: Child) -> None:
    behave_like(folder, "02", attention=("scale-missing",))
    assert check_with(child, TEXTS, folder).mistakes == ("scale-missing",)
    behave_like(folder, "02")
    assert check_with(child, TEXTS, folder).outcome == "passed"
    behave_like(folder, "02", attention=("softmax-over-queries", "scale-inverted"))
    assert set(check_with(child, TEXTS, folder).mistakes) == {"softmax-over-queries", "scale-inverted"}


def test_what_the_code_prints_is_kept_apart(folder: Path, child: Child) -> None:
    verdict = verdict_on(child, folder, "print('my shapes:', tuple(queries.shape))\nreturn queries")
    assert verdict.outcome == "wrong"
    assert verdict.printed.startswith("my shapes: (2, 4, 3, 6)")


def test_a_crash_shows_the_learners_line_and_the_shapes_there(folder: Path, child: Child) -> None:
    verdict = verdict_on(child, folder, "scores = queries @ keys\nreturn scores")
    assert "stops with RuntimeError" in verdict.headline
    assert verdict.details[1].endswith("scores = queries @ keys")
    assert verdict.details[1].startswith("e02_attention.py line ")
    assert verdict.details[2].startswith("there: queries (2, 4, 3, 6), keys (2, 5, 3, 6)")
    assert not any("site-packages" in line or "torch/" in line for line in verdict.details)


def test_a_loop_that_does_not_end_is_stopped_at_its_line(folder: Path) -> None:
    answer(folder, "02", "while True:\n    pass")
    with Child() as child:
        told = child.ask({"kind": "exercise", "exercise": "02", "folder": str(folder), "seconds": 1})
    assert told is not None
    verdict = Verdict.from_dict(told)
    assert verdict.outcome == "wrong"
    assert "no answer within 1 seconds" in verdict.headline
    assert any("while True:" in line or "pass" in line for line in verdict.details)


def test_a_file_that_is_not_python_yet_is_told_by_its_line(folder: Path, child: Child) -> None:
    verdict = verdict_on(child, folder, "return (queries")
    assert "e02_attention.py is not Python yet" in verdict.headline


def test_code_that_leaves_is_wrong_and_a_process_that_dies_is_not_checked(folder: Path) -> None:
    with Child() as child:
        assert "SystemExit" in verdict_on(child, folder, "exit(3)").headline
        dead = verdict_on(child, folder, "import os\nos._exit(7)")
    assert dead.outcome == "not checked"
    assert "exit code 7" in dead.headline


def test_reading_from_the_keyboard_gets_nothing(folder: Path, child: Child) -> None:
    assert "EOFError" in verdict_on(child, folder, "return input('?')").headline


def test_a_missing_function_and_other_arguments_are_told(folder: Path, child: Child) -> None:
    file = folder / TEXTS.file
    file.write_text("def attend(q, k, v):\n    return q\n", encoding="utf-8")
    verdict = check_with(child, TEXTS, folder)
    assert "defines no attention: the checker calls attention(queries, keys, values)" in verdict.headline
    file.write_text("def attention(q, k):\n    return q\n", encoding="utf-8")
    assert "attention takes (q, k)" in check_with(child, TEXTS, folder).headline
    file.unlink()
    missing = check_with(child, TEXTS, folder)
    assert "is missing. `glassformer learn reset 02` brings it back" in missing.headline


def test_the_library_call_passes_with_a_note(folder: Path, child: Child) -> None:
    body = (
        "from torch.nn.functional import scaled_dot_product_attention\n"
        "q, k, v = (x.transpose(1, 2) for x in (queries, keys, values))\n"
        "return scaled_dot_product_attention(q, k, v).transpose(1, 2)"
    )
    verdict = verdict_on(child, folder, body)
    assert verdict.outcome == "passed"
    assert "writing it out is the exercise" in verdict.notes[0]


def test_an_earlier_exercise_that_is_still_empty_is_named(folder: Path, child: Child) -> None:
    later = find("05")
    answer(folder, "05", "return masked_attention(query[:, :, None], key[:, :, None], key[:, :, None], mask)")
    verdict = check_with(child, later, folder)
    assert verdict.outcome == "not started"
    assert "calls a function of e04_masked_attention.py that is not written yet" in verdict.headline


def test_the_suspicious_line_is_named(folder: Path, child: Child) -> None:
    body = (
        "from torch import einsum\n"
        "energy = einsum('nqhd,nkhd->nhqk', queries, keys)\n"
        "weights = energy.softmax(-1)\n"
        "return einsum('nhqk,nkhm->nqhm', weights, values)"
    )
    verdict = verdict_on(child, folder, body)
    assert verdict.mistakes == ("scale-missing",)
    assert verdict.look[-1].endswith("energy = einsum('nqhd,nkhd->nhqk', queries, keys)")


def test_a_function_that_calls_itself_for_ever_is_told_in_a_few_lines(folder: Path, child: Child) -> None:
    verdict = verdict_on(child, folder, "return attention(queries, keys, values)")
    assert "RecursionError" in verdict.headline
    assert len(verdict.details) < 10
    assert verdict.question == "What must change from call to call for it to end?"


def test_a_missing_import_is_asked_about_as_one(folder: Path, child: Child) -> None:
    verdict = verdict_on(child, folder, "return queries / math.sqrt(2)")
    assert "NameError" in verdict.headline
    assert verdict.question == "Where is this name defined or imported?"
    assert any("math.sqrt(2)" in line for line in verdict.details), "the file's line as it is now"
