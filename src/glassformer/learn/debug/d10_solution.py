"""D10, solved: five properties of every right model, each one comparison."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Logits = Callable[[Tensor, Tensor], Tensor]


def accepts(model: Logits, cached: Logits, src: Tensor, trg: Tensor, pad: int) -> bool:
    """True for a model that does what it should, False for one with a fault."""
    logits = model(src, trg)
    half = trg.size(1) // 2
    the_past_suffices = same(logits[:, :half], model(src, trg[:, :half]))
    padding_changes_nothing = same(logits, model(F.pad(src, (0, 3), value=pad), trg))
    the_source_matters = not same(logits, model(src.roll(1, dims=0), trg))
    order_matters = not same(logits, model(src.flip(1), trg))
    the_cache_agrees = same(logits, cached(src, trg))
    return the_past_suffices and padding_changes_nothing and the_source_matters and order_matters and the_cache_agrees


def same(one: Tensor, other: Tensor) -> bool:
    """Equal but for the last digits of float32."""
    return torch.allclose(one, other, rtol=1e-4, atol=1e-4)
