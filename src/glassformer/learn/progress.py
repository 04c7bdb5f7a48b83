"""What a learner has done: progress.json in the course's folder, one plain file, replaced as a whole or not at all."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from glassformer.errors import UserError
from glassformer.learn.checker.verdict import Outcome
from glassformer.learn.course import course, task
from glassformer.learn.exercise import Texts

FILE = "progress.json"


@dataclass
class Exam:
    """One that is going on."""

    exercises: list[str]  # numbers
    started: str  # ISO time with zone
    minutes: float
    passed: dict[str, str] = field(default_factory=dict)  # number -> when

    @property
    def seconds_left(self) -> float:
        gone = datetime.now().astimezone() - datetime.fromisoformat(self.started)
        return self.minutes * 60 - gone.total_seconds()


@dataclass
class Progress:
    """Exercises by their numbers, debugging cases by theirs."""

    passed: dict[str, str] = field(default_factory=dict)  # number -> when it first passed
    current: str = "01"
    attempts: dict[str, int] = field(default_factory=dict)
    hints: dict[str, int] = field(default_factory=dict)  # how many were shown
    gave_up: list[str] = field(default_factory=list)  # whose solution was shown before they passed
    solved: dict[str, str] = field(default_factory=dict)  # debugging cases
    exam: Exam | None = None

    def note(self, texts: Texts, outcome: Outcome) -> None:
        """Count an attempt. An exercise that passed once and does not any more is open again."""
        number = texts.number
        if outcome != "not started":
            self.attempts[number] = self.attempts.get(number, 0) + 1
        if outcome == "passed":
            self.passed.setdefault(number, now())
        else:
            self.passed.pop(number, None)

    def one_more_hint(self, texts: Texts) -> int:
        """How many hints are shown from now on: one more than before, as long as there are any."""
        shown = min(self.hints.get(texts.number, 0) + 1, len(texts.hints))
        self.hints[texts.number] = shown
        return shown

    def next_open(self, after: str = "") -> Texts | None:
        """The first exercise after `after` that has not passed; from the start again where there is none."""
        still = [texts for texts in course() if texts.number not in self.passed]
        return next((texts for texts in still if texts.number > after), still[0] if still else None)


def now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def read(folder: Path) -> tuple[Progress, str]:
    """The state in a folder, and a word where the file could not be read: it is kept under another name."""
    from pydantic import TypeAdapter, ValidationError

    file = folder / FILE
    try:
        return TypeAdapter(Progress).validate_python(json.loads(file.read_text(encoding="utf-8"))), ""
    except FileNotFoundError:
        return Progress(), ""
    except (ValidationError, ValueError, OSError):
        kept = unused(folder, f"{FILE}.unreadable-{{}}")
        os.replace(file, kept)
        return Progress(), f"{FILE} could not be read: it is kept as {kept.name}, and a new one begins."


def unused(folder: Path, name: str) -> Path:
    """The first of the numbered names that is free, so that what was there before is kept."""
    return next(place for number in count(1) if not (place := folder / name.format(number)).exists())


def write(folder: Path, progress: Progress) -> None:
    """Replace the file in one step, so that a crash leaves the old one or the new one."""
    temporary = folder / f".{FILE}.{os.getpid()}"
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(asdict(progress), file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, folder / FILE)


def begin(folder: Path) -> list[Path]:
    """Make a course's folder: a file an exercise and the state. Nothing that is there is overwritten.

    Raises UserError where a file of that name is there already.
    """
    there = [name for name in (FILE, *(texts.file for texts in course())) if (folder / name).exists()]
    if there:
        raise UserError(
            f"{folder} holds {there[0]} already. Name another folder, or go on there: `glassformer learn` inside it."
        )
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / texts.file for texts in course()]
    for texts, file in zip(course(), files, strict=True):
        file.write_text(task(texts), encoding="utf-8")
    write(folder, Progress())
    return files


def find_course(start: Path) -> Path:
    """The course's folder: `start` or the nearest one above it; UserError where there is none."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder
    raise UserError(
        f"{start} is in no course. Begin one with `glassformer learn init my-transformer`, then work inside it."
    )


def reset(folder: Path, texts: Texts) -> Path | None:
    """Put the task's own file back. What was there is kept beside it; its name is returned."""
    file = folder / texts.file
    kept = None
    # An answer in another encoding than UTF-8 must be kept as well, so it may not stop this comparison.
    if file.exists() and (file.is_dir() or file.read_text(encoding="utf-8-sig", errors="replace") != task(texts)):
        kept = unused(folder, f"{texts.module}.before-{{}}.txt")
        os.replace(file, kept)
    file.write_text(task(texts), encoding="utf-8")
    return kept


def as_dict(progress: Progress, texts: Sequence[Texts]) -> dict[str, Any]:
    """The state for programs, with every exercise."""
    exercises = [
        {
            "number": each.number,
            "name": each.name,
            "title": each.title,
            "minutes": each.minutes,
            "difficulty": each.difficulty,
            "paper": each.paper,
            "passed": each.number in progress.passed,
            "attempts": progress.attempts.get(each.number, 0),
            "gave_up": each.number in progress.gave_up,
        }
        for each in texts
    ]
    return {"current": progress.current, "exercises": exercises, "debugging": sorted(progress.solved)}
