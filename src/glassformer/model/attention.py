"""Attention, written out (sections 3.2.1 and 3.2.2). Every quantity of the equation has a line and a name."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, einsum, nn

from glassformer.model.cache import CrossAttentionCache, SelfAttentionCache

Attend = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def lowest(dtype: torch.dtype) -> float:
    """The fill for hidden energies: the lowest finite number, since -1e9 and -1e20 do not fit into float16."""
    return torch.finfo(dtype).min


def attention(
    queries: Float[Tensor, "n q h d"],
    keys: Float[Tensor, "n k h d"],
    values: Float[Tensor, "n k h d"],
    mask: Bool[Tensor, "#n #h #q k"],
) -> Float[Tensor, "n q h d"]:
    """softmax(QK^T / sqrt(d_k)) V, for all heads at once (equation 1; d is the paper's d_k).

    The origin divided by sqrt(embed_size), which makes the softmax too flat.
    """
    energy = einsum("nqhd,nkhd->nhqk", [queries, keys]) / math.sqrt(queries.size(-1))
    masked_energy = energy.masked_fill(~mask, lowest(energy.dtype))
    # The second fill: a query with no key at all gets nothing, not an average.
    attention = masked_energy.softmax(dim=-1).masked_fill(~mask, 0)
    heads_out = einsum("nhqk,nkhd->nqhd", [attention, values])
    return heads_out


class MultiHeadAttention(nn.Module):
    """h attentions side by side, each in its own d channels (section 3.2.2).

    Differs from the paper: each projection has a bias, which a `Transformer` starts at 0; section 3.2.2 has none.
    to_queries, to_keys, to_values and fc_out are W^Q, W^K, W^V and W^O (transposed, as nn.Linear keeps them), each for
    all heads side by side. The origin used one small projection for all heads.
    """

    def __init__(self, embed_size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_queries = nn.Linear(embed_size, embed_size)
        self.to_keys = nn.Linear(embed_size, embed_size)
        self.to_values = nn.Linear(embed_size, embed_size)
        self.fc_out = nn.Linear(embed_size, embed_size)
        self.attend: Attend = attention  # swapped from outside by use_fused(model)

    def keys_values(
        self, key: Float[Tensor, "n k e"], value: Float[Tensor, "n k e"]
    ) -> tuple[Float[Tensor, "n k h d"], Float[Tensor, "n k h d"]]:
        """What the positions that answer have to offer, cut into heads."""
        keys = self.to_keys(key).unflatten(-1, (self.heads, -1))
        values = self.to_values(value).unflatten(-1, (self.heads, -1))
        return keys, values

    def forward(
        self,
        query: Float[Tensor, "n q e"],
        key: Float[Tensor, "n k e"],
        value: Float[Tensor, "n k e"],
        mask: Bool[Tensor, "#n #h #q _"],
        cache: SelfAttentionCache | CrossAttentionCache | None = None,
    ) -> Float[Tensor, "n q e"]:
        """MultiHead(Q, K, V). With a cache, earlier keys and values come from there: the mask may be wider than k."""
        queries = self.to_queries(query).unflatten(-1, (self.heads, -1))
        keys, values = cache.recall(self.keys_values, key, value) if cache else self.keys_values(key, value)
        heads_out = self.attend(queries, keys, values, mask)
        out = self.fc_out(heads_out.flatten(2))
        return out
