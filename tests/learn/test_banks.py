"""Every exercise's bank keeps its word: mistakes are called by their names, and right answers are not accused."""

import importlib
import re
from itertools import combinations
from pathlib import Path

import pytest

from glassformer.learn.checker.candidates import candidates
from glassformer.learn.checker.check import check
from glassformer.learn.checker.judge import judge
from glassformer.learn.course import FOLDER, bank, course, solution, task
from glassformer.learn.exercise import Function, Part, Texts
from tests.learn.confusion import FILE, called, claimed, matrix, real, table
from tests.learn.course_folder import begun

PARTS = [(texts, part) for texts in course() for part in bank(texts).parts]


def per_exercise() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("texts", [pytest.param(texts, id=texts.module) for texts in course()])


def per_part() -> pytest.MarkDecorator:
    ids = [pytest.param(part, id=f"{texts.module}-{part.function}") for texts, part in PARTS]
    return pytest.mark.parametrize("part", ids)


def right_answers() -> list[object]:
    return [
        pytest.param(part, function, id=f"{texts.module}-{part.function}-{function.__name__}")
        for texts, part in PARTS
        for function in importlib.import_module(f"tests.learn.right.{texts.module}").RIGHT[part.function]
    ]


@per_part()
def test_every_mistake_is_called_by_its_own_name(part: Part) -> None:
    twins = {name: each.names for each in candidates(part).singles for name in each.names}
    for mistake in part.mistakes:
        verdict = judge(part, part.wrong(mistake.name))
        if mistake.convention:
            assert verdict.outcome == "passed"
            assert any(note.startswith(f"{mistake.name}:") for note in verdict.notes)
        else:
            assert verdict.outcome == "wrong"
            assert set(verdict.mistakes) <= set(twins.get(mistake.name, (mistake.name,)))
            assert mistake.name in verdict.headline or part.when_random == mistake.name


@per_part()
def test_two_mistakes_at_once_are_claimed_as_these_two(part: Part) -> None:
    known = candidates(part)
    for pair in known.pairs:
        assert claimed(known, pair) is pair
        assert claimed(known, pair, float32=True) is pair


@pytest.mark.slow
@per_part()
def test_two_mistakes_at_once_are_called_by_both_names(part: Part) -> None:
    for pair in candidates(part).pairs:
        assert called(part, *pair.mistakes) in (" + ".join(real(part, pair.mistakes)), "right, told as a convention")


@per_part()
def test_what_cannot_be_told_apart_is_declared(part: Part) -> None:
    known = candidates(part)
    found = {frozenset(each.names) for each in (*known.singles, *known.pairs) if each.synonyms}
    assert found == {frozenset(group) for group in part.synonyms}


@per_part()
def test_a_pair_may_hide_a_mistake_only_behind_another(part: Part) -> None:
    known = candidates(part)
    counted = len(known.hidden) + sum(len(pair.names) for pair in known.pairs)
    singles = sum(len(each.names) for each in known.singles)
    assert not part.pairs or counted == len(list(combinations(range(singles), 2)))


@per_part()
def test_every_mistake_has_something_to_show_and_a_source_and_no_path(part: Part) -> None:
    for mistake in part.mistakes:
        assert all((mistake.formula, mistake.question, mistake.symptom, mistake.look))
        assert re.search(r"[\w.-]+/[\w.-]+#\d+|^seen in ", mistake.source), mistake.source
        verdict = judge(part, part.wrong(mistake.name))
        said = repr(verdict.to_dict())
        assert "site-packages" not in said, "a framework's frame"
        assert str(FOLDER) not in said, "a path"
        if not mistake.convention and mistake.name != part.when_random:
            assert verdict.example, f"no small example shows {mistake.name}"
            assert verdict.example[-1] != verdict.example[-2].replace("yours:   ", "expected:"), mistake.name


@per_part()
def test_the_right_answer_has_every_property_and_nothing_to_measure(part: Part) -> None:
    right = part.wrong()
    assert judge(part, right).outcome == "passed"
    assert not judge(part, right).notes
    assert all(each.holds(right) for each in part.properties)
    assert [read(right) for read in part.readers] == [None] * len(part.readers)


@per_part()
def test_every_property_is_broken_by_some_mistake(part: Part) -> None:
    for each in part.properties:
        assert any(not keeps(each.holds, part.wrong(mistake.name)) for mistake in part.mistakes), each.says


def keeps(check_it: object, function: Function) -> bool:
    try:
        return bool(check_it(function))  # type: ignore[operator]
    except Exception:
        return False


@pytest.mark.parametrize(("part", "function"), right_answers())
def test_a_right_answer_of_another_style_passes(part: Part, function: Function) -> None:
    verdict = judge(part, function)
    assert verdict.outcome == "passed", verdict


@per_exercise()
def test_there_are_three_styles_of_right_answers_at_least(texts: Texts) -> None:
    right = importlib.import_module(f"tests.learn.right.{texts.module}").RIGHT
    for part in bank(texts).parts:
        assert len(right[part.function]) >= 3


@per_exercise()
def test_the_task_is_not_started_and_the_solution_passes(texts: Texts, tmp_path: Path) -> None:
    begun(tmp_path)
    assert check(texts, tmp_path).outcome == "not started"
    (tmp_path / texts.file).write_text(solution(texts), encoding="utf-8")
    verdict = check(texts, tmp_path)
    assert verdict.outcome == "passed", verdict
    assert not verdict.notes, "a solution takes no shortcut"


@per_exercise()
def test_the_texts_are_complete(texts: Texts) -> None:
    assert len(texts.hints) >= 3
    assert all(texts.hints)
    assert 1 <= texts.difficulty <= 5
    assert 5 <= texts.minutes <= 120
    assert len(texts.explanation.split()) > 30
    assert texts.follow_ups
    assert all(each.question.endswith("?") and len(each.rubric) >= 2 for each in texts.follow_ups)
    head = task(texts).splitlines()[0]
    assert texts.number in head
    assert f"{texts.minutes} minutes" in head
    assert f"{texts.difficulty} of 5" in head
    assert texts.paper in head
    assert "raise NotImplementedError" in task(texts)


@per_exercise()
def test_the_confusion_matrix_is_the_committed_one(texts: Texts) -> None:
    assert matrix(texts) in FILE.read_text(encoding="utf-8"), "run: python -m tests.learn.confusion"


def test_the_table_of_the_banks_is_the_committed_one() -> None:
    assert table() in FILE.read_text(encoding="utf-8"), "run: python -m tests.learn.confusion"
