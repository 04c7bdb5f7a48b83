"""What a case of the debugging set is made of. Imports no torch, so that it can be read at once."""

from dataclasses import dataclass

from glassformer.learn.debug.curves import Given, measured
from glassformer.learn.debug.names import names_for


@dataclass(frozen=True, kw_only=True)
class Solution:
    """A right answer: the fault's name and a probe that proves it."""

    name: str
    probe: str


@dataclass(frozen=True, kw_only=True)
class Case:
    """One system with a fault, as a learner meets it, and all there is to say once the fault is found."""

    number: str  # "D1"
    title: str  # the symptom in a few words
    story: str  # what happened
    ask: str  # what to answer
    hints: tuple[str, str, str]  # from a nudge to nearly the probe
    explanation: str  # the fault, why it shows so, and what the probe proves
    thread: str  # where others met it
    exercise: str  # the number of the exercise that trains it
    solution: Solution | None  # None where the answer is a test
    synonyms: tuple[str, ...] = ()  # other names that are as right

    @property
    def given(self) -> Given | None:
        """Curves and scores; None where there is no single system to measure."""
        return measured().get(self.number)

    @property
    def names(self) -> dict[str, str]:
        """What the console offers and a probe may use, each with a line of explanation."""
        return names_for(self.number) if self.solution else {}
