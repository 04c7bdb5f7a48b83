"""One update of the weights, in the order in which it happens."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from glassformer.data.batches import Batch
from glassformer.errors import UserError
from glassformer.model.transformer import Transformer
from glassformer.train.config import TrainingConfig
from glassformer.train.distributed import ALONE, Processes, without_sync
from glassformer.train.fast import fast, takes_bfloat16
from glassformer.train.loss import ModelLoss
from glassformer.train.muon import Muon


class NotFiniteError(UserError):
    """A loss, a gradient or a weight is infinite or not a number; the weights were not updated with it."""


class StepResult(NamedTuple):
    """What one update gives: numbers of all micro-batches and all processes together."""

    loss: float  # label-smoothed, per real target token
    tokens: int  # real target tokens
    grad_norm: float  # before clipping


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    micro_batches: Sequence[Batch],
    config: TrainingConfig,
    *,
    rate: float,
    pad_idx: int,
    processes: Processes = ALONE,
) -> StepResult:
    """One update from one or more micro-batches, the same as from one large batch of all their sentences.

    `model` is a Transformer, or what `Processes.wrap` made of one. `rate` is the learning rate, `pad_idx` the id that
    fills up targets. Raises NotFiniteError before the update
    where a loss, a gradient or a weight is not finite.
    """
    device = micro_batches[0].src.device
    (all_tokens,) = processes.sum(sum(batch.real_tokens for batch in micro_batches), device=device)
    share = processes.world / all_tokens  # DDP takes the mean over processes; every token is to count the same
    own_loss = torch.zeros((), device=device)
    loss_of = ModelLoss(model) if isinstance(model, Transformer) else model
    model.train()
    optimizer.zero_grad()
    for number, batch in enumerate(micro_batches, start=1):
        with without_sync(model, number < len(micro_batches)):
            with fast(model, config.precision):
                loss = loss_of(batch, pad_idx, config.label_smoothing)
            torch.autograd.backward(loss * share)
            own_loss = own_loss + loss.detach()
    own_sum, grad_norm, largest_weight = measured(model, own_loss)
    (loss_sum,) = processes.sum(own_sum, device=device)
    check_finite(model, loss_sum, grad_norm, largest_weight)
    if 0 < config.clip_norm < grad_norm:
        clip_grads_with_norm_(model.parameters(), config.clip_norm, torch.tensor(grad_norm, device=device))
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    return StepResult(loss_sum / all_tokens, int(all_tokens), grad_norm)


def make_optimizer(model: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """AdamW in one kernel where the device has it, or Muon. Vectors (biases, gains of norms) get no weight decay."""
    hidden: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    vectors: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        kind = vectors if parameter.ndim < 2 else hidden if ".layers." in name else others
        kind.append(parameter)
    without_decay: dict[str, Any] = {"params": vectors, "weight_decay": 0.0}
    settings: dict[str, Any] = dict(
        lr=config.learning_rate,
        betas=config.betas,
        eps=config.epsilon,
        weight_decay=config.weight_decay,
        fused=next(model.parameters()).device.type in ("cpu", "cuda"),
    )
    if config.optimizer == "muon":
        numbers = torch.bfloat16 if takes_bfloat16(model, config.precision) else None
        return Muon(hidden, [{"params": others}, without_decay], numbers, **settings)
    return torch.optim.AdamW([{"params": [*hidden, *others]}, without_decay], **settings)


def measured(model: nn.Module, loss: Tensor) -> list[float]:
    """The loss, the gradient's norm and the largest weight, brought from the device in one wait."""
    parameters = list(model.parameters())
    grad_norm = get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
    largest_weight = get_total_norm([parameter.detach() for parameter in parameters], norm_type=torch.inf)
    numbers: list[float] = torch.stack([number.to(loss.dtype) for number in (loss, grad_norm, largest_weight)]).tolist()
    return numbers


def check_finite(model: nn.Module, loss: float, grad_norm: float, largest_weight: float) -> None:
    """Raise NotFiniteError, naming the first bad tensor, unless everything is finite."""
    if not math.isfinite(largest_weight):
        check_weights_finite(model)
    if not math.isfinite(loss):
        raise NotFiniteError(f"the loss is {loss}")
    if not math.isfinite(grad_norm):
        for name, parameter in model.named_parameters():
            if parameter.grad is not None and not parameter.grad.isfinite().all():
                raise NotFiniteError(f"the gradient of {plain(name)} holds {first_bad(parameter.grad)}")
        raise NotFiniteError(f"the gradient is too long for its dtype: its norm is {grad_norm}")


def check_weights_finite(model: nn.Module) -> None:
    """Raise NotFiniteError, naming the first bad weight, unless all are finite."""
    for name, parameter in model.named_parameters():
        if not parameter.isfinite().all():
            raise NotFiniteError(f"the weight {plain(name)} holds {first_bad(parameter)}")


def first_bad(tensor: Tensor) -> float:
    return float(tensor[~tensor.isfinite()][0].item())


def plain(name: str) -> str:
    """A parameter's name as the model has it, without the prefix of DDP and the loss."""
    return name.removeprefix("module.model.")
