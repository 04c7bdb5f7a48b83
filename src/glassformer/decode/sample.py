"""Sampling: each token is drawn by its probability, after the unlikely ones were left out.

The chance of a sentence comes from (seed, its position, number of the draw) alone, so its answer depends neither on
the batch it is in nor on the device.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from glassformer.decode.beam import largest
from glassformer.decode.config import DecodingConfig
from glassformer.decode.steps import Choose, Hypothesis, collect, length_limits, write
from glassformer.model.transformer import Transformer


def sample(
    model: Transformer,
    src: Tensor,
    start_id: int,
    end_id: int,
    config: DecodingConfig,
    positions: Sequence[int] | None = None,
) -> list[list[Hypothesis]]:
    """`n_best` answers drawn for each source (n, s) with its </s>, in the order drawn; equal ones may come.

    `positions` are the sentences' places in the whole text, where `src` is only a part of it. The log probabilities
    are the model's own, before temperature and filters. Raises like `greedy`.
    """
    draws = config.n_best
    repeated = src.repeat_interleave(draws, dim=0)
    places = range(len(src)) if positions is None else positions
    choose = chance(model, repeated, config, [(place, draw) for place in places for draw in range(draws)])
    drawn = collect(write(model, repeated, start_id, end_id, config, choose), len(repeated), end_id, config)
    return [drawn[first : first + draws] for first in range(0, len(drawn), draws)]


def chance(model: Transformer, src: Tensor, config: DecodingConfig, places: Sequence[tuple[int, int]]) -> Choose:
    """The rule that draws each next token of the sources (n, s); `places` are their (position, draw)."""
    seed = fresh_seed() if config.seed is None else config.seed
    longest = int(length_limits(model, src, config).max()) if len(src) else 0
    table = [np.random.default_rng([seed, *place]).random(longest) for place in places]
    noise = torch.tensor(np.array(table), dtype=torch.float32, device=model.device)

    def choose(log_probs: Tensor, sentences: Tensor, length: int) -> Tensor:
        probabilities, tokens = filtered(log_probs, config)
        reached = probabilities.cumsum(dim=1)
        goal = noise[sentences, length] * reached[:, -1]
        last = (probabilities > 0).cumsum(dim=1).argmax(dim=1)  # noise that rounds up to 1 draws the last one
        rank = (reached <= goal.unsqueeze(1)).sum(dim=1).minimum(last)
        return tokens.gather(1, rank.unsqueeze(1)).squeeze(1)

    return choose


def filtered(log_probs: Tensor, config: DecodingConfig) -> tuple[Tensor, Tensor]:
    """What may be drawn from log probabilities (r, v): (shares, their tokens), a share of 0 for what was left out.

    In this order: temperature, top_k, then top_p and min_p of what top_k left. Shares need not sum to 1.
    """
    allowed, tokens = log_probs, torch.arange(log_probs.size(1), device=log_probs.device).expand_as(log_probs)
    if 0 < config.top_k < log_probs.size(1):
        allowed, tokens = largest(log_probs, config.top_k)
    elif config.top_p < 1:  # sorting the whole vocabulary costs more than the model's step: only where it must be
        allowed, tokens = log_probs.sort(dim=1, descending=True, stable=True)
    probabilities = (allowed / config.temperature).softmax(dim=1)
    enough = probabilities >= config.min_p * probabilities.amax(dim=1, keepdim=True)
    if config.top_p < 1:
        before = probabilities.cumsum(dim=1) - probabilities
        enough &= (before < config.top_p) | (before == 0)
    return probabilities.masked_fill(~enough, 0), tokens


def fresh_seed() -> int:
    """A new seed from torch's own chance, so that `torch.manual_seed` repeats a whole program."""
    return int(torch.randint(2**62, ()))
