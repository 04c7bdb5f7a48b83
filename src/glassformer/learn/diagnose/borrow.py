"""Working on somebody's model and giving it back as it was: numbers, dtype, modes and gradients."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

# Where modules keep a dropout rate as a plain number, read at each call.
RATES = (
    "dropout",
    "dropout_p",
    "dropout_rate",
    "attention_dropout",
    "activation_dropout",
    "attn_dropout",
    "layerdrop",
    "encoder_layerdrop",
    "decoder_layerdrop",
    "p",
)


@contextmanager
def borrowed(model: nn.Module, dtype: torch.dtype | None) -> Iterator[None]:
    """The model in evaluation mode, its numbers copies in `dtype` (None: in their own); afterwards all is as before.

    Not a deepcopy: methods that were replaced by hand hold on to the model itself, and some models cannot be copied.
    """
    parameters = [(parameter, parameter.data, parameter.grad) for parameter in model.parameters()]
    buffers = [(module, dict(module._buffers)) for module in model.modules()]
    modes = [(module, module.training) for module in model.modules()]
    default = torch.get_default_dtype()
    try:
        model.eval()
        for parameter, own, _ in parameters:
            parameter.grad = None
            parameter.data = copied(own, dtype)
        for module, held in buffers:
            module._buffers.update({name: None if own is None else copied(own, dtype) for name, own in held.items()})
        if dtype is not None:
            # Models that make a table at each call make it in this dtype; in half precision they would in float32.
            torch.set_default_dtype(dtype if dtype.itemsize >= 4 else torch.float32)
        yield
    finally:
        torch.set_default_dtype(default)
        for parameter, own, gradient in parameters:
            parameter.grad = None
            parameter.data = own
            parameter.grad = gradient
        for module, held in buffers:
            module._buffers.update(held)
        for module, training in modes:
            module.training = training


def copied(own: Tensor, dtype: torch.dtype | None) -> Tensor:
    """Other storage, the same numbers; ids and masks keep their dtype."""
    return own.to(dtype if own.is_floating_point() else None, copy=True)


@torch.no_grad()
def nudge(model: nn.Module) -> None:
    """Move what is learned off its start, where a zero may stand for a good reason (branches that begin at zero)."""
    generator = torch.Generator().manual_seed(34)
    for p in model.parameters():
        if p.requires_grad and p.is_floating_point():
            noise = torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p)
            spread = p.std().item() if p.numel() > 1 else 0.0
            p.add_(noise * (0.1 * spread or 0.02))


@contextmanager
def without_dropout(model: nn.Module) -> Iterator[None]:
    """Every dropout rate is 0, wherever a module keeps it, and `F.dropout` answers its input."""

    def nothing(input: Tensor, *_: Any, **__: Any) -> Tensor:
        return input

    dropout = nn.functional.dropout
    changed: list[tuple[nn.Module, str, Any]] = []
    for module in model.modules():
        for name in RATES:
            rate = module.__dict__.get(name)
            if isinstance(rate, float):
                changed.append((module, name, rate))
                setattr(module, name, 0.0)
    nn.functional.dropout = nothing
    try:
        yield
    finally:
        nn.functional.dropout = dropout
        for module, name, rate in changed:
            setattr(module, name, rate)


@contextmanager
def changed(tensor: Tensor, row: int) -> Iterator[None]:
    """One row of a table with other numbers in it."""
    generator = torch.Generator().manual_seed(row + 1)
    before = tensor.data[row].clone()
    size = tensor.data.float().std().item() or 1.0
    noise = torch.randn(before.shape, generator=generator, dtype=torch.float64) * size
    try:
        tensor.data[row] = before + noise.to(before)
        yield
    finally:
        tensor.data[row] = before
