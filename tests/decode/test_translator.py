import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest
import torch

from glassformer.data import Vocabularies, Vocabulary
from glassformer.decode import DecodingConfig, Translator
from glassformer.decode.translator import Translation, growing_text
from glassformer.errors import UserError
from glassformer.model.transformer import Transformer

WORDS = "ein Hund läuft über die grüne Wiese und bellt den kleinen Mann im Mantel an".split()  # noqa: SIM905


SHORT: dict[str, Any] = dict(max_ratio=1.0, max_extra=3)


def sentences(number: int) -> list[str]:
    draw = random.Random(0)
    return [" ".join(draw.choices(WORDS, k=draw.randrange(1, 9))) for _ in range(number)]


def translator(kinds: tuple[Any, Any] = ("bpe", "bpe"), **choices: Any) -> Translator:
    """A random model in float64 with real vocabularies; its answers are nonsense of every length."""
    texts = sentences(50)
    src = Vocabulary.train(texts, kind=kinds[0], size=400)
    trg = Vocabulary.train([text.upper() for text in texts], kind=kinds[1], size=420)
    sizes: dict[str, Any] = dict(embed_size=16, num_layers=2, forward_expansion=2, heads=2, max_length=60)
    model = Transformer(len(src), len(trg), src.pad_id, trg.pad_id, **sizes, dtype=torch.float64)
    with torch.no_grad():
        model.fc_out.weight.mul_(30)
        model.fc_out.bias[trg.end_id] += 2
    return Translator(model.eval(), Vocabularies(src, trg), DecodingConfig(**SHORT, **choices))


@pytest.fixture(scope="module")
def bpe() -> Translator:
    return translator()


@pytest.mark.parametrize("choices", [{}, dict(beam=3, n_best=2), dict(sample=True, seed=3, n_best=2)], ids=str)
def test_neither_order_nor_batches_nor_company_change_an_answer(bpe: Translator, choices: dict[str, Any]) -> None:
    texts = sentences(10)

    def answers(batch_tokens: int, order: list[int]) -> list[list[Translation]]:
        config = DecodingConfig(batch_tokens=batch_tokens, **SHORT, **choices)
        some = Translator(bpe.model, bpe.vocabularies, config)
        if config.sample:  # the chance of a text comes from its place: keep the places
            return [some.hypotheses([texts[row]], first=row)[0] for row in order]
        return some.hypotheses(texts[row] for row in order)

    expected = Translator(bpe.model, bpe.vocabularies, DecodingConfig(**SHORT, **choices)).hypotheses(texts)
    for batch_tokens in (1, 100, 100_000):
        order = random.Random(batch_tokens).sample(range(10), 10)
        for row, found in zip(order, answers(batch_tokens, order), strict=True):
            for ours, theirs in zip(found, expected[row], strict=True):
                assert (ours.text, ours.tokens, ours.unknown) == (theirs.text, theirs.tokens, theirs.unknown)
                assert ours.score == pytest.approx(theirs.score, abs=1e-10)


def test_answers_come_in_the_order_of_the_texts_and_empty_lines_stay_empty(bpe: Translator) -> None:
    texts = ["", *sentences(5), "   ", "ein Hund", ""]
    answers = bpe.translate(texts)
    assert len(answers) == len(texts)
    assert [row for row, answer in enumerate(answers) if answer == ""] == [0, 6, 8]
    assert answers[7] == bpe.translate(["ein Hund"])[0]
    assert bpe.hypotheses([""]) == [[Translation("", 0.0, 0.0, [], [], 0)]]


def test_any_number_of_texts_from_any_iterable(bpe: Translator) -> None:
    def lines() -> Iterator[str]:
        yield from sentences(7)

    assert bpe.translate(lines()) == bpe.translate(sentences(7))
    assert bpe.translate([]) == []
    assert bpe.translate(iter([""])) == [""]


def test_one_text_is_not_taken_for_a_list_of_letters(bpe: Translator) -> None:
    with pytest.raises(UserError, match=r"'ein Hund' is one text.*translate\(\[text\]\)"):
        bpe.translate("ein Hund")


def test_a_translation_is_the_text_of_its_tokens_with_its_scores(bpe: Translator) -> None:
    for found in Translator(bpe.model, bpe.vocabularies, DecodingConfig(beam=3, n_best=3)).hypotheses(sentences(5)):
        assert len(found) == 3
        for text, log_prob, score, tokens, token_log_probs, unknown in found:
            assert text == bpe.vocabularies.trg.decode(tokens)
            assert log_prob == pytest.approx(sum(token_log_probs))
            assert score == pytest.approx(log_prob / ((5 + len(token_log_probs)) / 6) ** 0.6)
            assert unknown == 0
        assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


def test_unknown_symbols_are_read_and_counted() -> None:
    symbols = translator(("symbols", "symbols"))
    (known,), (two,) = symbols.hypotheses(["ein Hund", "ein Katze Hund Maus"])
    assert (known.unknown, two.unknown) == (0, 2)


def test_a_text_too_long_for_the_model_is_named(bpe: Translator) -> None:
    long = "Wiese " * 80
    with pytest.raises(UserError, match=r"text 3 \('Wiese Wiese.*has \d+ tokens with its </s>.*max_length=60"):
        bpe.translate(["ein", "", long])
    with pytest.raises(UserError, match="text 513 "):
        bpe.translate([long], first=512)
    with pytest.raises(UserError, match="text 1 "):
        list(bpe.stream(long))


