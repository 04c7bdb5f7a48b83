"""19  BLEU, solved."""

import math
from collections import Counter


def runs(words: list[str], n: int) -> Counter[tuple[str, ...]]:
    """How often each run of n words occurs."""
    return Counter(tuple(words[start : start + n]) for start in range(len(words) - n + 1))


def bleu(hypotheses: list[list[str]], references: list[list[list[str]]]) -> float:
    """BLEU of a text, 0 to 100. `references[i]` holds every right answer to `hypotheses[i]`, each a list of words."""
    precisions = []
    for n in range(1, 5):
        matched = total = 0
        for hypothesis, right in zip(hypotheses, references, strict=True):
            counts = runs(hypothesis, n)
            allowed: Counter[tuple[str, ...]] = Counter()
            for reference in right:
                allowed |= runs(reference, n)  # the larger of the two counts
            matched += (counts & allowed).total()  # the smaller of the two
            total += counts.total()
        if matched == 0:
            return 0.0
        precisions.append(matched / total)
    c = sum(map(len, hypotheses))
    r = sum(closest(len(hypothesis), right) for hypothesis, right in zip(hypotheses, references, strict=True))
    brevity = 1.0 if c > r else math.exp(1 - r / c)
    return 100 * brevity * math.prod(precisions) ** 0.25


def closest(length: int, references: list[list[str]]) -> int:
    """The length of the reference that is nearest to `length`; of two, the shorter."""
    return min((abs(len(reference) - length), len(reference)) for reference in references)[1]
