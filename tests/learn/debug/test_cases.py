"""What a learner reads of the debugging set."""

import subprocess
import sys

import pytest

from glassformer.errors import UserError
from glassformer.learn.course import FOLDER
from glassformer.learn.debug.cases import CASES, console_banner, find_case
from glassformer.learn.debug.faults import fault_names
from glassformer.learn.debug.systems import SYSTEMS

WITH_SYSTEM = [number for number in CASES if number != "D10"]


def test_the_cases_are_ten_and_the_ninth_has_four_parts() -> None:
    assert list(CASES) == ["D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8", "D9a", "D9b", "D9c", "D9d", "D10"]
    assert all(number == case.number for number, case in CASES.items())


@pytest.mark.parametrize(("wanted", "number"), [("D1", "D1"), ("d03", "D3"), (" 10 ", "D10"), ("D9C", "D9c")])
def test_a_case_is_found_however_its_number_is_written(wanted: str, number: str) -> None:
    assert find_case(wanted).number == number


@pytest.mark.parametrize(("wanted", "says"), [("D9", "D9a, D9b, D9c and D9d"), ("D11", "no case 'D11'"), ("", "D10")])
def test_an_unknown_case_is_a_user_error_that_names_the_known_ones(wanted: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        find_case(wanted)


def test_every_system_has_its_case_and_every_case_but_the_last_its_system() -> None:
    assert sorted(SYSTEMS) == sorted(WITH_SYSTEM)


@pytest.mark.parametrize("number", WITH_SYSTEM)
def test_nothing_that_is_read_before_the_answer_holds_the_fault_s_name(number: str) -> None:
    case = CASES[number]
    assert case.solution is not None
    before = " ".join([case.title, case.story, case.ask, *case.hints, *case.names.values(), console_banner(case)])
    for name in (case.solution.name, *case.synonyms):
        for written in (name, name.replace("-", " ")):
            assert written not in before.lower()


@pytest.mark.parametrize("number", WITH_SYSTEM)
def test_the_answer_s_name_is_one_of_those_that_can_be_given_and_no_synonym_names_another_fault(number: str) -> None:
    case = CASES[number]
    assert case.solution is not None
    assert case.solution.name in fault_names()
    assert case.solution.name in SYSTEMS[number].faulty.faults
    others = {other.solution.name for other in CASES.values() if other.solution} - {case.solution.name}
    assert not others & set(case.synonyms)


@pytest.mark.parametrize("number", CASES)
def test_a_case_says_all_there_is_to_say(number: str) -> None:
    case = CASES[number]
    texts = [case.title, case.story, case.ask, *case.hints, case.explanation]
    assert all(len(text.split()) > 2 for text in texts)
    assert len(set(case.hints)) == 3
    assert case.thread.startswith("seen in ") or ("/" in case.thread and case.thread.split("#")[1].isdigit())
    assert 1 <= int(case.exercise) <= 20


def test_the_exercises_that_are_named_exist() -> None:
    present = {folder.name[1:3] for folder in FOLDER.glob("e[0-9][0-9]_*")}
    if len(present) == 20:
        assert {case.exercise for case in CASES.values()} <= present


@pytest.mark.parametrize("number", WITH_SYSTEM)
def test_the_banner_names_everything_that_the_console_offers(number: str) -> None:
    case, banner = CASES[number], console_banner(CASES[number])
    assert all(f"  {name} " in banner and says in banner for name, says in case.names.items())
    assert max(map(len, banner.splitlines())) <= 120


def test_the_case_without_a_system_has_no_banner_and_nothing_measured() -> None:
    assert console_banner(CASES["D10"]) == ""
    assert CASES["D10"].given is None


def test_reading_cases_and_curves_imports_no_torch() -> None:
    code = (
        "import sys; from glassformer.learn.debug.cases import CASES, console_banner; "
        "[(console_banner(case), case.given) for case in CASES.values()]; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
