"""The decoder layer, rightly, in other ways than the solution's."""

import torch
import torch.nn.functional as F
from torch import Tensor, einsum

from glassformer.learn.weights import AttentionWeights, DecoderLayerWeights, NormWeights
from tests.learn.right.e11_encoder import attended, normed, worked_on


def by_the_library(
    x: Tensor, memory: Tensor, weights: DecoderLayerWeights, heads: int, trg_mask: Tensor, src_mask: Tensor
) -> Tensor:
    sides = [
        (weights.self_attention, weights.self_attention_norm, trg_mask, False),
        (weights.cross_attention, weights.cross_attention_norm, src_mask, True),
    ]
    for w, norm, mask, cross in sides:
        key = memory if cross else x
        queries, keys, values = (
            (side @ matrix).unflatten(-1, (heads, -1)).transpose(1, 2)
            for side, matrix in ((x, w.to_queries), (key, w.to_keys), (key, w.to_values))
        )
        mixed = F.scaled_dot_product_attention(queries, keys, values, mask).transpose(1, 2).flatten(2)
        x = F.layer_norm(x + mixed @ w.fc_out, x.shape[-1:], *norm, eps=1e-5)
    f = weights.feed_forward
    answer = F.linear(F.relu(F.linear(x, f.w1.T, f.b1)), f.w2.T, f.b2)
    return F.layer_norm(x + answer, x.shape[-1:], *weights.feed_forward_norm, eps=1e-5)


def asked(query: Tensor, key: Tensor, weights: AttentionWeights, heads: int, mask: Tensor) -> Tensor:
    """By einsum; -1e9 where hidden."""
    n, q, e = query.shape
    queries = (query @ weights.to_queries).reshape(n, q, heads, e // heads)
    keys = (key @ weights.to_keys).reshape(n, -1, heads, e // heads)
    values = (key @ weights.to_values).reshape(n, -1, heads, e // heads)
    energy = einsum("nqhd,nkhd->nhqk", queries, keys) / (e // heads) ** 0.5
    share = torch.where(mask, energy, torch.full_like(energy, -1e9)).softmax(dim=3)
    return einsum("nhqk,nkhd->nqhd", share, values).reshape(n, q, e) @ weights.fc_out


def line_by_line(
    x: Tensor, memory: Tensor, weights: DecoderLayerWeights, heads: int, trg_mask: Tensor, src_mask: Tensor
) -> Tensor:
    attended_to = asked(x, x, weights.self_attention, heads, trg_mask)
    x1 = normed(x + attended_to, weights.self_attention_norm)
    read = asked(x1, memory, weights.cross_attention, heads, src_mask)
    x2 = normed(x1 + read, weights.cross_attention_norm)
    return normed(x2 + worked_on(x2, weights.feed_forward), weights.feed_forward_norm)


def sentence_by_sentence(
    x: Tensor, memory: Tensor, weights: DecoderLayerWeights, heads: int, trg_mask: Tensor, src_mask: Tensor
) -> Tensor:
    """Position by position, each with the words that it may see and nothing else: no mask is left."""
    sentences = []
    for sentence, source, sees, words in zip(x, memory, trg_mask[:, 0], src_mask[:, 0, 0], strict=True):
        known = source[words]
        rows = []
        for position, row in enumerate(sentence):
            seen = sentence[sees[position]]
            out = add_and_norm(row, one_query(row, seen, weights.self_attention, heads), weights.self_attention_norm)
            out = add_and_norm(out, one_query(out, known, weights.cross_attention, heads), weights.cross_attention_norm)
            rows.append(add_and_norm(out, worked_on(out, weights.feed_forward), weights.feed_forward_norm))
        sentences.append(torch.stack(rows))
    return torch.stack(sentences)


def one_query(query: Tensor, key: Tensor, weights: AttentionWeights, heads: int) -> Tensor:
    queries, keys, values = query @ weights.to_queries, key @ weights.to_keys, key @ weights.to_values
    mixed = []
    for q, k, v in zip(queries.chunk(heads), keys.chunk(heads, dim=1), values.chunk(heads, dim=1), strict=True):
        mixed.append(((k @ q) / len(q) ** 0.5).softmax(dim=0) @ v)
    return torch.cat(mixed) @ weights.fc_out


def add_and_norm(x: Tensor, answer: Tensor, weights: NormWeights) -> Tensor:
    return normed(x + answer, weights)


def by_the_encoders_attention(
    x: Tensor, memory: Tensor, weights: DecoderLayerWeights, heads: int, trg_mask: Tensor, src_mask: Tensor
) -> Tensor:
    """Self-attention over one long row of source and target, with the other side hidden."""
    n, t, _ = x.shape
    s = memory.size(1)
    own = torch.stack([attended(x[:, : i + 1], trg_mask[:, :, i : i + 1, : i + 1], weights.self_attention, heads)[:, i]
                       for i in range(t)], dim=1)  # fmt: skip
    x = normed(x + own, weights.self_attention_norm)
    both = torch.cat([memory, x], dim=1)
    hidden = torch.cat([src_mask, torch.zeros(n, 1, 1, t, dtype=torch.bool)], dim=3)
    x = normed(x + attended(both, hidden, weights.cross_attention, heads)[:, s:], weights.cross_attention_norm)
    return normed(x + worked_on(x, weights.feed_forward), weights.feed_forward_norm)


RIGHT = {"decoder_layer": [by_the_library, line_by_line, sentence_by_sentence, by_the_encoders_attention]}
