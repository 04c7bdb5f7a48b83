"""From a function to a verdict, in this order: not started, random, right, a known mistake, two of them; and where it
is none of them: crash, type and shape, NaN, spoilt input, and at last what properties hold and where it differs.

A known mistake may crash or answer in another shape too, which is why the known ones are asked before those.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from glassformer.learn.checker.candidates import EXACT, Candidates, Claim, candidates, claim, computed_in_float32
from glassformer.learn.checker.locate import shape_problem, where_it_differs
from glassformer.learn.checker.observe import Seen, behaviour, distance, has_nan, observe
from glassformer.learn.checker.show import answered, question
from glassformer.learn.checker.verdict import Verdict
from glassformer.learn.exercise import Function, Part


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What is known of a learner's file beside its behaviour; nothing where there is no file."""

    file: str = ""
    parameters: tuple[str, ...] = ()
    own_lines: Callable[[BaseException], tuple[str, ...]] = lambda error: ()
    suspect: Callable[[str], str | None] = lambda pattern: None


def judge(part: Part, function: Function, reading: Reading = Reading()) -> Verdict:
    """What the function is, for one part of an exercise."""
    known = candidates(part)
    seen = tuple(observe(function, probe) for probe in known.probes)
    if seen[0].error is not None and all(isinstance(each.error, NotImplementedError) for each in seen):
        return not_started(part, seen[0].error, reading)
    answer = behaviour(seen, known.right_seen)
    again = behaviour([observe(function, probe, seed=1) for probe in known.probes], known.right_seen)
    if distance(answer, again) > 1e-6:
        return random(part)
    claimed = claim(known, answer, float32=computed_in_float32(seen))
    if claimed is None:
        return unknown(part, function, known, seen, reading)
    mistakes = [part.mistake(name) for name in claimed.candidate.mistakes]
    digits = f"{-math.log10(claimed.away):.0f}" if claimed.away > EXACT else ""
    notes = [f"right to {digits} digits: some of it is computed in float32"] if digits else []
    if all(mistake.convention for mistake in mistakes):
        notes += [f"{mistake.name}: {mistake.formula}. {mistake.look}" for mistake in mistakes]
        return Verdict(
            outcome="passed", function=part.function, headline=f"{part.function} is right", notes=tuple(notes)
        )
    return named(part, function, known, claimed, reading)


def not_started(part: Part, error: Exception, reading: Reading) -> Verdict:
    """The function itself is empty, or one of an earlier exercise that it calls."""
    files = [line.split(" line ")[0] for line in reading.own_lines(error) if " line " in line]
    headline = f"{part.function} is not written yet"
    if files and files[-1] != reading.file:
        headline = (
            f"{part.function} calls a function of {files[-1]} that is not written yet: write it first, or import it "
            "from glassformer.learn.answers"
        )
    return Verdict(outcome="not started", function=part.function, headline=headline)


def random(part: Part) -> Verdict:
    """The same question got two answers."""
    verdict = Verdict(
        outcome="wrong", function=part.function, headline=f"{part.function} answers the same question in two ways",
        question="What in it is random, and when should it be?", asked=part.asked,
    )  # fmt: skip
    if not part.when_random:
        return verdict
    mistake = part.mistake(part.when_random)
    return replace(
        verdict, mistakes=(mistake.name,), yours=(mistake.formula,), question=mistake.question,
        symptom=(mistake.symptom,), look=(mistake.look,), sources=(mistake.source,),
    )  # fmt: skip


def named(part: Part, function: Function, known: Candidates, claimed: Claim, reading: Reading) -> Verdict:
    """A known mistake, or two of them; with every name where several are one and the same function."""
    mistakes = [part.mistake(name) for name in claimed.candidate.mistakes]
    real = [mistake for mistake in mistakes if not mistake.convention]
    names = claimed.candidate.names
    number, far = len(known.probes), claimed.next_away
    next_one = f"the next known mistake is {far:.2g} away" if far < 1e6 else "no other known mistake answers like this"
    suspects = [line for mistake in real if mistake.suspect and (line := reading.suspect(mistake.suspect))]
    return Verdict(
        outcome="wrong",
        function=part.function,
        headline=f"{part.function} behaves like {' or '.join(names)}",
        mistakes=tuple(mistake.name for mistake in real),
        evidence=f"on {number} of {number} probes; {next_one}",
        yours=tuple(mistake.formula for mistake in real),
        asked=part.asked,
        example=example(part, function, reading),
        question=real[0].question,
        symptom=tuple(mistake.symptom for mistake in real),
        look=tuple(dict.fromkeys([*(mistake.look for mistake in real), *suspects])),
        sources=tuple(mistake.source for mistake in real),
        measured=measured(part, function),
        notes=tuple(f"{m.name}: {m.formula}. {m.look}" for m in mistakes if m.convention),
    )


