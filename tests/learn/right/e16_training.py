"""The optimizer and one update, rightly, in other ways than the solution's."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Batches = Sequence[tuple[Tensor, Tensor]]


def two_groups(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    parameters = list(model.parameters())
    groups = [{"params": [p for p in parameters if p.ndim > 1]}, {"params": [p for p in parameters if p.ndim < 2]}]
    return torch.optim.Adam(groups, rate, (0.9, 0.98), 1e-9)


def adamw_without_decay(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), eps=1e-9, weight_decay=0)


class OwnAdam(torch.optim.Optimizer):
    """Adam, written out."""

    def __init__(self, parameters: object, lr: float) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                mean, square, steps = state.get("seen", (torch.zeros_like(parameter), torch.zeros_like(parameter), 0))
                mean = 0.9 * mean + 0.1 * parameter.grad
                square = 0.98 * square + 0.02 * parameter.grad**2
                state["seen"] = mean, square, steps + 1
                size = (square / (1 - 0.98 ** (steps + 1))).sqrt() + 1e-9
                parameter -= group["lr"] * (mean / (1 - 0.9 ** (steps + 1))) / size


def written_out(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    return OwnAdam(model.parameters(), rate)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def sums_then_one_backward(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    micro_batches: Batches,
    pad_idx: int,
    clip_norm: float,
    rate: float,
) -> Tensor:
    model.train()
    total, tokens = torch.zeros(()), 0
    for src, trg in micro_batches:
        logits = model(src, trg[:, :-1])
        total = total + F.cross_entropy(logits.transpose(1, 2), trg[:, 1:], ignore_index=pad_idx, reduction="sum")
        tokens += (trg[:, 1:] != pad_idx).sum()
    mean = total / tokens
    optimizer.zero_grad(set_to_none=False)
    mean.backward()
    nn.utils.clip_grad_norm_(list(model.parameters()), clip_norm)
    set_rate(optimizer, rate)
    optimizer.step()
    return mean.detach()


def gradients_divided_at_last(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    micro_batches: Batches,
    pad_idx: int,
    clip_norm: float,
    rate: float,
) -> float:
    set_rate(optimizer, rate)
    model.zero_grad()
    model.train()
    total, tokens = 0.0, 0
    for src, trg in micro_batches:
        given, asked = trg[:, :-1], trg[:, 1:]
        real = asked != pad_idx
        logs = model(src, given).log_softmax(dim=-1)
        part = -logs.gather(2, asked.unsqueeze(2)).squeeze(2)[real].sum()
        part.backward()
        total, tokens = total + part.item(), tokens + int(real.sum())
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    for gradient in gradients:
        gradient /= tokens
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
    for gradient in gradients:
        gradient *= min(1.0, clip_norm / float(norm))
    optimizer.step()
    return total / tokens


def by_autograd_grad(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    micro_batches: Batches,
    pad_idx: int,
    clip_norm: float,
    rate: float,
) -> float:
    """No backward and no zero_grad: each gradient is put where it belongs."""
    model.train()
    parameters = list(model.parameters())
    rows = [(model(src, trg[:, :-1]), trg[:, 1:]) for src, trg in micro_batches]
    logits = torch.cat([row.flatten(0, 1) for row, _ in rows])
    asked = torch.cat([row.flatten() for _, row in rows])
    loss = F.cross_entropy(logits, asked, ignore_index=pad_idx)
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    nn.utils.clip_grad_norm_(parameters, clip_norm, foreach=False)
    set_rate(optimizer, rate)
    optimizer.step()
    return loss.item()


RIGHT = {
    "make_optimizer": [two_groups, adamw_without_decay, written_out],
    "train_step": [sums_then_one_backward, gradients_divided_at_last, by_autograd_grad],
}
