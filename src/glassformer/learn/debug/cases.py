"""The debugging set, by number. Imports no torch."""

import re

from glassformer.errors import UserError
from glassformer.learn.debug.case import Case
from glassformer.learn.debug.curves import Given, measured
from glassformer.learn.debug.silent import D10, SILENT
from glassformer.learn.debug.stories import STORIES

CASES: dict[str, Case] = {case.number: case for case in (*STORIES, *SILENT, D10)}


def find_case(wanted: str) -> Case:
    """The case of a number, D1 or d1 or 1, D9a to D9d for the silent four; UserError where there is none."""
    word = re.sub(r"^d?0*", "", wanted.strip().lower())
    for number, case in CASES.items():
        if number.lower() == f"d{word}":
            return case
    if word == "9":
        raise UserError("D9 has four systems, each with its own answer: D9a, D9b, D9c and D9d.")
    raise UserError(f"there is no case {wanted!r}. There are {', '.join(CASES)}.")


def healthy() -> Given:
    """Curves and scores of the system without a fault, to compare with."""
    return measured()["healthy"]


def console_banner(case: Case) -> str:
    """What to say when a case's console opens: the names there are. Empty for D10, which has no console."""
    if not case.names:
        return ""
    width = max(map(len, case.names))
    return "\n".join(
        [
            f"{case.number}  {case.title}",
            "Everything below belongs to the system with the fault. The model reads trg[:, :-1] and is asked for",
            "trg[:, 1:]. An answer's probe may use these names, and Python's harmless functions.",
            *(f"  {name:<{width}}  {says}" for name, says in case.names.items()),
        ]
    )
