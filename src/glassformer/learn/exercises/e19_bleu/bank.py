"""19: BLEU and the ways in which it goes wrong."""

import math
import random
from collections import Counter

from glassformer.learn.exercise import Bank, Function, Part, Probe, Property, Wrong
from glassformer.learn.exercises.e19_bleu.mistakes import MISTAKES

Words = list[str]
Counts = Counter[tuple[str, ...]]
Bag = tuple[Counts, Counts]  # a hypothesis's runs, and how often each may match


def bleu(wrong: Wrong, hypotheses: list[Words], references: list[list[Words]]) -> float:
    if "hyp-ref-swapped" in wrong:
        hypotheses, references = [each[0] for each in references], [[each] for each in hypotheses]
    if "mean-of-sentences" in wrong:
        each = [of_text(wrong, [words], [right]) for words, right in zip(hypotheses, references, strict=True)]
        return sum(each) / len(each)
    return of_text(wrong, hypotheses, references)


def of_text(wrong: Wrong, hypotheses: list[Words], references: list[list[Words]]) -> float:
    orders = range(1, 4 if "up-to-three" in wrong else 5)
    precisions = [precision(wrong, n, hypotheses, references) for n in orders]
    if "arithmetic-mean" in wrong:
        mean = sum(precisions) / len(precisions)
    elif min(precisions) > 0 or "log-of-zero" in wrong:
        mean = math.exp(sum(math.log(each) for each in precisions) / len(precisions))
    else:
        return 0.0
    most = 1 if "from-0-to-1" in wrong else 100
    return most * brevity(wrong, hypotheses, references) * mean


def precision(wrong: Wrong, n: int, hypotheses: list[Words], references: list[list[Words]]) -> float:
    """Matched runs of n words, of all of them."""
    bags = [bag(wrong, n, words, right) for words, right in zip(hypotheses, references, strict=True)]
    if "one-bag-for-the-text" in wrong:
        bags = [(sum((counts for counts, _ in bags), Counter()), sum((allowed for _, allowed in bags), Counter()))]
    if "no-clipping" in wrong:
        matched = sum(count for counts, allowed in bags for run, count in counts.items() if run in allowed)
    else:
        matched = sum((counts & allowed).total() for counts, allowed in bags)
    total = sum(counts.total() for counts, _ in bags)
    if "recall" in wrong:
        total = sum(allowed.total() for _, allowed in bags)
    if "divided-by-words" in wrong:
        total = sum(map(len, hypotheses))
    if "smoothed" in wrong and n > 1:
        return (matched + 1) / (total + 1)
    return matched / total if total or "too-short-stops" in wrong else 0.0


def bag(wrong: Wrong, n: int, words: Words, references: list[Words]) -> Bag:
    counts = runs(wrong, n, words)
    allowed: Counts = Counter()
    for reference in references:
        theirs = runs(wrong, n, reference)
        allowed = allowed + theirs if "ref-counts-summed" in wrong else allowed | theirs
    if "first-reference-only" in wrong:
        allowed = runs(wrong, n, references[0])
    return counts, allowed


def runs(wrong: Wrong, n: int, words: Words) -> Counts:
    number = len(words) - n + (0 if "last-run-lost" in wrong else 1)
    found = [tuple(words[start : start + n]) for start in range(number)]
    return Counter(set(found) if "each-run-once" in wrong else found)


def brevity(wrong: Wrong, hypotheses: list[Words], references: list[list[Words]]) -> float:
    c = sum(map(len, hypotheses))
    r = sum(length(wrong, len(words), right) for words, right in zip(hypotheses, references, strict=True))
    if "no-brevity" in wrong:
        return 1.0
    if "brevity-inverted" in wrong:
        return 1.0 if c > r else math.exp(1 - c / r)
    if "brevity-rewards-length" in wrong:
        return math.exp(1 - r / c)
    return 1.0 if c > r else math.exp(1 - r / c)


def length(wrong: Wrong, wanted: int, references: list[Words]) -> float:
    """The length that a hypothesis of `wanted` words should have had."""
    lengths = [len(reference) for reference in references]
    if "mean-for-closest" in wrong:
        return sum(lengths) / len(lengths)
    if "shortest-for-closest" in wrong:
        return min(lengths)
    if "first-reference-only" in wrong:
        return lengths[0]
    if "longer-of-equally-close" in wrong:
        return min(lengths, key=lambda each: (abs(each - wanted), -each))
    return min(lengths, key=lambda each: (abs(each - wanted), each))


def texts(seed: int, *sizes: tuple[int, ...]) -> tuple[list[Words], list[list[Words]]]:
    """Random sentences over six words; for each, the length of the hypothesis and those of its references.

    Each reference keeps most of the hypothesis, so that runs of four match.
    """
    generator = random.Random(seed)
    hypotheses, references = [], []
    for wanted, *others in sizes:
        words = [generator.choice("abcdef") for _ in range(wanted)]
        hypotheses.append(words)
        references.append([changed(generator, words, other) for other in others])
    return hypotheses, references


