"""Learners' folders for tests: answers written into the exercises' files."""

from pathlib import Path

from glassformer.learn import progress
from glassformer.learn.course import bank, find, task

STUB = "    raise NotImplementedError\n"


def begun(folder: Path) -> Path:
    """A new course."""
    progress.begin(folder)
    return folder


def answer(folder: Path, number: str, body: str) -> Path:
    """Write a body in place of the first stub of an exercise."""
    texts = find(number)
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    file = folder / texts.file
    file.write_text(task(texts).replace(STUB, indented, 1), encoding="utf-8")
    return file


def behave_like(folder: Path, number: str, **mistakes: tuple[str, ...]) -> Path:
    """Write a file whose functions make these mistakes, `function=("name", ...)`; the others are right."""
    texts = find(number)
    lines = ["from glassformer.learn.course import bank, find", f"parts = bank(find({number!r})).parts"]
    for index, part in enumerate(bank(texts).parts):
        names = ", ".join(map(repr, mistakes.get(part.function, ())))
        lines.append(f"{part.function} = parts[{index}].wrong({names})")
    file = folder / texts.file
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file
