"""One exercise of one learner, from the file to the verdict. Runs their code: to be called in a process of its own."""

import sys
from dataclasses import replace
from pathlib import Path

from glassformer.learn.checker.judge import Reading, judge
from glassformer.learn.checker.load import (
    CannotLoadError,
    calls,
    function_of,
    is_untouched,
    load,
    own_lines,
    signature,
    suspects,
)
from glassformer.learn.checker.verdict import Verdict
from glassformer.learn.course import bank, course, task
from glassformer.learn.exercise import Part, Texts


def check(texts: Texts, folder: Path) -> Verdict:
    """The verdict over the first function that is not right yet, or over all of them."""
    modules, path = set(sys.modules), list(sys.path)
    try:
        return checked(texts, folder)
    finally:  # the learner's modules are theirs: another folder's must not find them
        for module in set(sys.modules) - modules:
            if module in {each.module for each in course()}:
                del sys.modules[module]
        sys.path[:] = path


def checked(texts: Texts, folder: Path) -> Verdict:
    passed: list[str] = []
    notes: list[str] = []
    for part in bank(texts).parts:
        verdict = check_part(texts, folder, part)
        if verdict.outcome != "passed":
            return replace(verdict, exercise=texts.module, passed=tuple(passed))
        passed.append(part.function)
        notes += verdict.notes
    return Verdict(
        outcome="passed",
        exercise=texts.module,
        headline=f"{texts.title}: right",
        passed=tuple(passed),
        notes=tuple(notes),
    )


def check_part(texts: Texts, folder: Path, part: Part) -> Verdict:
    if is_untouched(folder, texts, part.function):
        headline = f"{part.function} is not written yet"
        return Verdict(outcome="not started", function=part.function, headline=headline)
    try:
        function = function_of(load(folder, texts), texts, part.function)
    except CannotLoadError as error:
        question = "What does Python say about that line?" if error.details else ""
        return Verdict(
            outcome="wrong", function=part.function, headline=error.headline, details=error.details, question=question
        )
    reading = Reading(
        file=texts.file,
        parameters=signature(task(texts), part.function),
        own_lines=lambda error: own_lines(error, folder),
        suspect=lambda pattern: suspects(folder, texts, part.function, pattern),
    )
    verdict = judge(part, function, reading)
    shortcuts = sorted(calls(folder, texts, part.function) & set(part.shortcuts))
    if shortcuts and verdict.outcome == "passed":
        note = f"{part.function} calls {', '.join(shortcuts)}: right, but writing it out is the exercise"
        verdict = replace(verdict, notes=(*verdict.notes, note))
    return verdict
