import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from glassformer.decode import DecodingConfig, beam_search, greedy
from glassformer.decode.beam import largest, search
from glassformer.decode.stepper import PlainStepper
from glassformer.decode.steps import Hypothesis, Live
from glassformer.model.transformer import Transformer
from tests.decode.peaked import END, START, limit, log_probs_after, padded, peaked_model, sources
from tests.small import SRC_VOCAB

ALPHAS = [0.0, 0.6, 1.0]


def tiny_target(seed: int, eager: float = 0.5) -> Transformer:
    """A model of three words, ids 3, 4, 5 beside padding, start and end; the more eager, the sooner it ends."""
    torch.manual_seed(seed)
    model = peaked_model(trg_vocab_size=6)
    with torch.no_grad():
        model.fc_out.weight.mul_(0.5)
        model.fc_out.bias[END] += eager
    return model


def every_answer(
    model: Transformer, src: list[int], config: DecodingConfig, prefix: tuple[int, ...] = (), so_far: float = 0.0
) -> Iterator[tuple[float, tuple[int, ...]]]:
    """(log probability, tokens) of each sequence the limit allows: what ends and, without forced end, the rest."""
    log_probs = log_probs_after(model, src, list(prefix), config)
    for token in log_probs.isfinite().nonzero().squeeze(1).tolist():
        tokens, total = (*prefix, token), so_far + float(log_probs[token])
        last = len(tokens) == limit(src, config, model)
        if token == END or (last and not config.forced_end):
            yield total, tokens
        elif not last:
            yield from every_answer(model, src, config, tokens, total)


def score(total: float, tokens: tuple[int, ...], alpha: float) -> float:
    return total / ((5 + len(tokens)) / 6) ** alpha


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("forced_end", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_a_wide_beam_is_exhaustive_search(alpha: float, forced_end: bool, seed: int) -> None:
    model = tiny_target(seed)
    texts = [[7], [3, 9], [4, 4, 8]]
    config = DecodingConfig(
        beam=200, n_best=7, length_penalty=alpha, max_ratio=1.0, max_extra=1, forced_end=forced_end
    )  # answers of 2, 3 and 4 tokens at most: up to 3^4 + 3^3 + 3^2 + 3 + 1 of them
    for src, found in zip(texts, beam_search(model, padded(texts), START, END, config), strict=True):
        answers = list(every_answer(model, src, config))
        best = sorted(answers, key=lambda answer: -score(*answer, alpha))[:7]
        assert [hypothesis.ids for hypothesis in found] == [[t for t in tokens if t != END] for _, tokens in best]
        assert [h.score for h in found] == pytest.approx([score(*answer, alpha) for answer in best], abs=1e-10)
        assert [h.log_prob for h in found] == pytest.approx([total for total, _ in best], abs=1e-10)
        if forced_end:
            assert len(answers) == sum(3**length for length in range(limit(src, config, model)))


def plain_beam(
    after: Callable[[tuple[int, ...]], list[float]], longest: int, config: DecodingConfig
) -> list[tuple[float, tuple[int, ...]]]:
    """The definition in lists, for one sentence, without stopping early: (score, tokens), best first."""
    live: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    finished: list[tuple[float, tuple[int, ...]]] = []
    for length in range(1, longest + 1):
        continuations = [
            (total + log_prob, (*tokens, token))
            for total, tokens in live
            for token, log_prob in enumerate(after(tokens))
            if log_prob > -math.inf and (token == END or length < longest or not config.forced_end)
        ]
        continuations = sorted(continuations, key=lambda each: -each[0])[: 2 * config.beam]
        finished += [each for each in continuations[: config.beam] if each[1][-1] == END]
        live = [each for each in continuations if each[1][-1] != END][: config.beam]
    if not config.forced_end:
        finished += live
    scored = [(score(total, tokens, config.length_penalty), tokens) for total, tokens in finished]
    return sorted(scored, key=lambda each: -each[0])[: config.n_best]


@pytest.mark.parametrize(
    ("beam", "n_best", "forced_end"), [(2, 1, True), (2, 2, False), (3, 1, False), (3, 3, True), (4, 4, True)]
)
def test_beam_search_follows_its_definition_and_stopping_early_loses_nothing(
    beam: int, n_best: int, forced_end: bool
) -> None:
    config = DecodingConfig(beam=beam, n_best=n_best, max_ratio=1.0, max_extra=4, forced_end=forced_end)
    for seed in range(8):
        model, src = tiny_target(seed, eager=0.5 + 2 * (seed % 2)), sources(3)[seed % 3]

        @cache
        def after(prefix: tuple[int, ...], model: Transformer = model, src: list[int] = src) -> list[float]:
            return log_probs_after(model, src, list(prefix), config).tolist()

        for alpha in (*ALPHAS, 2.0):
            penalized = replace(config, length_penalty=alpha)
            (found,) = beam_search(model, padded([src]), START, END, penalized)
            expected = plain_beam(after, limit(src, config, model), penalized)
            assert [h.ids for h in found] == [[t for t in tokens if t != END] for _, tokens in expected]
            assert [h.score for h in found] == pytest.approx([value for value, _ in expected], abs=1e-10)


def test_stopping_early_saves_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    model, src, steps = peaked_model(), padded(sources(6)), []
    logits = Live.logits

    def noted(live: Live) -> Tensor:
        steps.append(len(live.last))
        return logits(live)

    monkeypatch.setattr(Live, "logits", noted)
    with torch.no_grad():
        model.fc_out.bias[END] += 20
    found = beam_search(model, src, START, END, DecodingConfig(beam=4, max_extra=9))
    assert steps == [6]
    assert all(several[0].ids == [] for several in found)


def test_as_many_go_on_as_the_beam_holds_when_others_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {  # after these tokens: the shares of END, 3, 4
        (): (0.0, 0.5, 0.5),
        (3,): (0.5, 0.3, 0.2),
        (4,): (0.45, 0.29, 0.26),
        (3, 3): (0.1, 0.45, 0.45),
        (4, 3): (1.0, 0.0, 0.0),
    }

    def log_probs(live: Live) -> torch.Tensor:
        assert isinstance(live.stepper, PlainStepper)
        prefixes = live.stepper.cache.extend(live.last.unsqueeze(1))[:, 1:].tolist()
        shares = [table.get(tuple(prefix), (0.2, 0.4, 0.4)) for prefix in prefixes]
        return torch.tensor([[0.0, 0.0, *share] for share in shares], dtype=torch.float64).log()

    monkeypatch.setattr(Live, "logits", log_probs)
    monkeypatch.setattr("glassformer.decode.stepper.packs", lambda model, start_id: False)  # its cache is looked into
    config = DecodingConfig(beam=2, length_penalty=3.0, max_ratio=0.0, max_extra=5)
    # 3 and 4 may both end at the second step: 4 3 is only the fourth best there, and the best answer in the end.
    (found,) = beam_search(tiny_target(0), padded([[7]]), START, END, config)
    assert found[0].ids == [4, 3]


@pytest.mark.parametrize("forced_end", [True, False])
def test_a_beam_of_one_is_greedy(forced_end: bool) -> None:
    model, src = peaked_model(), padded(sources(12))
    config = DecodingConfig(max_ratio=1.0, max_extra=4, forced_end=forced_end)
    expected = greedy(model, src, START, END, config)
    assert beam_search(model, src, START, END, config) == [[hypothesis] for hypothesis in expected]
    for ours, (theirs,) in zip(
        expected, search(model, src, START, END, replace(config, length_penalty=0.0)), strict=True
    ):
        assert ours.ids == theirs.ids
        assert ours.token_log_probs == pytest.approx(theirs.token_log_probs, abs=1e-10)


def test_a_longer_n_best_list_begins_with_the_shorter_one() -> None:
    model, src = peaked_model(), padded(sources(8))
    five = beam_search(model, src, START, END, DecodingConfig(beam=5, n_best=5))
    two = beam_search(model, src, START, END, DecodingConfig(beam=5, n_best=2))
    assert [[h.ids for h in several] for several in two] == [[h.ids for h in several[:2]] for several in five]
    for several in five:
        assert [h.score for h in several] == sorted((h.score for h in several), reverse=True)
        assert len({tuple(h.ids) for h in several}) == 5


def test_a_larger_length_penalty_never_shortens_the_best_of_all_answers() -> None:
    model, src = tiny_target(1), padded([[7, 8]])
    config = DecodingConfig(beam=200, max_ratio=1.0, max_extra=3)
    lengths = [
        len(beam_search(model, src, START, END, replace(config, length_penalty=alpha))[0][0].ids)
        for alpha in (0.0, 0.6, 1.0, 2.0, 5.0)
    ]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]


