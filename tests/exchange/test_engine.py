"""The engine ctranslate2 answers as the built-in one does."""

import random
from typing import Any

import pytest
import torch

from glassformer.checkpoint import load
from glassformer.data import Vocabularies
from glassformer.decode import DecodingConfig, Translation, Translator
from glassformer.errors import UserError
from glassformer.exchange.engine import CTranslate2Translator
from glassformer.look.sisters import HOME
from glassformer.model.transformer import Transformer
from tests.decode.peaked import log_probs_after
from tests.exchange.small import VOCABULARIES, float_model, sentences
from tests.small import VARIANTS, variant_name

pytest.importorskip("ctranslate2")

TIE = 1e-4
Answers = list[list[Translation]]


@pytest.fixture(scope="module")
def trained() -> tuple[Transformer, Vocabularies, list[str]]:
    """A model that was trained, to write letters backwards, and 500 texts for it: it fails where they are long."""
    model, vocabularies, _ = load(HOME / "honest")
    draw = random.Random(0)
    return model, vocabularies, [" ".join(draw.choices("abcdefghij", k=1 + row % 25)) for row in range(500)]


def both(model: Transformer, vocabularies: Vocabularies, texts: list[str], **choices: Any) -> tuple[Answers, Answers]:
    """Our answers and the library's."""
    config = DecodingConfig(**choices)
    ours = Translator(model, vocabularies, config).hypotheses(texts)
    return ours, CTranslate2Translator(model, vocabularies, config).hypotheses(texts)


def decided_by(model: Transformer, text: str, ours: Translation, theirs: Translation, config: DecodingConfig) -> float:
    """How far apart the first two tokens that differ are for our model."""
    end_id = VOCABULARIES.trg.end_id
    written = [[*answer.tokens, end_id] for answer in (ours, theirs)]
    place, pair = next((place, pair) for place, pair in enumerate(zip(*written, strict=False)) if pair[0] != pair[1])
    source = [*VOCABULARIES.src.encode(text), VOCABULARIES.src.end_id]
    log_probs = log_probs_after(model, source, ours.tokens[:place], config)
    return abs(float(log_probs[pair[0]] - log_probs[pair[1]]))


def check_numbers(ours: Translation, theirs: Translation) -> None:
    """The same answer has the same numbers, whoever gives it."""
    assert (theirs.text, theirs.unknown) == (ours.text, ours.unknown)
    assert theirs.token_log_probs == pytest.approx(ours.token_log_probs, abs=TIE)
    assert theirs.log_prob == pytest.approx(sum(theirs.token_log_probs))
    assert theirs.score == pytest.approx(ours.score, abs=TIE * len(ours.token_log_probs))


@pytest.mark.parametrize(
    "choices",
    [
        {},
        dict(max_ratio=1.0, max_extra=0),
        dict(max_ratio=0.5, max_extra=1, forced_end=False),
        dict(max_ratio=0, max_extra=0),
        dict(max_ratio=0, max_extra=99, forced_end=False, forbidden_ids=(5, 7)),
        dict(batch_tokens=40),
    ],
    ids=str,
)
def test_greedy_answers_are_the_same(choices: dict[str, Any]) -> None:
    model, texts = float_model(), sentences(60)
    for text, (ours,), (theirs,) in zip(texts, *both(model, VOCABULARIES, texts, **choices), strict=True):
        if ours.tokens == theirs.tokens:
            check_numbers(ours, theirs)
        else:
            assert decided_by(model, text, ours, theirs, DecodingConfig(**choices)) < TIE


@pytest.mark.parametrize("choices", VARIANTS, ids=variant_name)
def test_greedy_answers_are_the_same_in_every_configuration(choices: dict[str, Any]) -> None:
    model, texts = float_model(**choices), sentences(40)
    for text, (ours,), (theirs,) in zip(texts, *both(model, VOCABULARIES, texts), strict=True):
        assert ours.tokens == theirs.tokens or decided_by(model, text, ours, theirs, DecodingConfig()) < TIE


def test_500_greedy_answers_of_a_trained_model_are_the_same(
    trained: tuple[Transformer, Vocabularies, list[str]],
) -> None:
    for (ours,), (theirs,) in zip(*both(*trained), strict=True):
        assert theirs.tokens == ours.tokens
        check_numbers(ours, theirs)


