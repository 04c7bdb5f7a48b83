"""Multi-head attention, rightly, in other ways than the solution's."""

import math

import torch
from torch import Tensor, einsum
from torch.nn.functional import multi_head_attention_forward, scaled_dot_product_attention

from glassformer.learn.weights import AttentionWeights


def by_einsum(query: Tensor, key: Tensor, weights: AttentionWeights, heads: int, mask: Tensor) -> Tensor:
    e = query.size(-1)
    to_queries, to_keys, to_values = (each.view(e, heads, e // heads) for each in weights[:3])
    queries = einsum("nqe,ehd->nqhd", query, to_queries)
    keys, values = einsum("nke,ehd->nkhd", key, to_keys), einsum("nke,ehd->nkhd", key, to_values)
    energy = einsum("nqhd,nkhd->nhqk", queries, keys) * (e // heads) ** -0.5
    attention = energy.masked_fill(~mask, -torch.inf).softmax(-1)
    return einsum("nhqk,nkhd,hdf->nqf", attention, values, weights.fc_out.view(heads, e // heads, e))


def head_by_head(query: Tensor, key: Tensor, weights: AttentionWeights, heads: int, mask: Tensor) -> Tensor:
    d = query.size(-1) // heads
    out = torch.zeros_like(query)
    for head in range(heads):
        own = slice(head * d, (head + 1) * d)
        energy = (query @ weights.to_queries[:, own]) @ (key @ weights.to_keys[:, own]).mT / math.sqrt(d)
        allowed = mask[:, head if mask.size(1) > 1 else 0]
        attention = energy.masked_fill(~allowed, -1e9).softmax(-1)
        out = out + attention @ (key @ weights.to_values[:, own]) @ weights.fc_out[own]
    return out


def heads_before_words(query: Tensor, key: Tensor, weights: AttentionWeights, heads: int, mask: Tensor) -> Tensor:
    n, q, e = query.shape

    def cut(x: Tensor) -> Tensor:
        return x.view(n, -1, heads, e // heads).transpose(1, 2)

    out = scaled_dot_product_attention(
        cut(query @ weights.to_queries), cut(key @ weights.to_keys), cut(key @ weights.to_values), mask
    )
    return out.transpose(1, 2).contiguous().view(n, q, e) @ weights.fc_out


def by_the_library(query: Tensor, key: Tensor, weights: AttentionWeights, heads: int, mask: Tensor) -> Tensor:
    n, q, e = query.shape
    hidden = ~mask.expand(n, heads, q, key.size(1)).reshape(n * heads, q, -1)
    turned = key.transpose(0, 1)
    out, _ = multi_head_attention_forward(
        query.transpose(0, 1), turned, turned, e, heads, torch.cat([each.T for each in weights[:3]]), None, None, None,
        False, 0.0, weights.fc_out.T, None, need_weights=False, attn_mask=hidden,
    )  # fmt: skip
    return out.transpose(0, 1)


def in_float32(query: Tensor, key: Tensor, weights: AttentionWeights, heads: int, mask: Tensor) -> Tensor:
    return by_einsum(query.float(), key.float(), AttentionWeights(*(each.float() for each in weights)), heads, mask)


RIGHT = {"multi_head": [by_einsum, head_by_head, heads_before_words, by_the_library, in_float32]}
