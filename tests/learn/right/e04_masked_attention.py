"""Masked attention, rightly, in other ways than the solution's."""

import math

import torch
from torch import Tensor, einsum
from torch.nn.functional import scaled_dot_product_attention


def by_loops(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    n, q, h, d = queries.shape
    mask = mask.expand(n, h, q, keys.size(1))
    rows = []
    for sentence in range(n):
        for query in range(q):
            for head in range(h):
                out = torch.zeros_like(values[sentence, 0, head])
                seen = [key for key in range(keys.size(1)) if mask[sentence, head, query, key]]
                if seen:
                    scores = keys[sentence, seen, head] @ queries[sentence, query, head] / d**0.5
                    out = scores.softmax(0) @ values[sentence, seen, head]
                rows.append(out)
    return torch.stack(rows).view(n, q, h, -1)


def filled_with_minus_1e9(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    energy = einsum("nqhd,nkhd->nhqk", queries, keys).masked_fill(mask == 0, -1e9) / math.sqrt(keys.size(-1))
    return einsum("nhqk,nkhm->nqhm", energy.softmax(-1), values)


def filled_with_minus_infinity(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    energy = queries.transpose(1, 2) @ keys.permute(0, 2, 3, 1) / math.sqrt(keys.size(-1))
    energy = torch.where(mask, energy, -torch.inf)
    return (energy.softmax(-1) @ values.transpose(1, 2)).transpose(1, 2)


def added_as_floats(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    hidden = torch.zeros(mask.shape).masked_fill(~mask, -1e30)
    energy = einsum("nqhd,nkhd->nhqk", queries, keys) / math.sqrt(keys.size(-1)) + hidden
    return einsum("nhqk,nkhm->nqhm", energy.softmax(-1), values)


def masked_then_renormalised(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    weights = (einsum("nqhd,nkhd->nhqk", queries, keys) / math.sqrt(keys.size(-1))).softmax(-1) * mask
    return einsum("nhqk,nkhm->nqhm", weights / weights.sum(-1, keepdim=True), values)


def by_the_library(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    return scaled_dot_product_attention(
        queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2), attn_mask=mask
    ).transpose(1, 2)


def in_float32(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    return filled_with_minus_1e9(queries.float(), keys.float(), values.float(), mask)


def filled_then_emptied(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    energy = einsum("nqhd,nkhd->nhqk", queries, keys) / math.sqrt(keys.size(-1))
    weights = energy.masked_fill(~mask, torch.finfo(energy.dtype).min).softmax(-1).masked_fill(~mask, 0)
    return einsum("nhqk,nkhm->nqhm", weights, values)


def renormalised_by_a_sum_that_is_not_zero(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    weights = (einsum("nqhd,nkhd->nhqk", queries, keys) / math.sqrt(keys.size(-1))).softmax(-1) * mask
    total = weights.sum(-1, keepdim=True)
    return einsum("nhqk,nkhm->nqhm", weights / total.masked_fill(total == 0, 1), values)


def with_a_key_for_the_lonely(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    nothing = ~mask.any(-1, keepdim=True)
    opened = filled_with_minus_infinity(queries, keys, values, mask | nothing)
    return torch.where(nothing.transpose(1, 2), 0, opened)


def weights_without_nan(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    energy = einsum("nqhd,nkhd->nhqk", queries, keys) / math.sqrt(keys.size(-1))
    weights = energy.masked_fill(~mask, -torch.inf).softmax(-1).nan_to_num(0)
    return einsum("nhqk,nkhm->nqhm", weights, values)


def safely_in_float32(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    return filled_then_emptied(queries.float(), keys.float(), values.float(), mask)


RIGHT = {
    "masked_attention": [
        by_loops,
        filled_with_minus_1e9,
        filled_with_minus_infinity,
        added_as_floats,
        masked_then_renormalised,
        by_the_library,
        in_float32,
        filled_then_emptied,
    ],
    "safe_masked_attention": [
        by_loops,
        by_the_library,
        filled_then_emptied,
        renormalised_by_a_sum_that_is_not_zero,
        with_a_key_for_the_lonely,
        weights_without_nan,
        safely_in_float32,
    ],
}
