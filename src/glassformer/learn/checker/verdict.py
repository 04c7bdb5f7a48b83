"""What the checker says of an exercise, as data."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Outcome = Literal["passed", "wrong", "not started", "not checked"]
EXIT_CODES: dict[str, int] = {"passed": 0, "wrong": 1, "not started": 2, "not checked": 3}
WORST_FIRST: tuple[Outcome, ...] = ("wrong", "not checked", "not started", "passed")


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """One code for several outcomes: that of the worst."""
    return EXIT_CODES[min(outcomes, key=WORST_FIRST.index)]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """All there is to say; how much of it is shown first, and how, is the reader's choice."""

    outcome: Outcome
    headline: str  # one sentence
    exercise: str = ""  # its module, e02_attention
    function: str = ""  # the part that this is about
    mistakes: tuple[str, ...] = ()  # the known ones that behave like the function, in every respect probed
    evidence: str = ""  # how sure: probes matched, and how far the next candidate is
    yours: tuple[str, ...] = ()  # the formula of each mistake
    asked: str = ""
    example: tuple[str, ...] = ()  # the smallest counterexample, line by line
    question: str = ""
    symptom: tuple[str, ...] = ()
    look: tuple[str, ...] = ()  # where to look
    sources: tuple[str, ...] = ()  # where others made the mistake
    measured: tuple[str, ...] = ()  # quantities read from the function
    where: tuple[str, ...] = ()  # where its answers differ
    held: tuple[str, ...] = ()  # properties that it has
    failed: tuple[str, ...] = ()  # properties that it lacks
    details: tuple[str, ...] = ()  # of a crash: the line, the shapes there
    notes: tuple[str, ...] = ()  # conventions, shortcuts: no reproach
    passed: tuple[str, ...] = ()  # the functions of the exercise that are right
    printed: str = ""  # what the learner's code printed

    def to_dict(self) -> dict[str, Any]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Verdict":
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**fields)
