"""Error rates over tokens (parts between spaces), by the usual convention of work on grapheme-to-phoneme.

A word may have several right pronunciations: any of them makes the word right, and phonemes are compared with the
closest one.
"""

from collections.abc import Sequence

from glassformer import __version__
from glassformer.score.score import Score, check_pairs, reference_counts


def exact_match(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    """The share of hypotheses that equal any of their references, token by token, in percent.

    `references[i]` holds every right answer to `hypotheses[i]`. Raises UserError where they do not match.
    """
    return _score("exact", 100 - _wrong(hypotheses, references), references)


def word_error_rate(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    """The share of words (one hypothesis each) that equal none of their references, in percent.

    The error rate of the G2P field: not edits over the words of a sentence. References and errors as `exact_match`.
    """
    return _score("wer", _wrong(hypotheses, references), references)


def phoneme_error_rate(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    """Edits to the closest reference over the lengths of those references, summed over all words, in percent.

    Closest = fewest edits; of equally close ones the longest. References and errors as `exact_match`.
    """
    check_pairs(hypotheses, references)
    edits = phonemes = 0
    for hypothesis, several in zip(hypotheses, references, strict=True):
        written = hypothesis.split()
        distance, negative_length = min(
            (edit_distance(written, right.split()), -len(right.split())) for right in several
        )
        edits, phonemes = edits + distance, phonemes - negative_length
    value = 100 * edits / phonemes if phonemes else 100.0 * (edits > 0)
    return _score("per", value, references, "reference:closest|")


def edit_distance(a: Sequence[str], b: Sequence[str]) -> int:
    """The fewest insertions, deletions and substitutions that turn a into b (Levenshtein)."""
    row = list(range(len(b) + 1))  # from the first i tokens of a to the first j of b, for every j
    for i, left in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(b, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (left != right))
    return row[-1]


def _wrong(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """The share of hypotheses that equal no reference, in percent."""
    check_pairs(hypotheses, references)
    wrong = sum(
        all(hypothesis.split() != right.split() for right in several)
        for hypothesis, several in zip(hypotheses, references, strict=True)
    )
    return 100 * wrong / len(hypotheses)


def _score(name: str, value: float, references: Sequence[Sequence[str]], how: str = "reference:any|") -> Score:
    signature = f"nrefs:{reference_counts(references)}|{how}tok:space|case:mixed|glassformer:{__version__}"
    return Score(name, value, signature)
