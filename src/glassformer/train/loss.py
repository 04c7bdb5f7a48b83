"""What training lowers, and the same number without smoothing for judging a model."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from glassformer.data.batches import Batch
from glassformer.errors import UserError
from glassformer.model.transformer import Transformer
from glassformer.train.config import Precision
from glassformer.train.precision import autocast

ROWS = 128  # rows of logits at a time on a CPU: they and what is made of them stay in its cache


def label_smoothed_loss(logits: Tensor, targets: Tensor, pad_idx: int, smoothing: float) -> Tensor:
    """Cross-entropy in nats between logits (n, t, v) and targets (n, t), summed over the tokens that are not padding.

    With smoothing s the right token is asked to have 1 - s + s/v, any other s/v (section 5.4; Szegedy et al. 2016).
    A sum, so that the caller divides once by the real tokens of all micro-batches together: a mean of means would
    give short batches more weight.
    """
    loss: Tensor = SmoothedCrossEntropy.apply(  # type: ignore[no-untyped-call]
        logits.flatten(0, 1), targets.flatten(), pad_idx, smoothing
    )
    return loss


class SmoothedCrossEntropy(torch.autograd.Function):
    """The loss and its gradient in one pass over the logits, a few rows at a time.

    The logits are the largest tensor of a training step. `F.cross_entropy` with smoothing walks over them again and
    again in float32, a third of the step on a CPU. The gradient of a row is its softmax - what was asked for, and the
    softmax is at hand when the loss is computed.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, pad_idx: int, smoothing: float) -> Tensor:
        precise = torch.promote_types(logits.dtype, torch.float32)
        loss = logits.new_zeros((), dtype=precise)
        gradient = torch.empty_like(logits)
        everywhere = smoothing / logits.size(1)  # asked of every token; of the right one 1 - smoothing more
        rows = ROWS if logits.device.type == "cpu" else len(logits)
        for start in range(0, len(logits), rows):
            part = slice(start, start + rows)
            right, padding = targets[part].unsqueeze(1), (targets[part] == pad_idx).unsqueeze(1)
            log_probs = logits[part].to(precise).log_softmax(dim=1)
            asked = (1 - smoothing) * log_probs.gather(1, right) + everywhere * log_probs.sum(dim=1, keepdim=True)
            loss -= asked.masked_fill(padding, 0).sum()
            error = log_probs.exp_().sub_(everywhere)
            error.scatter_add_(1, right, error.new_full(right.shape, smoothing - 1))
            gradient[part] = error.masked_fill_(padding, 0)
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * scale.to(gradient.dtype), None, None, None


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
