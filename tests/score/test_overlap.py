import sys

import pytest
import sacrebleu

from glassformer.errors import UserError
from glassformer.score import bleu, chrf, exact_match, moses_bleu, phoneme_error_rate, ter, word_error_rate

HYPOTHESES = ["The cat sat on the mat.", "A dog runs across the green meadow.", "Two men talk."]
FIRST = ["The cat sat on a mat.", "A dog is running over a green meadow.", "Two men are talking."]
SECOND = ["There is a cat on the mat.", "A dog runs over the meadow.", "Two men talk."]
ALL = [bleu, chrf, ter, exact_match, phoneme_error_rate, word_error_rate]


@pytest.mark.parametrize(
    ("ours", "theirs", "name"),
    [(bleu, sacrebleu.corpus_bleu, "bleu"), (chrf, sacrebleu.corpus_chrf, "chrf"), (ter, sacrebleu.corpus_ter, "ter")],
)
def test_the_value_is_sacrebleus(ours, theirs, name: str) -> None:  # type: ignore[no-untyped-def]
    one = ours(HYPOTHESES, [[right] for right in FIRST])
    assert one.value == pytest.approx(theirs(HYPOTHESES, [FIRST]).score)
    two = ours(HYPOTHESES, [list(several) for several in zip(FIRST, SECOND, strict=True)])
    assert two.value == pytest.approx(theirs(HYPOTHESES, [FIRST, SECOND]).score)
    assert (one.name, two.name) == (name, name)


@pytest.mark.parametrize("score", [bleu, chrf, ter])
def test_the_signature_says_references_and_version(score) -> None:  # type: ignore[no-untyped-def]
    one = score(HYPOTHESES, [[right] for right in FIRST])
    assert one.signature.startswith("nrefs:1|")
    assert one.signature.endswith(f"version:{sacrebleu.__version__}")
    assert str(one) == f"{one.name} = {one.value:.2f} ({one.signature})"
    varying = score(HYPOTHESES, [FIRST[:1], [FIRST[1], SECOND[1]], [SECOND[2]]])
    assert varying.signature.startswith("nrefs:var|")


@pytest.mark.parametrize("score", [bleu, chrf, ter])
def test_sentences_may_have_different_numbers_of_references(score) -> None:  # type: ignore[no-untyped-def]
    # A repeated reference adds nothing, so filling up with repetitions is the same as leaving references out.
    varying = score(HYPOTHESES, [[FIRST[0]], [FIRST[1], SECOND[1]], [SECOND[2]]])
    filled = score(HYPOTHESES, [[FIRST[0]] * 2, [FIRST[1], SECOND[1]], [SECOND[2]] * 2])
    assert varying.value == pytest.approx(filled.value)


@pytest.mark.parametrize("score", [bleu, chrf])
def test_a_right_answer_scores_a_hundred_and_nothing_scores_nothing(score) -> None:  # type: ignore[no-untyped-def]
    assert score(FIRST, [[right] for right in FIRST]).value == pytest.approx(100)
    assert score(["", "", ""], [[right] for right in FIRST]).value == 0


def test_ter_of_a_right_answer_is_zero() -> None:
    assert ter(FIRST, [[right] for right in FIRST]).value == 0


@pytest.mark.parametrize("score", ALL)
@pytest.mark.parametrize(
    ("hypotheses", "references", "words"),
    [
        (["a"], [["a"], ["b"]], "1 hypotheses and 2 lists of references"),
        ([], [], "nothing to score"),
        (["a", "b"], [["a"], []], "hypothesis 2 has no reference"),
        (["a"], ["a"], r"a list of references, not a text. Write \[\[text\]"),
        ("a", [["a"]], "a list of references, not a text"),
    ],
)
def test_lists_that_do_not_match_are_refused(score, hypotheses, references, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=words):
        score(hypotheses, references)


def test_moses_bleu_is_sacrebleus_own_on_lower_cased_tokens() -> None:
    answers, right = ["Ein Hund, der läuft."], ["ein Hund , der rennt !"]
    score = moses_bleu("de", answers, [right])
    expected = sacrebleu.corpus_bleu(
        ["ein hund , der läuft ."], [["ein hund , der rennt !"]], tokenize="none", force=True
    )
    assert score.value == pytest.approx(expected.score)
    assert score.name == "bleu-moses-de"
    assert "Moses" in score.signature


def test_without_sacremoses_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacremoses", None)
    with pytest.raises(UserError, match=r"glassformer\[moses\]"):
        moses_bleu("de", ["a"], [["a"]])
