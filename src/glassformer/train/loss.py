"""What training lowers, and the same number without smoothing for judging a model."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from glassformer.data.batches import Batch
from glassformer.errors import UserError
from glassformer.model.transformer import Transformer
from glassformer.train.config import Precision
from glassformer.train.precision import autocast


def label_smoothed_loss(logits: Tensor, targets: Tensor, pad_idx: int, smoothing: float) -> Tensor:
    """Cross-entropy in nats between logits (n, t, v) and targets (n, t), summed over the tokens that are not padding.

    With smoothing s the right token is asked to have 1 - s + s/v, any other s/v (section 5.4; Szegedy et al. 2016).
    A sum, so that the caller divides once by the real tokens of all micro-batches together: a mean of means would
    give short batches more weight.
    """
    at_least_float32 = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return F.cross_entropy(
        at_least_float32.flatten(0, 1),
        targets.flatten(),
        ignore_index=pad_idx,
        label_smoothing=smoothing,
        reduction="sum",
    )


@torch.no_grad()
def validation_loss(
    model: Transformer, batches: Iterable[Batch], *, precision: Precision = "auto", pad_idx: int | None = None
) -> float:
    """Nats per real target token, without smoothing and without dropout; e to this power is the perplexity.

    `pad_idx` is the model's own unless it has none. Raises UserError when there is no token to judge.
    """
    pad_idx = model.config.trg_pad_idx if pad_idx is None else pad_idx
    if pad_idx is None:
        raise UserError("this model has no trg_pad_idx: name the id that fills up its targets with pad_idx=...")
    was_training, total, tokens = model.training, 0.0, 0
    model.eval()
    for batch in batches:
        batch = batch.to(model.device)
        with autocast(model, precision):
            logits = model(batch.src, batch.trg_in)
        total += label_smoothed_loss(logits, batch.trg_out, pad_idx, smoothing=0.0).item()
        tokens += batch.real_tokens
    model.train(was_training)
    if tokens == 0:
        raise UserError("there is no validation sentence: a loss over nothing is no number.")
    return total / tokens
