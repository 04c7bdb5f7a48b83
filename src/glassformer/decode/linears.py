"""Linear layers made ready for many products with few rows."""

from collections.abc import Callable, Sequence
from functools import partial
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glassformer.decode.quantize import Int8Linear

Apply = Callable[[Tensor], Tensor]

# Integer weights never change, and packing them takes as long as some steps; float ones are read anew each time.
_joined: WeakKeyDictionary[nn.Module, Int8Linear] = WeakKeyDictionary()


def joined(layers: Sequence[nn.Linear | Int8Linear], rows: int) -> Apply:
    """One product for several layers that read the same: their outputs side by side."""
    weight, bias = torch.cat([layer.weight for layer in layers]), torch.cat([layer.bias for layer in layers])
    first, scales = layers[0], [layer.scale for layer in layers if isinstance(layer, Int8Linear)]
    if isinstance(first, Int8Linear):
        if first not in _joined:
            _joined[first] = Int8Linear(weight, torch.cat(scales), bias)
        return _joined[first].forward
    return _for_rows(weight, bias, rows)


def prepared(layer: nn.Linear | Int8Linear, rows: int) -> Apply:
    """The layer for so many rows, without the cost of calling a module."""
    return layer.forward if isinstance(layer, Int8Linear) else _for_rows(layer.weight, layer.bias, rows)


def output_layer(layer: nn.Linear | Int8Linear, rows: int) -> Apply:
    """The same layer, its weights laid out for so many rows or fewer.

    It is by far the largest: 8000 words of 256 channels took 22 % (128 rows) to 62 % (1 row) less time (one AVX2 core).
    """
    if isinstance(layer, Int8Linear):
        return layer.forward
    if rows == 1:
        across = layer.weight.t().contiguous()
        return lambda x: torch.addmm(layer.bias, x, across)
    return _reordered(layer.weight, layer.bias, rows) if _reorders(layer.weight.dtype) else prepared(layer, rows)


def _for_rows(weight: Tensor, bias: Tensor, rows: int) -> Apply:
    """The product as it is; with weights laid out anew for several rows where that pays.

    It does with AVX-512 (decoding 16 tokens 5 % faster with 128 rows, 13 to 27 % with 4; 48 tokens with 32 rows 15 %,
    two cores of an AMD EPYC, Zen 4), and with AVX2 it does not.
    """
    if rows > 1 and _reorders(weight.dtype) and torch.backends.cpu.get_cpu_capability() == "AVX512":
        return _reordered(weight, bias, rows)
    return partial(F.linear, weight=weight, bias=bias)


def _reordered(weight: Tensor, bias: Tensor, rows: int) -> Apply:
    blocked = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), rows)
    return lambda x: torch.ops.mkldnn._linear_pointwise(x, blocked, bias, "none", [], "")


def _reorders(dtype: torch.dtype) -> bool:
    """Whether oneDNN lays out such weights on this machine."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())
