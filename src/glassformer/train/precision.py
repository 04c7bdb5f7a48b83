"""In which numbers to compute: a fixed rule of device and dtype, never of timing, so that a run can be repeated."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from glassformer.train.config import Precision

CPU_BFLOAT16 = ("avx512_bf16", "amx_bf16")


def autocast(model: nn.Module, precision: Precision) -> AbstractContextManager[object]:
    """The context to run the model in: bfloat16 matrix products on float32 weights, or the weights' own dtype.

    "auto" takes bfloat16 where the device multiplies it faster than float32: GPUs since Ampere, CPUs with AVX-512
    or AMX for it (there 1.6 to 1.9 times, with the written-out attention). Weights of another dtype than float32
    are never cast.
    """
    weight = next(model.parameters())
    wanted = precision == "bfloat16" or (precision == "auto" and has_fast_bfloat16(weight.device))
    if not wanted or weight.dtype != torch.float32:
        return nullcontext()
    return torch.autocast(weight.device.type, torch.bfloat16)


def has_fast_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.10 cannot say
        return any(capabilities.get(name) for name in CPU_BFLOAT16)
    return False
