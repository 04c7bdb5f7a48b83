"""The loss, rightly, in other ways than the solution's."""

import torch
import torch.nn.functional as F
from torch import Tensor


def by_the_library(logits: Tensor, targets: Tensor, pad_idx: int, smoothing: float) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=pad_idx, label_smoothing=smoothing)


def by_the_row(logits: Tensor, targets: Tensor, pad_idx: int, smoothing: float) -> Tensor:
    v = logits.size(-1)
    row = torch.full_like(logits, smoothing / v).scatter_add(
        -1, targets.unsqueeze(-1), torch.full_like(logits[..., :1], 1 - smoothing)
    )
    token_losses = -torch.einsum("ntv,ntv->nt", row, logits.log_softmax(dim=-1))
    real = (targets != pad_idx).double()
    return (token_losses * real).sum() / real.sum()


def by_loops(logits: Tensor, targets: Tensor, pad_idx: int, smoothing: float) -> Tensor:
    costs = []
    for scores, target in zip(logits.flatten(0, 1), targets.flatten().tolist(), strict=True):
        if target != pad_idx:
            logs = scores - scores.exp().sum().log()
            costs.append(-(1 - smoothing) * logs[target] - smoothing * logs.mean())
    return torch.stack(costs).mean()


def by_summing_in_the_library(logits: Tensor, targets: Tensor, pad_idx: int, smoothing: float) -> Tensor:
    total = F.cross_entropy(
        logits.transpose(1, 2), targets, ignore_index=pad_idx, label_smoothing=smoothing, reduction="sum"
    )
    return total / (targets != pad_idx).sum()


def in_float32(logits: Tensor, targets: Tensor, pad_idx: int, smoothing: float) -> Tensor:
    return by_the_library(logits.float(), targets, pad_idx, smoothing)


RIGHT = {"loss": [by_the_library, by_the_row, by_loops, by_summing_in_the_library, in_float32]}
