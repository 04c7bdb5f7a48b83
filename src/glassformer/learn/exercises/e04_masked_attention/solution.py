"""04  Masked attention, solved."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, einsum


def masked_attention(
    queries: Float[Tensor, "n q h d"],
    keys: Float[Tensor, "n k h d"],
    values: Float[Tensor, "n k h m"],
    mask: Bool[Tensor, "#n #h #q k"],
) -> Float[Tensor, "n q h m"]:
    """softmax(Q K^T / sqrt(d)) V over the keys that the mask allows."""
    energy = einsum("nqhd,nkhd->nhqk", queries, keys) / math.sqrt(queries.size(-1))
    masked_energy = energy.masked_fill(~mask, torch.finfo(energy.dtype).min)
    weights = masked_energy.softmax(dim=-1)
    return einsum("nhqk,nkhm->nqhm", weights, values)


def safe_masked_attention(
    queries: Float[Tensor, "n q h d"],
    keys: Float[Tensor, "n k h d"],
    values: Float[Tensor, "n k h m"],
    mask: Bool[Tensor, "#n #h #q k"],
) -> Float[Tensor, "n q h m"]:
    """The same, and zeros for a query that no key is allowed to; in float16 too."""
    # The fill of above is finite, so there is no NaN to hide: an average is replaced, and its gradient with it.
    sees_something = mask.any(dim=-1, keepdim=True).transpose(1, 2)
    return masked_attention(queries, keys, values, mask).masked_fill(~sees_something, 0)
