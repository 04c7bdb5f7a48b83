"""16  Train until it works, solved."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from glassformer.learn.answers import loss, shift


def make_optimizer(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    """Adam with the paper's settings, over every parameter of the model."""
    return torch.optim.Adam(model.parameters(), lr=rate, betas=(0.9, 0.98), eps=1e-9)


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    micro_batches: Sequence[tuple[Int[Tensor, "n s"], Int[Tensor, "n t"]]],
    pad_idx: int,
    clip_norm: float,
    rate: float,
) -> float:
    """One update, the same as from one large batch; answers the loss per real token, before the update."""
    model.train()
    optimizer.zero_grad()
    shifted = [(src, *shift(trg)) for src, trg in micro_batches]
    tokens = [int((asked != pad_idx).sum()) for _, _, asked in shifted]
    total = 0.0
    for (src, trg_in, asked), own in zip(shifted, tokens, strict=True):
        part = loss(model(src, trg_in), asked, pad_idx, 0.0) * own / sum(tokens)
        part.backward()
        total += part.item()
    clip_grad_norm_(model.parameters(), clip_norm)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    return total
