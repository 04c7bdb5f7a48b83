"""The twenty exercises in their order: where their files are, and how to find one by number or name."""

from functools import cache
from importlib import import_module
from pathlib import Path

from glassformer.errors import UserError, unknown_name
from glassformer.learn.exercise import Bank, Texts

FOLDER = Path(__file__).parent / "exercises"
PACKAGE = "glassformer.learn.exercises"


@cache
def course() -> tuple[Texts, ...]:
    """What there is to read of each exercise, in order; imports no torch."""
    modules = sorted(folder.name for folder in FOLDER.glob("e[0-9][0-9]_*") if (folder / "texts.py").is_file())
    return tuple(import_module(f"{PACKAGE}.{module}.texts").TEXTS for module in modules)


def find(wanted: str) -> Texts:
    """The exercise of a number (5, 05), a name (multi_head) or a file (e05_multi_head.py); UserError otherwise."""
    word = Path(wanted).name.removesuffix(".py")
    number = word.zfill(2)
    for texts in course():
        if word in (texts.name, texts.module) or number == texts.number:
            return texts
    if word.isdigit():
        raise UserError(f"there is no exercise {wanted}: they go from {course()[0].number} to {course()[-1].number}.")
    raise unknown_name("exercise", wanted, [texts.name for texts in course()])


@cache
def bank(texts: Texts) -> Bank:
    """Its references, mistakes and probes; imports torch."""
    loaded: Bank = import_module(f"{PACKAGE}.{texts.module}.bank").BANK
    return loaded


def task(texts: Texts) -> str:
    """The text of the learner's file as it is at the start."""
    return (FOLDER / texts.module / "task.py").read_text(encoding="utf-8")


def solution(texts: Texts) -> str:
    """The text of the solution."""
    return (FOLDER / texts.module / "solution.py").read_text(encoding="utf-8")