@pytest.mark.parametrize("alpha", [0.0, 0.6])
def test_at_least_495_of_500_best_answers_of_a_beam_are_the_same(
    trained: tuple[Transformer, Vocabularies, list[str]], alpha: float
) -> None:
    answers = list(zip(*both(*trained, beam=4, length_penalty=alpha), strict=True))
    same = [(ours, theirs) for (ours,), (theirs,) in answers if ours.tokens == theirs.tokens]
    for ours, theirs in same:
        check_numbers(ours, theirs)
    assert len(same) >= 495  # the library has another rule to stop; measured: all 500


def test_a_beam_gives_n_best_answers_by_our_score() -> None:
    config = DecodingConfig(beam=4, n_best=3, max_ratio=1.0, max_extra=1)
    for several in CTranslate2Translator(float_model(), VOCABULARIES, config).hypotheses(sentences(40)):
        assert len({tuple(answer.tokens) for answer in several}) == 3
        scores = [answer.score for answer in several]
        assert scores == sorted(scores, reverse=True)
        for answer in several:
            penalty = ((5 + len(answer.token_log_probs)) / 6) ** 0.6
            assert answer.score == pytest.approx(sum(answer.token_log_probs) / penalty)


def test_scores_are_the_same_without_the_log_probability_of_each_token() -> None:
    model, texts = float_model(), sentences(40)
    config = DecodingConfig(beam=4, n_best=3, max_ratio=1.0, max_extra=1)
    with_tokens = CTranslate2Translator(model, VOCABULARIES, config).hypotheses(texts)
    without = CTranslate2Translator(model, VOCABULARIES, config, token_log_probs=False).hypotheses(texts)
    for several, same in zip(with_tokens, without, strict=True):
        assert [answer.tokens for answer in same] == [answer.tokens for answer in several]
        assert [answer.score for answer in same] == pytest.approx([answer.score for answer in several], abs=TIE)
        assert not any(answer.token_log_probs for answer in same)


def test_int8_changes_few_answers_of_a_model_that_is_sure(trained: tuple[Transformer, Vocabularies, list[str]]) -> None:
    model, vocabularies, texts = trained
    short = [text for text in texts if 4 <= len(text.split()) <= 12]  # as it was trained on, so that it is sure
    exact, int8 = (CTranslate2Translator(model, vocabularies, int8=choice).translate(short) for choice in (False, True))
    assert sum(a == b for a, b in zip(exact, int8, strict=True)) / len(short) > 0.9


def test_neither_order_nor_company_nor_workers_change_an_answer() -> None:
    model, texts = float_model(), [*sentences(12), "", "  ", "a b"]
    for choices in (dict(), dict(beam=3, n_best=2)):
        config = DecodingConfig(**choices)
        alone = CTranslate2Translator(model, VOCABULARIES, config, workers=1)
        expected = [[answer.tokens for answer in alone.hypotheses([text])[0]] for text in texts]
        together = CTranslate2Translator(model, VOCABULARIES, config, workers=2)
        assert [[answer.tokens for answer in several] for several in together.hypotheses(texts)] == expected
        assert together.translate(texts) == [VOCABULARIES.trg.decode(several[0]) for several in expected]


def test_empty_texts_stay_empty_and_any_iterable_will_do() -> None:
    engine = CTranslate2Translator(float_model(), VOCABULARIES)
    assert engine.translate([]) == engine.hypotheses([]) == []
    assert engine.hypotheses(iter(["", " "])) == [[Translation("", 0.0, 0.0, [], [], 0)]] * 2
    (several,) = engine.hypotheses(["a zzz b"])
    assert several[0].unknown == 1


def test_mistakes_are_named() -> None:
    model = float_model()
    engine = CTranslate2Translator(model, VOCABULARIES)
    with pytest.raises(UserError, match=r"text 8 .* has 17 tokens with its </s>, .* max_length=16"):
        engine.translate(["a", "a " * 16], first=6)
    with pytest.raises(UserError, match="is one text, not a list"):
        engine.translate("a b")
    with pytest.raises(UserError, match="sample=True: the engine ctranslate2 searches"):
        CTranslate2Translator(model, VOCABULARIES, DecodingConfig(sample=True))
    with pytest.raises(UserError, match="the model is on meta, and the engine ctranslate2 computes on the CPU"):
        CTranslate2Translator(model.to("meta"), VOCABULARIES)


def test_scores_that_are_not_numbers_are_an_error() -> None:
    model = float_model()
    with torch.no_grad():
        model.fc_out.weight.mul_(1e38)
    for beam in (1, 3):
        with pytest.raises(UserError, match="scores for text 4 are not numbers"):
            CTranslate2Translator(model, VOCABULARIES, DecodingConfig(beam=beam)).translate(["", "a"], first=2)