def test_where_too_few_answers_exist_fewer_come_back() -> None:
    model = tiny_target(0)
    config = DecodingConfig(beam=5, n_best=5, max_ratio=0.0, max_extra=1, forced_end=False, forbidden_ids=(4,))
    (found,) = beam_search(model, padded([[7]]), START, END, config)
    assert sorted(hypothesis.ids for hypothesis in found) == [[], [3], [5]]


def test_a_hypothesis_says_what_each_token_cost() -> None:
    model, texts = peaked_model(), sources(2)
    config = DecodingConfig(beam=3, n_best=3, length_penalty=1.0)
    for src, several in zip(texts, beam_search(model, padded(texts), START, END, config), strict=True):
        for ids, log_prob, value, token_log_probs in several:
            tokens = [*ids, END]
            costs = [float(log_probs_after(model, src, tokens[:i], config)[t]) for i, t in enumerate(tokens)]
            assert token_log_probs == pytest.approx(costs, abs=1e-10)
            assert log_prob == pytest.approx(sum(costs), abs=1e-10)
            assert value == pytest.approx(sum(costs) * 6 / (5 + len(tokens)), abs=1e-10)


def test_of_equal_values_the_lowest_indices_are_the_largest() -> None:
    values = torch.tensor([
        [1.0, 3.0, 3.0, 2.0, 3.0, 2.0, 2.0, 0.0],
        [5.0, 4.0, 3.0, 2.0, 1.0, 0.0, -1.0, -2.0],
        [0.0] * 8,
        [-math.inf, 1.0, -math.inf, -math.inf, 1.0, -math.inf, 0.0, 0.0],
    ])  # fmt: skip
    for k in range(1, 9):
        order = values.sort(dim=1, descending=True, stable=True)
        top, index = largest(values, k)
        assert top.equal(order.values[:, :k])
        finite = top.isfinite()
        assert index[finite].equal(order.indices[:, :k][finite])


def test_ties_do_not_depend_on_the_batch() -> None:
    model = peaked_model()
    with torch.no_grad():
        model.fc_out.weight.zero_()
        model.fc_out.bias.zero_()
    config = DecodingConfig(beam=3, n_best=3, max_extra=2)
    texts = [[number] for number in range(3, SRC_VOCAB)]
    together: list[list[Hypothesis]] = beam_search(model, padded(texts), START, END, config)
    for src, several in zip(texts, together, strict=True):
        assert [h.ids for h in beam_search(model, padded([src]), START, END, config)[0]] == [h.ids for h in several]
    # All nine tokens are equally likely: the six best continuations of 3, 4, 5 are the first six of 3.
    assert [h.ids for h in together[0]] == [[], [3], [3, 3]]
