"""05  Multi-head attention                                                          section 3.2.2 · 30 minutes · 3 of 5

Attention h times side by side, each head in its own d = e / h channels, so that a word can look for several things at
once. Four matrices, each (e, e), all heads side by side in their columns: head i has the columns i d to (i + 1) d - 1.

    head_i = attention(query W^Q_i, key W^K_i, key W^V_i)        MultiHead = (head_0, ..., head_h-1 side by side) W^O

In self-attention key is query. In cross-attention query comes from the decoder and key from the encoder, and they need
not be equally long.

The shapes, letter by letter, with e = 4 channels and h = 2 heads:

    query @ weights.to_queries     n q e      channels  0 1 2 3
    cut into heads                 n q h d    head 0 has the channels 0 1, head 1 has 2 3; no word changes its place
    masked_attention takes n q h d and gives n q h d: your safe one of exercise 04, as a row of padding may see nothing
    side by side again             n q e      head 0 in the channels 0 1, head 1 in 2 3
    times weights.fc_out           n q e

Worked example of the cut: one sentence of two words, 2 heads.

    words [[1, 2, 3, 4], [5, 6, 7, 8]]   head 0 sees the words [1, 2] and [5, 6], head 1 sees [3, 4] and [7, 8]

Letters: n sentences, q query positions, k key positions, e channels of a word, h heads, d = e / h channels of a head.
"""

import math

import torch
from e04_masked_attention import safe_masked_attention as masked_attention  # yours; or from glassformer.learn.answers
from jaxtyping import Bool, Float
from torch import Tensor, einsum

from glassformer.learn.weights import AttentionWeights


def multi_head(
    query: Float[Tensor, "n q e"],
    key: Float[Tensor, "n k e"],
    weights: AttentionWeights,
    heads: int,
    mask: Bool[Tensor, "#n #h #q k"],
) -> Float[Tensor, "n q e"]:
    """Each position of query attends, in every head, to the positions of key that the mask allows.

    weights holds to_queries, to_keys, to_values and fc_out: the paper's W^Q, W^K, W^V and W^O, each (e, e), multiplied
    from the right: query @ weights.to_queries. There are no biases.
    """
    raise NotImplementedError
