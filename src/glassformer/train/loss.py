"""What training lowers, and the same number without smoothing for judging a model."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from glassformer.data.batches import Batch
from glassformer.errors import UserError
from glassformer.model.transformer import Transformer
from glassformer.train.config import Precision
from glassformer.train.precision import autocast

CPU_CHUNK, GPU_CHUNK = 2**20, 2**27  # logits at a time: on a CPU they and what is made of them stay in its cache


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
    """`F.cross_entropy` with label smoothing, a few rows at a time: the same numbers, the memory of the logits alone.

    With z the logits of a row, y its target and s the smoothing, the loss is
    logsumexp(z) - (1 - s) z_y - s mean(z), and its gradient softmax(z) - s/v, less 1 - s at y.
    The logits are the largest tensor of a training step, and `F.cross_entropy` walks over them again and again in
    float32: this way loss and gradient take a third of its time in bfloat16 on a CPU at 5,000 and 8,000 entries, and
    half in float32 (one thread, November 2026).
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, pad_idx: int, smoothing: float) -> Tensor:
        sums, normalisers = [], []
        for z, y in zip(*in_chunks(logits, targets), strict=True):
            z = at_least_float32(z)
            normaliser = z.logsumexp(dim=1)
            right = z.gather(1, y.unsqueeze(1)).squeeze(1)
            losses = normaliser - (1 - smoothing) * right - smoothing * z.mean(dim=1)
            sums.append(losses.masked_fill(y == pad_idx, 0).sum())
            normalisers.append(normaliser)
        ctx.save_for_backward(logits, targets, torch.cat(normalisers))
        ctx.pad_idx, ctx.smoothing = pad_idx, smoothing
        return torch.stack(sums).sum()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        logits, targets, normalisers = ctx.saved_tensors
        gradient = torch.empty_like(logits)
        weights = grads[0] * (targets != ctx.pad_idx)
        chunks = in_chunks(logits, targets, normalisers, weights, gradient)
        for z, y, normaliser, weight, out in zip(*chunks, strict=True):
            wrong = at_least_float32(z).sub(normaliser.unsqueeze(1)).exp_().sub_(ctx.smoothing / z.size(1))
            wrong.scatter_add_(1, y.unsqueeze(1), wrong.new_full((len(y), 1), ctx.smoothing - 1))
            out.copy_(wrong.mul_(weight.unsqueeze(1)))
        return gradient, None, None, None


def in_chunks(logits: Tensor, *others: Tensor) -> list[tuple[Tensor, ...]]:
    """Each tensor cut into the same runs of rows."""
    rows = max(1, (CPU_CHUNK if logits.device.type == "cpu" else GPU_CHUNK) // logits.size(1))
    return [torch.split(tensor, rows) for tensor in (logits, *others)]


def at_least_float32(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


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
