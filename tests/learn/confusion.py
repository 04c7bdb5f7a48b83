"""The confusion matrix of the banks: what each mistake, and each two at once, are called by the checker itself.

`python -m tests.learn.confusion` writes confusion.md, which a test compares with the banks.
"""

from collections import Counter
from pathlib import Path

from glassformer.learn.checker.candidates import Candidate, Candidates, candidates, claim
from glassformer.learn.checker.judge import judge
from glassformer.learn.course import bank, course
from glassformer.learn.exercise import Part, Texts

FILE = Path(__file__).with_name("confusion.md")


def called(part: Part, *mistakes: str) -> str:
    """What the checker calls a function with these mistakes: names, `a or b` for synonyms, or what else it says."""
    verdict = judge(part, part.wrong(*mistakes))
    if verdict.outcome == "passed":
        return "right, told as a convention" if verdict.notes else "right"
    return " + ".join(verdict.mistakes) or verdict.headline


def claimed(known: Candidates, pair: Candidate, *, float32: bool = False) -> Candidate | None:
    """Whom the claim rule takes these two mistakes for."""
    found = claim(known, pair.behaviour, float32=float32)
    return found and found.candidate


def matrix(texts: Texts) -> str:
    """One exercise's part of the file."""
    lines = [f"## {texts.number} {texts.name}", ""]
    for part in bank(texts).parts:
        known = candidates(part)
        lines += [f"### {part.function}", "", "| mistake | called | the same function | seen |", "|---|---|---|---|"]
        twins = {each.mistakes[0]: [" + ".join(s) for s in each.synonyms] for each in known.singles}
        for mistake in part.mistakes:
            same = ", ".join(twins.get(mistake.name, []))
            lines.append(f"| {mistake.name} | {called(part, mistake.name)} | {same} | {mistake.source} |")
        lines.append("")
        if part.pairs:
            right = Counter(claimed(known, pair) is pair for pair in known.pairs)
            same = [" = ".join(pair.names) for pair in known.pairs if pair.synonyms]
            lines.append(
                f"Pairs: {right[True]} named as themselves, {right[False]} otherwise; "
                f"{len(known.hidden)} are one mistake, the other having no effect beside it."
            )
            lines += ["", *(f"- {line}" for line in same), *([""] if same else [])]
    return "\n".join(lines).rstrip() + "\n"


def real(part: Part, mistakes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in mistakes if not part.mistake(name).convention)


def table() -> str:
    """How many of everything there are."""
    lines = [
        "| exercise | functions | mistakes | conventions | pairs told apart | probes | properties | hints |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for texts in course():
        parts = bank(texts).parts
        mistakes = [mistake for part in parts for mistake in part.mistakes]
        conventions = sum(mistake.convention for mistake in mistakes)
        pairs = sum(len(candidates(part).pairs) for part in parts)
        probes = sum(len(candidates(part).probes) for part in parts)
        properties = sum(len(part.properties) for part in parts)
        lines.append(
            f"| {texts.number} {texts.name} | {len(parts)} | {len(mistakes) - conventions} | {conventions} | {pairs} "
            f"| {probes} | {properties} | {len(texts.hints)} |"
        )
    return "\n".join(lines) + "\n"


def whole() -> str:
    head = (
        "# What the checker calls each mistake\n\nWritten by `python -m tests.learn.confusion` from the banks, and "
        "compared with them by the tests.\n\n"
    )
    return head + table() + "\n" + "\n".join(matrix(texts) for texts in course())


if __name__ == "__main__":
    FILE.write_text(whole(), encoding="utf-8")
