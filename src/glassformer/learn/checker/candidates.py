"""All that a part's reference can do: right, with one mistake, with two at once. And who of them a function is.

The claim rule: a function is called by a mistake's name when it agrees with the mistake on every probe, and the next
candidate is at least a hundred times further away. Otherwise it is none of the known ones; nothing is guessed.
"""

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import torch

from glassformer.learn.checker.observe import NOT_A_NUMBER, Behaviour, Seen, behaviour, distance, observe
from glassformer.learn.exercise import Part, Probe

EXACT = 1e-9  # how near two references are the same
FLOAT64, FLOAT32 = 2e-7, 1e-4  # the same for an answer: one constant of float32 costs float64 seven digits
FURTHER = 100


@dataclass(frozen=True)
class Candidate:
    """A combination of mistakes, none for the right answer, and all names of it: `a`, or `a + b`."""

    mistakes: tuple[str, ...]
    behaviour: Behaviour
    synonyms: tuple[tuple[str, ...], ...] = ()  # other combinations that are the same function

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(" + ".join(each) for each in (self.mistakes, *self.synonyms))


@dataclass(frozen=True)
class Candidates:
    """Everything to compare an answer with."""

    probes: tuple[Probe, ...]
    right_seen: tuple[Seen, ...]
    right: Candidate
    singles: tuple[Candidate, ...]
    pairs: tuple[Candidate, ...]
    hidden: tuple[tuple[str, str], ...]  # pairs in which one mistake leaves the other without effect


@cache
def candidates(part: Part) -> Candidates:
    """Run the reference with every switch and every two switches."""
    probes = tuple(part.probes())
    right_seen = tuple(observe(part.wrong(), probe) for probe in probes)
    for seen in right_seen:
        if seen.error is not None:
            raise seen.error

    def candidate(*names: str) -> Candidate:
        seen = [observe(part.wrong(*names), probe) for probe in probes]
        return Candidate(names, behaviour(seen, right_seen))

    right = Candidate((), behaviour(right_seen, right_seen))
    named = [mistake.name for mistake in part.mistakes if mistake.name != part.when_random]
    singles = [candidate(name) for name in named]
    pairs, hidden = [], []
    for first, second in combinations(singles, 2) if part.pairs else ():
        pair = candidate(*first.mistakes, *second.mistakes)
        if any(same(pair, known) for known in (first, second)):
            hidden.append((first.mistakes[0], second.mistakes[0]))
        else:
            pairs.append(pair)
    return Candidates(probes, right_seen, right, merged(singles), merged(pairs), tuple(hidden))


def same(a: Candidate, b: Candidate) -> bool:
    return distance(a.behaviour, b.behaviour) <= EXACT


def merged(found: list[Candidate]) -> tuple[Candidate, ...]:
    """Candidates that are one function become one, with all their names."""
    apart: list[Candidate] = []
    for candidate in found:
        twin = next((index for index, known in enumerate(apart) if same(candidate, known)), None)
        if twin is None:
            apart.append(candidate)
        else:
            known = apart[twin]
            apart[twin] = Candidate(known.mistakes, known.behaviour, (*known.synonyms, candidate.mistakes))
    return tuple(apart)


@dataclass(frozen=True)
class Claim:
    """The candidate that a function is, and how far the next one is from it."""

    candidate: Candidate
    away: float
    next_away: float


def claim(found: Candidates, answer: Behaviour, *, float32: bool) -> Claim | None:
    """Who the answer is: the right one, else a single mistake, else a pair; None for nobody known."""
    near = FLOAT32 if float32 else FLOAT64
    away = distance(answer, found.right.behaviour)
    next_away = nearest(answer, found.singles)[1]
    if away <= near and next_away >= FURTHER * max(away, 1e-12):
        return Claim(found.right, away, next_away)
    _, pair_away = nearest(answer, found.pairs)
    for group in (found.singles, found.pairs):
        best, away = nearest(answer, group)
        if group is found.singles and pair_away < away / FURTHER:
            continue  # within the digits of float32 a second mistake can hide behind the first
        others = [candidate for candidate in (found.right, *group) if candidate is not best]
        _, next_away = nearest(answer, others)
        if best is not None and away <= near and next_away >= FURTHER * max(away, 1e-12):
            return Claim(best, away, next_away)
    return None


def nearest(answer: Behaviour, group: "list[Candidate] | tuple[Candidate, ...]") -> tuple[Candidate | None, float]:
    best, least = None, float("inf")
    for candidate in group:
        away = distance(answer, candidate.behaviour)
        if away < least:
            best, least = candidate, away
    return best, least


def computed_in_float32(seen: tuple[Seen, ...]) -> bool:
    """Whether the answers hold float32 numbers, in whatever dtype they are handed over."""
    rows = [
        leaf.numbers[leaf.numbers.abs() < NOT_A_NUMBER] for each in seen for leaf in each.leaves if leaf.kind == "float"
    ]
    numbers = torch.cat(rows) if rows else torch.empty(0)
    return len(numbers) > 0 and bool((numbers == numbers.float().double()).all())
