"""Copy, reverse, sort: tasks that need no data, whose right answer is known, and which a tiny model learns in seconds.

A source is 4 to 12 of the letters a to j, separated by spaces; the target is the same letters in another order.
"""

import random
from collections.abc import Callable, Sequence

from glassformer.data.dataset import DataSet
from glassformer.data.split import Part, part_of
from glassformer.data.text import Pair

LETTERS = "abcdefghij"
SHORTEST, LONGEST = 4, 12
SEQUENCES = 20_000
VALID, TEST = 0.025, 0.025

TASKS: dict[str, Callable[[Sequence[str]], list[str]]] = {
    "copy": list,
    "reverse": lambda letters: list(reversed(letters)),
    "sort": sorted,
}


def synthetic(name: str) -> DataSet:
    """The data set of one of `TASKS`: 20,000 different sources, the same on every machine."""
    answer = TASKS[name]
    draw = random.Random(0)
    sources: dict[str, None] = {}  # a set that keeps its order
    while len(sources) < SEQUENCES:
        # Only random(): it is the one method whose numbers Python promises to keep the same in later versions.
        length = SHORTEST + int(draw.random() * (LONGEST - SHORTEST + 1))
        sources[" ".join(LETTERS[int(draw.random() * len(LETTERS))] for _ in range(length))] = None
    parts: dict[Part, list[Pair]] = {"train": [], "valid": [], "test": []}
    for source in sources:
        pair = (source, " ".join(answer(source.split(" "))))
        parts[part_of(source, valid=VALID, test=TEST)].append(pair)
    return DataSet(
        name=name,
        source_language="letters",
        target_language="letters",
        train=lambda: parts["train"],
        valid=lambda: parts["valid"],
        test=lambda: parts["test"],
        source_kind="symbols",
        target_kind="symbols",
        joint=True,
        metrics=("exact",),
        identity={
            "name": name,
            "data": "letters a to j",
            "split": f"by SHA-256 of the source: valid {VALID:.1%}, test {TEST:.1%}",
            "counts": {part: len(pairs) for part, pairs in parts.items()},
        },
    )