def changed(generator: random.Random, words: Words, size: int) -> Words:
    """A copy of this size: cut or repeated from a random place, one word replaced."""
    start = generator.randrange(3)
    copy = (words * 3)[start : start + size]
    copy[generator.randrange(size)] = generator.choice("abcdef")
    return copy


def of_lines(function: Function, hypotheses: str, references: str) -> float:
    """Ask with texts written in one line: a bar between sentences, a slash between references of one sentence."""
    words = [each.split() for each in hypotheses.split("|")]
    right = [[each.split() for each in several.split("/")] for several in references.split("|")]
    score: float = function(words, right)
    return score


def probe(label: str, hypotheses: str, references: str) -> Probe:
    lines = ["bleu of"]
    for number, (words, several) in enumerate(zip(hypotheses.split("|"), references.split("|"), strict=True)):
        lines.append(f"  hypothesis {number}:  {words.strip()}")
        first, *others = several.split("/")
        lines.append(f"  reference {number}:   {first.strip()}")
        lines += [f"  or:            {other.strip()}" for other in others]
    return Probe(label=label, arguments=(hypotheses, references), drive=of_lines, shown="\n".join(lines))


def random_probe(label: str, seed: int, *sizes: tuple[int, ...]) -> Probe:
    hypotheses, references = texts(seed, *sizes)
    right = " | ".join(" / ".join(" ".join(words) for words in several) for several in references)
    return probe(label, " | ".join(" ".join(words) for words in hypotheses), right)


def probes() -> list[Probe]:
    return [
        random_probe("one reference each, hypotheses too short", 1, (9, 12), (7, 8), (13, 14)),
        random_probe("one reference each, hypotheses too long", 2, (11, 8), (12, 9), (6, 7)),
        random_probe("references of 3 and 8 words for 7", 3, (7, 3, 8), (9, 5, 12, 11)),
        random_probe("two references, equally close", 4, (9, 11, 7), (10, 13, 12)),
        probe("no run of four matches", "a b c x a b d", "a b c a b d e f"),
        probe("no hypothesis has four words", "a b c | a b", "a b c e | a b c e"),
    ]


def examples() -> list[Probe]:
    return [
        probe("too short", "we saw the sea again", "we saw the sea again today"),
        probe("no run of four matches", "we saw it again", "we saw the sea again"),
        probe("three words", "the blue sea", "the blue sea"),
        probe("too long", "today we saw the sea again", "we saw the sea again"),
        probe("equally close", "we saw the sea again", "we saw the sea again today / we saw the sea"),
        probe("two references", "we saw the sea again today", "we saw it / we saw the sea again today and now"),
        probe("a word too often", "we saw the sea the sea", "then we saw the sea now / we saw the sea today"),
        probe("two sentences", "we saw the sea | it was so very blue", "we saw the sea | it was so very cold"),
        probe("words of a neighbour", "we saw the sea now | it was blue", "we saw the sea too | it was now"),
    ]


SEA = ["we", "saw", "the", "sea", "and", "it", "was", "so", "very", "blue"]


def equals_a_reference(function: Function) -> bool:
    other = SEA[3:]
    score = function([SEA, SEA[:6]], [[other, SEA], [SEA[:6], SEA[2:]]])
    return any(math.isclose(score, most) for most in (1, 100))


def repeating_does_not_help(function: Function) -> bool:
    once = function([SEA], [[SEA]])
    return bool(function([SEA + SEA], [[SEA]]) < 0.9 * once)


def leaving_out_costs(function: Function) -> bool:
    return bool(function([SEA[:6]], [[SEA]]) < 0.9 * function([SEA], [[SEA]]))


def reference_order_does_not_matter(function: Function) -> bool:
    hypotheses, references = texts(5, (8, 7, 10), (9, 12, 8))
    turned = [several[::-1] for several in references]
    return math.isclose(function(hypotheses, references), function(hypotheses, turned))


def read_brevity(function: Function) -> str | None:
    """Six words, all of them matched, where nine were right: nothing is left of the score but the penalty."""
    words = SEA[:9]
    found = function([words[:6]], [[words]]) / function([words], [[words]])
    expected = math.exp(1 - 9 / 6)
    if math.isclose(found, expected, rel_tol=1e-3):
        return None
    return (
        f"six words that all match, of a reference of nine, score {found:.3g} of what the whole reference scores; "
        f"expected exp(1 - 9/6) = {expected:.3g}"
    )


BANK = Bank(
    parts=(
        Part(
            function="bleu",
            asked="100 x BP x (p1 p2 p3 p4)^(1/4), counted over the whole text, clipped; BP = min(1, exp(1 - r / c))",
            result="score",
            reference=bleu,
            mistakes=MISTAKES,
            probes=probes,
            examples=examples,
            properties=(
                Property(
                    says="a hypothesis that equals one of its references scores the most", holds=equals_a_reference
                ),
                Property(says="saying everything twice does not keep the score", holds=repeating_does_not_help),
                Property(says="leaving words out costs something", holds=leaving_out_costs),
                Property(says="the order of the references does not matter", holds=reference_order_does_not_matter),
            ),
            readers=(read_brevity,),
            shortcuts=("corpus_bleu", "sentence_bleu", "corpus_score", "sentence_score", "BLEU", "bleu_score"),
        ),
    )
)
