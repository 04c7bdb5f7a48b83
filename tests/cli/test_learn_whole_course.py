"""The whole course, done by a script: each exercise first wrong, in every known way, and then right."""

from pathlib import Path

import pytest

from glassformer.learn import progress
from glassformer.learn.checker.runner import Child, check_with
from glassformer.learn.course import bank, course, solution
from tests.cli.conftest import Cli
from tests.learn.course_folder import begun, behave_like


@pytest.mark.slow
def test_every_mistake_then_the_solution_in_every_exercise(tmp_path: Path, cli: Cli) -> None:
    folder = begun(tmp_path / "mine")
    for texts in course():
        child = Child(texts)
        assert check_with(child, texts, folder).outcome == "not started"
        for part in bank(texts).parts:
            for mistake in part.mistakes:
                behave_like(folder, texts.number, **{part.function: (mistake.name,)})
                verdict = check_with(child, texts, folder)
                assert (verdict.outcome == "passed") == mistake.convention, (texts.name, mistake.name, verdict)
                said = " ".join((verdict.headline, *verdict.mistakes, *verdict.notes))
                assert mistake.name in said, (texts.name, verdict)
        (folder / texts.file).write_text(solution(texts), encoding="utf-8")
        assert check_with(child, texts, folder).outcome == "passed"
        child.close()
    done = cli("learn", "check-all", "--dir", str(folder))
    assert done.code == 0
    assert f"{len(course())} of {len(course())}" in done.out
    assert progress.read(folder)[0].next_open() is None
