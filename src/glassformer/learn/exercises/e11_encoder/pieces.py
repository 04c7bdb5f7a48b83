"""The earlier exercises' functions, written once more for the references of 11 to 13, and inputs for their probes."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, scaled_dot_product_attention

from glassformer.learn.weights import (
    AttentionWeights,
    FeedForwardWeights,
    NormWeights,
)

EPS = 1e-5  # of every layer norm, as the tasks say

Branch = Callable[[Tensor], Tensor]


def attention(query: Tensor, key: Tensor, weights: AttentionWeights, heads: int, mask: Tensor) -> Tensor:
    queries, keys, values = (
        (side @ matrix).view(*side.shape[:2], heads, -1).transpose(1, 2)
        for side, matrix in ((query, weights.to_queries), (key, weights.to_keys), (key, weights.to_values))
    )
    # A finite fill, as in 04 and 05: a query with no key gets an average, where wrong masks leave one.
    fill = torch.zeros(mask.shape, dtype=query.dtype).masked_fill(~mask, torch.finfo(query.dtype).min)
    mixed = scaled_dot_product_attention(queries, keys, values, fill)
    return mixed.transpose(1, 2).flatten(2) @ weights.fc_out


def feed_forward(x: Tensor, weights: FeedForwardWeights) -> Tensor:
    return (x @ weights.w1 + weights.b1).relu() @ weights.w2 + weights.b2


def normed(x: Tensor, weights: NormWeights) -> Tensor:
    return layer_norm(x, x.shape[-1:], weights.gain, weights.bias, EPS)


def words_mask(lengths: Iterable[int], size: int, *, left: bool = False) -> Tensor:
    """(n, 1, 1, size): True at the words of sentences of these lengths, filled up on the right, or on the left."""
    rows = torch.stack([torch.arange(size) < length for length in lengths])
    return (rows.flip(1) if left else rows).unsqueeze(1).unsqueeze(2)


def look_ahead(t: int) -> Tensor:
    """(1, 1, t, t): each position sees itself and what is before it."""
    return torch.ones(t, t, dtype=torch.bool).tril().unsqueeze(0).unsqueeze(1)


def shifted_identity(size: int, by: int) -> Tensor:
    """The identity with its columns moved round: a matrix that examples can show in words."""
    return torch.eye(size, dtype=torch.float64).roll(by, dims=1)


def plain_attention(size: int, by: int) -> AttentionWeights:
    identity = shifted_identity(size, 0)
    return AttentionWeights(identity, identity, identity, shifted_identity(size, by))


def plain_feed_forward(size: int, by: int) -> FeedForwardWeights:
    zeros = torch.zeros(size, dtype=torch.float64)
    return FeedForwardWeights(shifted_identity(size, by), zeros, shifted_identity(size, 0), zeros)


def plain_norm(*gain: float) -> NormWeights:
    """These gains, and no bias."""
    gains = torch.tensor(gain, dtype=torch.float64)
    return NormWeights(gains, torch.zeros_like(gains))
