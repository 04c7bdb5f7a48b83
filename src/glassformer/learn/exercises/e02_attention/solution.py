"""02  Scaled dot-product attention, solved."""

import math

from jaxtyping import Float
from torch import Tensor, einsum


def attention(
    queries: Float[Tensor, "n q h d"], keys: Float[Tensor, "n k h d"], values: Float[Tensor, "n k h m"]
) -> Float[Tensor, "n q h m"]:
    """softmax(Q K^T / sqrt(d)) V for every sentence and head."""
    energy = einsum("nqhd,nkhd->nhqk", queries, keys) / math.sqrt(queries.size(-1))
    weights = energy.softmax(dim=-1)
    return einsum("nhqk,nkhm->nqhm", weights, values)
