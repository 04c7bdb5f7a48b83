from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassformer import __version__
from glassformer.score import exact_match, phoneme_error_rate, word_error_rate
from glassformer.score.errors import edit_distance

HYPOTHESES = ["HH AH L OW", "W ER L D", "K AE T", "D AO G Z"]
REFERENCES = [["HH EH L OW", "HH AH L OW"], ["W ER L D"], ["K AE T S", "K AH T"], ["D AO G"]]
tokens = st.lists(st.sampled_from("abc"), max_size=6)


@given(tokens, tokens)
def test_the_edit_distance_is_its_recursive_definition(a: list[str], b: list[str]) -> None:
    @cache
    def distance(i: int, j: int) -> int:
        if not (i and j):
            return i + j
        same = a[i - 1] == b[j - 1]
        return min(distance(i - 1, j) + 1, distance(i, j - 1) + 1, distance(i - 1, j - 1) + (not same))

    assert edit_distance(a, b) == distance(len(a), len(b))


def neighbours(word: str) -> set[str]:
    """Everything one edit away."""
    places = range(len(word) + 1)
    deleted = {word[:i] + word[i + 1 :] for i in places[:-1]}
    replaced = {word[:i] + letter + word[i + 1 :] for i in places[:-1] for letter in "abc"}
    return deleted | replaced | {word[:i] + letter + word[i:] for i in places for letter in "abc"}


@given(st.text("abc", max_size=4), st.text("abc", max_size=4))
def test_the_edit_distance_is_the_number_of_edits_needed(a: str, b: str) -> None:
    reached, edits = {a}, 0
    while b not in reached:
        reached |= set().union(*map(neighbours, reached))
        edits += 1
    assert edit_distance(a, b) == edits


@given(tokens, tokens, tokens)
def test_the_edit_distance_is_a_metric(a: list[str], b: list[str], c: list[str]) -> None:
    assert edit_distance(a, b) == edit_distance(b, a)
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)


def test_any_reference_makes_a_word_right() -> None:
    assert exact_match(HYPOTHESES, REFERENCES).value == 50
    assert word_error_rate(HYPOTHESES, REFERENCES).value == 50


def test_phonemes_are_compared_with_the_closest_reference() -> None:
    # Edits 0, 0, 1, 1. "K AE T" is one edit from both of its references: the longer one, of 4 phonemes, is taken.
    assert phoneme_error_rate(HYPOTHESES, REFERENCES).value == pytest.approx(100 * 2 / (4 + 4 + 4 + 3))


def test_the_order_of_references_changes_nothing() -> None:
    backwards = [several[::-1] for several in REFERENCES]
    for score in (exact_match, word_error_rate, phoneme_error_rate):
        assert score(HYPOTHESES, backwards).value == score(HYPOTHESES, REFERENCES).value


def test_spaces_between_tokens_do_not_matter_and_case_does() -> None:
    assert word_error_rate([" W  ER L D "], [["W ER L D"]]).value == 0
    assert exact_match(["w er l d"], [["W ER L D"]]).value == 0


def test_empty_answers_and_empty_references_count() -> None:
    assert phoneme_error_rate([""], [["A B"]]).value == 100
    assert phoneme_error_rate(["A B C"], [["A"]]).value == 200
    assert phoneme_error_rate([""], [[""]]).value == 0
    assert phoneme_error_rate(["A"], [[""]]).value == 100


def test_the_signature_says_how_it_was_counted() -> None:
    assert phoneme_error_rate(["A"], [["A"]]).signature == (
        f"nrefs:1|reference:closest|tok:space|case:mixed|glassformer:{__version__}"
    )
    assert word_error_rate(HYPOTHESES, REFERENCES).signature.startswith("nrefs:var|reference:any|")
    assert [score(HYPOTHESES, REFERENCES).name for score in (exact_match, phoneme_error_rate, word_error_rate)] == [
        "exact",
        "per",
        "wer",
    ]