def unknown(part: Part, function: Function, known: Candidates, seen: tuple[Seen, ...], reading: Reading) -> Verdict:
    """None of the known mistakes: say what can be said for certain."""
    verdict = Verdict(outcome="wrong", function=part.function, headline="", asked=part.asked)
    crashed = next(((probe, each) for probe, each in zip(known.probes, seen, strict=True) if each.error), None)
    if crashed is not None and crashed[1].error is not None:
        probe, error = crashed[0], crashed[1].error
        own = reading.own_lines(error)
        return replace(
            verdict,
            headline=f"{part.function} stops with {in_one_line(error)}",
            details=(f"on '{probe.label}'", *own),
            question=asked_of(error) if own else "What does the signature promise?",
        )
    shape = shape_problem(part, known.probes, seen, known.right_seen)
    if shape is not None:
        asks = "Which axis is which, letter by letter?" if "the shape" in shape else "What does the signature promise?"
        return replace(
            verdict, headline=f"{part.function}: {shape}", example=example(part, function, reading), question=asks
        )
    told = replace(verdict, example=example(part, function, reading), measured=measured(part, function))
    where = where_it_differs(part, known.probes, seen, known.right_seen)
    with_nan = [probe.label for probe, each, right in zip(known.probes, seen, known.right_seen, strict=True)
                if has_nan(each) and not has_nan(right)]  # fmt: skip
    if with_nan:
        return replace(
            told, headline=f"{part.function} answers NaN on: {'; '.join(with_nan)}", where=where,
            question="Which line divides 0 by 0, or takes infinity from infinity?",
        )  # fmt: skip
    if any(ours.spoilt and not right.spoilt for ours, right in zip(seen, known.right_seen, strict=True)):
        return replace(
            told, headline=f"{part.function} changes its arguments in place", where=where,
            question="Which line writes into a tensor that belongs to the caller?",
        )  # fmt: skip
    held = tuple(each.says for each in part.properties if holds(each.holds, function))
    failed = tuple(each.says for each in part.properties if each.says not in held)
    return replace(
        told,
        headline=f"{part.function} is wrong in a way that is not one of the known mistakes",
        where=where,
        held=held,
        failed=failed,
        question=f"What would make this fail: {failed[0]}?" if failed else "What is special about where it differs?",
    )


def holds(check: Callable[[Function], bool], function: Function) -> bool:
    try:
        return bool(check(function))
    except Exception:  # a property cannot hold for a function that stops
        return False


def measured(part: Part, function: Function) -> tuple[str, ...]:
    said = []
    for read in part.readers:
        try:
            sentence = read(function)
        except Exception:  # nothing can be read from a function that stops
            sentence = None
        if sentence:
            said.append(sentence)
    return tuple(said)


def example(part: Part, function: Function, reading: Reading) -> tuple[str, ...]:
    """The first small example on which the function is not right: the call, its answer, the right one."""
    for probe in part.examples():
        right, yours = observe(part.wrong(), probe), observe(function, probe)
        scale = [right]
        if distance(behaviour([yours], scale), behaviour(scale, scale)) > 1e-6:
            return (
                *question(part, probe, reading.parameters),
                f"  yours:    {answered(yours)}",
                f"  expected: {answered(right)}",
            )
    return ()


def in_one_line(error: Exception) -> str:
    """The error's type and the first line of what it says."""
    first = (str(error).splitlines() or [""])[0]
    if "can't allocate memory" in first:  # PyTorch's words, behind a place in its own sources
        first = f"too much memory, {first[first.index('you tried') :]}" if "you tried" in first else "too much memory"
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def asked_of(error: Exception) -> str:
    """A question that fits what Python said."""
    if isinstance(error, NotImplementedError):
        return "Is an earlier exercise that it calls still empty?"
    if isinstance(error, NameError):
        return "Where is this name defined or imported?"
    if isinstance(error, TypeError | AttributeError | KeyError):
        return "What is each thing on that line: a tensor, a tuple, a number, a function?"
    if isinstance(error, RecursionError):
        return "What must change from call to call for it to end?"
    if "allocate memory" in str(error):
        return "How large are the tensors on that line, and how large should they be?"
    if isinstance(error, RuntimeError | IndexError):
        return "What are the shapes on that line?"
    return "Which values does that line get, and which of them does it not expect?"
