"""05  Multi-head attention, solved."""

from jaxtyping import Bool, Float
from torch import Tensor

from glassformer.learn.answers import masked_attention
from glassformer.learn.weights import AttentionWeights


def multi_head(
    query: Float[Tensor, "n q e"],
    key: Float[Tensor, "n k e"],
    weights: AttentionWeights,
    heads: int,
    mask: Bool[Tensor, "#n #h #q k"],
) -> Float[Tensor, "n q e"]:
    """Each position of query attends, in every head, to the positions of key that the mask allows."""
    n, _, e = query.shape
    queries = (query @ weights.to_queries).view(n, -1, heads, e // heads)
    keys = (key @ weights.to_keys).view(n, -1, heads, e // heads)
    values = (key @ weights.to_values).view(n, -1, heads, e // heads)
    heads_out: Tensor = masked_attention(queries, keys, values, mask)
    return heads_out.flatten(2) @ weights.fc_out