def test_a_text_as_long_as_the_model_is_read() -> None:
    characters = translator(("characters", "characters"))
    assert len(characters.translate(["e" * 59])) == 1
    with pytest.raises(UserError, match="has 61 tokens"):
        characters.translate(["e" * 60])


def test_weights_that_are_not_numbers_are_said(bpe: Translator) -> None:
    broken = translator()
    with torch.no_grad():
        broken.model.fc_out.bias[:] = float("nan")
    for beam in (1, 3):
        with pytest.raises(UserError, match="text 2 are not numbers: its weights are broken"):
            Translator(broken.model, broken.vocabularies, DecodingConfig(beam=beam)).translate(["", "ein Hund"])


def test_vocabularies_must_fit_the_model(bpe: Translator) -> None:
    larger = Vocabulary.train([chr(number) for number in range(0x4E00, 0x5200)], kind="characters", size=8000)
    with pytest.raises(UserError, match="source vocabulary has 1028 pieces"):
        Translator(bpe.model, Vocabularies(larger, larger))


def test_a_model_in_training_mode_comes_back_in_it(bpe: Translator) -> None:
    expected = bpe.translate(sentences(5))
    bpe.model.train()
    try:
        assert bpe.translate(sentences(5)) == expected
        assert bpe.model.training
    finally:
        bpe.model.eval()


def test_samples_without_a_seed_differ_from_call_to_call(bpe: Translator) -> None:
    drawing = Translator(bpe.model, bpe.vocabularies, DecodingConfig(sample=True))
    assert drawing.translate(sentences(9)) != drawing.translate(sentences(9))
    assert drawing.config.seed is None


def test_a_text_of_two_parts_gets_the_samples_of_the_whole(bpe: Translator) -> None:
    drawing = Translator(bpe.model, bpe.vocabularies, DecodingConfig(sample=True, seed=1))
    texts = ["ein Hund"] * 8
    whole = drawing.translate(texts)
    assert drawing.translate(texts[:5]) + drawing.translate(texts[5:], first=5) == whole
    assert len(set(whole)) > 1


KINDS = [("bpe", "bpe"), ("characters", "characters"), ("symbols", "symbols")]


@pytest.mark.parametrize("kinds", KINDS, ids=lambda kinds: kinds[1])
@pytest.mark.parametrize("choices", [{}, dict(sample=True, seed=2)], ids=["greedy", "sample"])
def test_the_parts_of_a_stream_make_the_whole_answer(kinds: tuple[str, str], choices: dict[str, Any]) -> None:
    one = translator(kinds, **choices)
    longest = 0
    for place, text in enumerate([*sentences(12), "", " "]):
        parts = list(one.stream(text, place))
        assert "".join(parts) == one.translate([text], place)[0]
        assert all(parts)
        longest = max(longest, len(parts))
    assert longest > 1


def test_a_text_too_long_to_stream_is_named_by_its_place(bpe: Translator) -> None:
    with pytest.raises(UserError, match=r"text 3 .* but the model reads at most"):
        list(bpe.stream("ein Hund " * 500, 2))


def test_a_beam_cannot_be_streamed(bpe: Translator) -> None:
    with pytest.raises(UserError, match="beam=4 cannot be streamed"):
        Translator(bpe.model, bpe.vocabularies, DecodingConfig(beam=4)).stream("ein Hund")


def byte_ids(vocabulary: Vocabulary, data: bytes) -> list[int]:
    """The byte pieces, in the order of the bytes."""
    first = next(number for number in range(len(vocabulary)) if vocabulary.piece(number) == "<0x00>")
    return [first + byte for byte in data]


@pytest.mark.parametrize(
    ("spelt", "parts"),
    [
        (["ein", "€".encode()], ["ein", "€"]),
        (["€🙂".encode(), " Hund"], None),
        (["é".encode(), b"\xe2"], None),  # the run of bytes is no text after all
        ([b"\xff\xfe"], None),
        (["ein", b"AB", " Hund"], None),
        ([b"\xe2\x82"], None),
    ],
)
def test_half_a_character_waits_for_its_other_bytes(
    bpe: Translator, spelt: list[str | bytes], parts: list[str] | None
) -> None:
    vocabulary = bpe.vocabularies.src
    ids = list(chain(*(byte_ids(vocabulary, p) if isinstance(p, bytes) else vocabulary.encode(p) for p in spelt)))
    shown = list(growing_text(vocabulary, ids))
    assert "".join(shown) == vocabulary.decode(ids)
    assert parts is None or shown == parts


def test_any_ids_stream_to_their_text(bpe: Translator) -> None:
    draw, vocabulary = random.Random(1), bpe.vocabularies.src
    for _ in range(200):
        ids = draw.choices(range(len(vocabulary)), k=draw.randrange(12))
        assert "".join(growing_text(vocabulary, ids)) == vocabulary.decode(ids)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_works_in_the_models_own_dtype(dtype: torch.dtype) -> None:
    one = translator()
    one.model.to(dtype)
    for choices in ({}, dict(beam=4), dict(sample=True)):
        assert len(Translator(one.model, one.vocabularies, replace(one.config, **choices)).translate(sentences(9))) == 9
    assert one.model.fc_out.weight.dtype == dtype
