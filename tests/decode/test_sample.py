import math
from collections import Counter
from dataclasses import replace

import pytest
import torch

from glassformer.decode import DecodingConfig, greedy, sample
from glassformer.decode.sample import filtered
from tests.decode.peaked import END, START, log_probs_after, padded, peaked_model, sources

CONFIG = DecodingConfig(sample=True, seed=1, max_ratio=1.0, max_extra=3)
DRAWS = 4000


def first_tokens(config: DecodingConfig) -> tuple[Counter[int], torch.Tensor]:
    """The first token of many draws for one source, and the model's own log probabilities for it."""
    model, src = peaked_model(), [5, 7, 3]
    with torch.no_grad():
        model.fc_out.weight.mul_(0.15)
    config = replace(config, n_best=DRAWS, max_ratio=0.0, max_extra=1, forced_end=False)
    (drawn,) = sample(model, padded([src]), START, END, config)
    return Counter((*ids, END)[0] for ids, *_ in drawn), log_probs_after(model, src, [], config)


def expected_shares(log_probs: torch.Tensor, config: DecodingConfig) -> dict[int, float]:
    """What may be drawn and how often, in plain Python, by the filters' definitions."""
    weights = {
        t: math.exp(value / config.temperature) for t, value in enumerate(log_probs.tolist()) if value > -math.inf
    }
    ranked = sorted(weights, key=lambda token: -weights[token])[: config.top_k or None]
    total = sum(weights[token] for token in ranked)
    shares = {token: weights[token] / total for token in ranked}
    kept, before = {}, 0.0
    for token in ranked:
        if before < config.top_p and shares[token] >= config.min_p * shares[ranked[0]]:
            kept[token] = shares[token]
        before += shares[token]
    return {token: share / sum(kept.values()) for token, share in kept.items()}


@pytest.mark.parametrize(
    "choices",
    [
        {},
        dict(temperature=0.5),
        dict(temperature=2.0),
        dict(top_k=3),
        dict(top_p=0.6),
        dict(min_p=0.4),
        dict(temperature=1.5, top_k=6, top_p=0.8, min_p=0.2),
    ],
    ids=str,
)
def test_tokens_are_drawn_as_often_as_their_share(choices: dict[str, float]) -> None:
    config = replace(CONFIG, **choices)  # type: ignore[arg-type]
    counts, log_probs = first_tokens(config)
    shares = expected_shares(log_probs, config)
    assert set(counts) <= set(shares)
    assert len(shares) > 1
    for token, share in shares.items():
        spread = math.sqrt(share * (1 - share) / DRAWS)
        assert counts[token] / DRAWS == pytest.approx(share, abs=4.5 * spread), token


NARROW = [dict(top_p=0.01), dict(min_p=1.0), dict(top_k=1), dict(top_k=5, top_p=0.7), dict(top_p=0.95, min_p=0.05)]


def test_the_filters_leave_what_their_definitions_say() -> None:
    log_probs = (3 * torch.randn(50, 12, dtype=torch.float64)).log_softmax(dim=1)
    for choices in NARROW:
        config = replace(CONFIG, **choices)  # type: ignore[arg-type]
        probabilities, tokens = filtered(log_probs, config)
        for row in range(50):
            kept = {t: p for t, p in zip(tokens[row].tolist(), probabilities[row].tolist(), strict=True) if p > 0}
            shares = expected_shares(log_probs[row], config)
            assert set(kept) == set(shares)
            assert [kept[t] / sum(kept.values()) for t in shares] == pytest.approx(list(shares.values()))


@pytest.mark.parametrize("choices", [dict(top_k=1), dict(top_p=1e-6), dict(min_p=1.0), dict(temperature=1e-3)], ids=str)
def test_each_filter_at_its_narrowest_is_greedy(choices: dict[str, float]) -> None:
    model, src = peaked_model(), padded(sources(12))
    config = replace(CONFIG, **choices)  # type: ignore[arg-type]
    assert [only.ids for (only,) in sample(model, src, START, END, config)] == [
        hypothesis.ids for hypothesis in greedy(model, src, START, END, config)
    ]


def test_a_seed_repeats_every_draw_and_another_seed_does_not() -> None:
    model, src = peaked_model(), padded(sources(12))
    first = sample(model, src, START, END, CONFIG)
    torch.manual_seed(99)  # torch's own chance plays no part
    assert sample(model, src, START, END, CONFIG) == first
    assert sample(model, src, START, END, replace(CONFIG, seed=2)) != first


def test_without_a_seed_torchs_own_chance_decides() -> None:
    model, src, config = peaked_model(), padded(sources(12)), replace(CONFIG, seed=None)
    torch.manual_seed(4)
    first, second = (sample(model, src, START, END, config) for _ in range(2))
    assert first != second
    torch.manual_seed(4)
    assert sample(model, src, START, END, config) == first


def test_draws_are_independent_and_more_of_them_begin_with_the_fewer() -> None:
    model, src = peaked_model(), padded([[7, 5]] * 3)
    one = sample(model, src, START, END, CONFIG)
    many = sample(model, src, START, END, replace(CONFIG, n_best=20))
    assert [several[0].ids for several in many] == [only.ids for (only,) in one]
    assert len({tuple(h.ids) for several in many for h in several}) > 10
    assert [h.ids for h in many[0]] != [h.ids for h in many[1]]


def test_log_probabilities_are_the_models_own_whatever_the_filters() -> None:
    model, texts = peaked_model(), sources(6)
    config = replace(CONFIG, temperature=0.7, top_k=3)
    for src, (drawn,) in zip(texts, sample(model, padded(texts), START, END, config), strict=True):
        tokens = [*drawn.ids, END][: len(drawn.token_log_probs)]
        costs = [float(log_probs_after(model, src, tokens[:i], config)[t]) for i, t in enumerate(tokens)]
        assert drawn.token_log_probs == pytest.approx(costs, abs=1e-10)
