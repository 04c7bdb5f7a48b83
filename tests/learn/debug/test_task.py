"""The debugging set's own task and decoding are right where no fault is planted."""

import pytest
import torch

from glassformer.decode import DecodingConfig, beam_search, greedy
from glassformer.errors import UserError
from glassformer.learn.debug.decoding import LIMIT, answer_log_prob, beam_answer, cached_logits, greedy_ids
from glassformer.learn.debug.system import new_model
from glassformer.learn.debug.task import END, LONGEST, PAD, SHORTEST, START, reversals
from glassformer.model.transformer import Transformer

UNFORCED = dict(length_penalty=0, max_ratio=0, max_extra=LIMIT, forced_end=False)


def unsure_model() -> Transformer:
    """Random weights, and logits far enough apart that some answers end and beams differ from greedy."""
    model = new_model(dtype=torch.float64, tie_embeddings="none").eval()
    with torch.no_grad():
        model.fc_out.weight.normal_(std=0.3)
        model.fc_out.bias[END] += 2
        model.fc_out.bias[[PAD, START]] -= 50  # the package never writes them
    return model


def test_targets_are_their_sources_backwards() -> None:
    src, trg = reversals(50, seed=1)
    lengths = set()
    for source, target in zip(src.tolist(), trg.tolist(), strict=True):
        length = source.index(END)
        lengths.add(length)
        assert target == [START, *source[:length][::-1], END, *[PAD] * (LONGEST - length)]
        assert source[length + 1 :] == [PAD] * (LONGEST - length)
    assert lengths == set(range(SHORTEST, LONGEST + 1))


def test_one_length_needs_no_padding_and_another_padding_fills_up_alike() -> None:
    alike = reversals(9, seed=2, one_length=True)
    assert not (alike.src == PAD).any()
    usual, other = reversals(9, seed=3), reversals(9, seed=3, pad=END)
    assert torch.equal(usual.src.masked_fill(usual.src == PAD, END), other.src)


@torch.no_grad()
def test_greedy_answers_are_those_of_the_package() -> None:
    model = unsure_model()
    src, _ = reversals(20, seed=4)
    ours = [ids[:-1] if ids[-1] == END else ids for ids in greedy_ids(model, src, START)]
    theirs = [hypothesis.ids for hypothesis in greedy(model, src, START, END, DecodingConfig(**UNFORCED))]
    assert ours == theirs
    assert len(set(map(len, ours))) > 2


@torch.no_grad()
def test_the_cache_gives_the_numbers_of_one_pass() -> None:
    model = unsure_model()
    src, trg = reversals(5, seed=5)
    torch.testing.assert_close(cached_logits(model, src, trg), model(src, trg), rtol=0, atol=1e-12)


@torch.no_grad()
def test_a_beam_finds_what_the_package_finds_and_tells_the_log_probability_of_its_answer() -> None:
    model = unsure_model()
    src, _ = reversals(12, seed=6)
    found = [beam_answer(model, row.unsqueeze(0), 4) for row in src]
    config = DecodingConfig(beam=4, **UNFORCED)
    theirs = [best.ids for (best, *_) in beam_search(model, src, START, END, config)]
    assert [answer.ids for answer in found] == theirs
    assert answer_log_prob(model, src[:1], [5, 6]) == answer_log_prob(model, src[:1], [5, 6, END])
    ended = [(row, answer) for row, answer in zip(src, found, strict=True) if len(answer.ids) < LIMIT]
    assert len(ended) > 3
    for row, answer in ended:
        assert abs(answer.log_prob - answer_log_prob(model, row.unsqueeze(0), answer.ids)) < 1e-9


def test_beam_and_log_probability_take_one_source_and_say_so() -> None:
    model, (src, _) = unsure_model(), reversals(2, seed=7)
    with pytest.raises(UserError, match=r"2 sources at once: this takes one, src\[:1\]"):
        beam_answer(model, src, 2)
    with pytest.raises(UserError, match="2 sources"):
        answer_log_prob(model, src, [5])
