"""Who may look at whom. The one convention of this project: True = may attend.

(`scaled_dot_product_attention` means the same; `nn.MultiheadAttention` means the opposite.)
A mask is (n, h, q, k), with size 1 along an axis where nothing changes: row = the position that asks,
column = the position that answers.
"""

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def padding_mask(tokens: Int[Tensor, "n k"], pad_idx: int) -> Bool[Tensor, "n 1 1 k"]:
    """Which positions may be attended to: the words, never the padding.

    Paper: not described; section 5.1 batches sentences by length, which needs it.
    """
    words = (tokens != pad_idx).unsqueeze(1).unsqueeze(2)
    return words


def look_ahead_mask(query_len: int, key_len: int, device: torch.device) -> Bool[Tensor, "1 1 q k"]:
    """Each position sees itself and what came before it, never the future (section 3.2.3).

    The queries are the last `query_len` of the `key_len` positions: all of them in training,
    only the new ones when a cache holds the keys of the others.
    """
    # Not is_causal=True: it aligns top-left, wrong once the cache makes k > q.
    every_pair = torch.ones(query_len, key_len, dtype=torch.bool, device=device)
    look_ahead = every_pair.tril(diagonal=key_len - query_len).unsqueeze(0).unsqueeze(1)
    return look_ahead


def target_mask(tokens: Int[Tensor, "n k"], pad_idx: int | None, query_len: int) -> Bool[Tensor, "n 1 q k"]:
    """Look-ahead and padding together, for the last `query_len` of the target tokens.

    pad_idx=None leaves the padding out: right padding is in the future of every word, so the look-ahead
    mask hides it already. That is needed where padding and start share an id.
    """
    look_ahead = look_ahead_mask(query_len, tokens.size(1), tokens.device)
    words = (tokens == tokens).unsqueeze(1).unsqueeze(2) if pad_idx is None else padding_mask(tokens, pad_idx)
    trg_mask = look_ahead & words
    return trg_mask
