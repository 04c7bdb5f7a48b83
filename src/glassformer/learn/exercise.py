"""What an exercise is made of. Imports no torch, so that `learn list` and `learn hint` answer at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Wrong = frozenset[str]  # the switches that are on in a reference: the names of the mistakes it makes
RIGHT: Wrong = frozenset()

Function = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class FollowUp:
    """What an interviewer asks next, and what a good answer holds."""

    question: str
    rubric: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Texts:
    """What a person reads about an exercise, beside the task's own file."""

    number: str  # "01" to "20"
    name: str  # of the file: e02_attention
    title: str
    paper: str  # the section of the paper; what stands in for it where there is none
    minutes: int
    difficulty: int  # 1 to 5
    interview: bool  # asked in interviews: `learn exam` draws from these
    hints: tuple[str, ...]  # at least three, from a nudge to nearly the code
    explanation: str  # why it is this way, and how to see it
    follow_ups: tuple[FollowUp, ...]
    seconds: float = 10  # the checker's time limit for all its functions together

    @property
    def file(self) -> str:
        """The learner's file."""
        return f"{self.module}.py"

    @property
    def module(self) -> str:
        return f"e{self.number}_{self.name}"


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One known mistake: a switch of the part's reference, and what to say of it."""

    name: str
    formula: str  # what such a function computes, in one line
    question: str  # leads there without saying it
    symptom: str  # what training or decoding shows
    look: str  # where to look in one's own lines
    source: str  # the thread where it was met, owner/repo#number, or where it was seen
    convention: bool = False  # right by somebody's convention: told, never failed
    suspect: str = ""  # a regular expression for the line that does it, where lines give it away


def call(function: Function, *arguments: Any) -> Any:
    return function(*arguments)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One question put to a function. What `drive(function, *arguments)` answers is compared.

    Arguments are handed over as copies. `drive` is there for functions that are called many times, or that answer
    through what they change; what it answers may be tensors, numbers, strings, and lists, tuples and dicts of them.
    """

    label: str  # "two sentences, three heads"
    arguments: tuple[Any, ...]
    drive: Callable[..., Any] = call
    shown: str = ""  # an example's question in words; by default the call with its arguments


@dataclass(frozen=True, kw_only=True)
class Property:
    """Something every right answer has; it helps where the mistake is not a known one."""

    says: str  # "each row of weights adds up to 1"
    holds: Callable[[Function], bool]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One function to write, and the one reference of it that makes any of the known mistakes on demand."""

    function: str
    asked: str  # the formula asked for, in one line, in the form of the mistakes' formulas
    result: str  # the letters of the result's axes, "n q h d"; or a word for what it is
    reference: Callable[..., Any]  # reference(wrong, *arguments)
    mistakes: tuple[Mistake, ...]
    probes: Callable[[], Sequence[Probe]]  # float64; together they tell all mistakes and pairs apart
    examples: Callable[[], Sequence[Probe]]  # tiny ones to show, 2 x 3 numbers
    properties: tuple[Property, ...] = ()
    readers: tuple[Callable[[Function], str | None], ...] = ()  # measure a hidden quantity and say it, or None
    pairs: bool = True  # look for two mistakes at once
    synonyms: tuple[tuple[str, ...], ...] = ()  # groups of mistakes and "a + b" that are one and the same function
    when_random: str = ""  # the mistake to name where the same question gets two answers
    shortcuts: tuple[str, ...] = ()  # library calls that do the exercise's work: noted, not failed

    def mistake(self, name: str) -> Mistake:
        return next(mistake for mistake in self.mistakes if mistake.name == name)

    def wrong(self, *names: str) -> Function:
        """The reference with these mistakes; the right one without any."""
        switches = frozenset(names)
        return lambda *arguments: self.reference(switches, *arguments)


@dataclass(frozen=True, kw_only=True)
class Bank:
    """The parts of an exercise, in the order in which they are checked."""

    parts: tuple[Part, ...]
