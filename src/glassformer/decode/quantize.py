"""Smaller numbers for the weights: one function, so that whatever the libraries change, this file alone changes."""

import warnings
from copy import deepcopy
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from glassformer.errors import UserError
from glassformer.model.transformer import Transformer

Quantized = Literal["int8", "bfloat16"]

# Inputs have 7 bits: two products of 7 and 8 bits fit into the 16 that CPUs without VNNI add in; 8 and 8 overflow.
STEPS = 63
ZERO = 64
TINY = torch.finfo(torch.float32).tiny  # instead of 0, which nothing can be divided by


class Int8Linear(nn.Module):
    """A linear layer with int8 weights, one scale per output; each row of its input has a scale of its own too.

    Rows are divided by their largest number, rounded to 127 levels, multiplied in integers and scaled back: what a
    row gets does not depend on the others.
    """

    weight: Tensor  # (v, e) int8
    scale: Tensor  # (v,): the weight of the float layer is weight x scale
    bias: Tensor

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale)
        self.register_buffer("bias", bias)
        self.out_features, self.in_features = weight.shape
        self.packed = _packed(weight, scale)

    @classmethod
    def of(cls, layer: nn.Linear) -> "Int8Linear":
        weight = layer.weight.detach().float()
        scale = (weight.abs().amax(dim=1) / 127).clamp_min(TINY)
        rounded = (weight / scale.unsqueeze(1)).round().to(torch.int8)
        return cls(rounded, scale, layer.bias.detach().float().clone())

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, self.in_features)
        largest = rows.abs().amax(dim=1, keepdim=True).clamp_min_(TINY)
        product = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            rows / largest, 1 / STEPS, ZERO, self.packed
        )
        out = torch.addcmul(self.bias, product, largest)
        return out.view(*x.shape[:-1], self.out_features)


def quantize(model: Transformer, kind: Quantized) -> Transformer:
    """A copy for decoding, in evaluation mode, with weights of 1 byte (int8) or 2 (bfloat16); the model stays as is.

    int8 replaces every linear layer and computes on the CPU; embeddings and norms stay float32. bfloat16 changes
    everything; it is faster where the machine multiplies bfloat16 itself. Raises UserError for another kind, for a
    model on another device than the CPU (int8) and for a torch without the integer product.
    """
    if kind not in get_args(Quantized):
        raise UserError(f"quantize={kind!r} is not one of {', '.join(get_args(Quantized))}.")
    copy = deepcopy(model).eval()
    if kind == "bfloat16":
        return copy.bfloat16()
    if model.device.type != "cpu":
        raise UserError(f"quantize='int8' computes on the CPU, and the model is on {model.device}. Take device=cpu.")
    copy.float()
    for module in list(copy.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Linear:
                setattr(module, name, Int8Linear.of(child))
    return copy


def engines() -> list[str]:
    return list(torch.backends.quantized.supported_engines)


def _packed(weight: Tensor, scale: Tensor) -> torch.ScriptObject:
    """The weights as the integer product wants them. Raises UserError where this torch has none."""
    if "fbgemm" not in engines():
        raise UserError(
            "quantize='int8' needs a torch built with fbgemm, as on x86 CPUs. Leave it out, or use bfloat16."
        )
    zeros, engine = torch.zeros(len(scale), dtype=torch.int64), torch.backends.quantized.engine
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.quantize_per", UserWarning)  # said once in a process, here
        quantized = torch._make_per_channel_quantized_tensor(weight, scale.double(), zeros, 0)
    try:
        torch.backends.quantized.engine = "fbgemm"
        packed: torch.ScriptObject = torch.ops.quantized.linear_prepack(quantized, None)
    finally:
        torch.backends.quantized.engine = engine
    return packed
