"""03  Masks, solved."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def padding_mask(tokens: Int[Tensor, "n k"], pad_idx: int) -> Bool[Tensor, "n 1 1 k"]:
    """Which positions may be attended to: the words, never the padding."""
    return (tokens != pad_idx).unsqueeze(1).unsqueeze(2)


def look_ahead_mask(length: int) -> Bool[Tensor, "1 1 t t"]:
    """Row i, the one that asks, may see the columns 0 to i: itself and what came before it."""
    return torch.ones(length, length, dtype=torch.bool).tril().unsqueeze(0).unsqueeze(1)


def target_mask(tokens: Int[Tensor, "n t"], pad_idx: int) -> Bool[Tensor, "n 1 t t"]:
    """What both masks allow."""
    return look_ahead_mask(tokens.size(1)) & padding_mask(tokens, pad_idx)
