"""Open a case, and judge an answer to it: the name and the probe, each by itself."""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from glassformer.errors import UserError
from glassformer.learn.debug.case import Case
from glassformer.learn.debug.cases import find_case
from glassformer.learn.debug.faults import fault_names
from glassformer.learn.debug.probe import ProbeError, answer, compiled
from glassformer.learn.debug.systems import SYSTEMS, Plan, built
from glassformer.learn.debug.verdict import DebugVerdict


@dataclass(frozen=True, kw_only=True)
class OpenCase:
    """A case with its systems built, as the console and the checker use them."""

    case: Case
    names: dict[str, Any]  # of the faulty system
    right_names: dict[str, Any]  # of the same system without the fault


def open_case(number: str) -> OpenCase:
    """The case with this number; UserError where there is none, and for D10, which is a test to write."""
    case = find_case(number)
    if case.number not in SYSTEMS:
        raise UserError(f"{case.number} has no system to examine: it asks for a test. See `check_test`.")
    systems = SYSTEMS[case.number]
    return OpenCase(
        case=case,
        names=names_of(systems.faulty, case),
        right_names=names_of(systems.right, case),
    )


def names_of(plan: Plan, case: Case) -> dict[str, Any]:
    """What the console calls the parts of this system; tensors are new each time, so that a probe may change them."""
    return built(plan).names(case.names)


def check_answer(number: str, name: str, probe: str) -> DebugVerdict:
    """Judge a fault's name and the probe that is to prove it; both must be right, and each is told by itself.

    The verdict gives no name away. Runs the learner's expression: call it in a child process with a time limit.
    Raises UserError for an unknown case, and for D10.
    """
    opened = open_case(number)
    if not name.strip() and not probe.strip():
        return DebugVerdict("not started", (opened.case.ask,))
    name_right, about_name = check_name(opened.case, name)
    probe_right, about_probe = check_probe(opened, probe)
    passed = name_right and probe_right
    return DebugVerdict("passed" if passed else "wrong", (about_name, about_probe))


def check_name(case: Case, name: str) -> tuple[bool, str]:
    """Is this the fault's name, and what to say of it."""
    assert case.solution is not None
    given = normal(name)
    if not given:
        return False, "Name: missing. The list of names has all that can be answered."
    if given in (case.solution.name, *case.synonyms):
        return True, "Name: right."
    known = fault_names()
    if given in known:
        return False, f"Name: {given} is another fault. What would it show that this system does not?"
    near = get_close_matches(given, known, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else "The list of names has all that can be answered."
    return False, f"Name: no fault is called {given!r}. {hint}"


def normal(name: str) -> str:
    """Small letters and digits, with one dash for whatever stands between them."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def check_probe(opened: OpenCase, probe: str) -> tuple[bool, str]:
    """Is the probe true of the faulty system alone, and what to say of it."""
    if not probe.strip():
        return False, "Probe: missing. It is one expression with the console's names, True because of the fault."
    systems = SYSTEMS[opened.case.number]
    try:
        code = compiled(probe)
        faulty = answer(code, probe, opened.names)
    except ProbeError as error:
        return False, f"Probe: {error}"
    try:
        right = answer(code, probe, opened.right_names)
    except ProbeError as error:
        return False, f"Probe: on a right system {error} It must answer False there."
    if not faulty and right:
        return False, "Probe: False for this system and True for a right one. Turned round it says something: `not`."
    if not faulty:
        return False, "Probe: False for this system. It must be True because of the fault."
    if right:
        return False, "Probe: also True for a right system, so it is no proof. It must be False there."
    if any(holds(probe, names_of(rival, opened.case)) for rival in systems.rivals):
        return False, (
            "Probe: True for this system and False for a right one, but also True for one with the same symptom and "
            "another fault. It sees what happens, not yet why."
        )
    return True, "Probe: right. True for this system, False for a right one and for others with the same symptom."


def holds(probe: str, names: dict[str, Any]) -> bool:
    """Whether the probe is true of a system; one that crashes there does not hold."""
    try:
        return answer(compiled(probe), probe, names)
    except ProbeError:
        return False
