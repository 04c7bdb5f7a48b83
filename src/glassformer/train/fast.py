"""How to compute a training step fast: in which numbers, and with which of the two equal attentions.

Both are fixed rules, never of timing, so that a run can be repeated.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from glassformer.model.attention import MultiHeadAttention, attention
from glassformer.model.fused import fused_attention
from glassformer.train.config import Precision

CPU_BFLOAT16 = ("avx512_bf16", "amx_bf16")


@contextmanager
def fast(model: nn.Module, precision: Precision) -> Iterator[None]:
    """Within this context the model's forward pass takes `autocast` and `faster_attention`.

    An attention that somebody else put into the model stays, and so does everything after the block.
    """
    written = [
        module for module in model.modules() if isinstance(module, MultiHeadAttention) and module.attend is attention
    ]
    try:
        for module in written:
            module.attend = faster_attention
        with autocast(model, precision):
            yield
    finally:
        for module in written:
            module.attend = attention


def faster_attention(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Fused, but written out for few keys on a CPU: a fixed rule of dtype, size and number of threads."""
    written = keys.device.type == "cpu" and keys.size(1) < few_keys(keys.dtype, torch.get_num_threads())
    return (attention if written else fused_attention)(queries, keys, values, mask)


def few_keys(dtype: torch.dtype, threads: int) -> int:
    """The number of keys below which a CPU does attention faster as it is written.

    In bfloat16 the kernel's backward pass is slow; among several threads it hardly divides short sentences. Forward and
    backward of the two, times the fused one's speed (November 2026, torch 2.13): bfloat16 0.1 at 16 keys, 0.4 at 64,
    1.1 at 256 (AVX-512); float32 and one thread 1.5 at 16, 1.9 at 256, 2.3 at 1,024; two threads 0.6 at 12, 1.0 at 20,
    1.2 at 32 (AVX2).
    """
    if dtype == torch.bfloat16:
        return 256
    return 20 if threads > 1 else 0


def autocast(model: nn.Module, precision: Precision) -> AbstractContextManager[object]:
    """The context to run the model in: bfloat16 matrix products on float32 weights, or the weights' own dtype."""
    if not takes_bfloat16(model, precision):
        return nullcontext()
    return torch.autocast(next(model.parameters()).device.type, torch.bfloat16)


def takes_bfloat16(model: nn.Module, precision: Precision) -> bool:
    """Whether matrix products are computed in bfloat16.

    "auto" does where the device multiplies it faster than float32: GPUs since Ampere, CPUs with AVX-512 or AMX for it
    (there 1.6 to 1.9 times). Weights of another dtype than float32 are never cast.
    """
    weight = next(model.parameters())
    wanted = precision == "bfloat16" or (precision == "auto" and has_fast_bfloat16(weight.device))
    return wanted and weight.dtype == torch.float32


def has_fast_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.10 cannot say
        return any(capabilities.get(name) for name in CPU_BFLOAT16)
    return False
