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


def joined(layers: Sequence[nn.Linear | Int8Linear]) -> Apply:
    """One product for several layers that read the same: their outputs side by side."""
    weight, bias = torch.cat([layer.weight for layer in layers]), torch.cat([layer.bias for layer in layers])
    first, scales = layers[0], [layer.scale for layer in layers if isinstance(layer, Int8Linear)]
    if isinstance(first, Int8Linear):
        if first not in _joined:
            _joined[first] = Int8Linear(weight, torch.cat(scales), bias)
        return _joined[first].forward
    return partial(F.linear, weight=weight, bias=bias)


def prepared(layer: nn.Linear | Int8Linear) -> Apply:
    """The layer without the cost of calling a module."""
    return layer.forward if isinstance(layer, Int8Linear) else partial(F.linear, weight=layer.weight, bias=layer.bias)


def output_layer(layer: nn.Linear | Int8Linear, rows: int) -> Apply:
    """The same layer, its weights laid out for so many rows or fewer.

    It is by far the largest: 8000 words of 256 channels took 22 % (128 rows) to 62 % (1 row) less time (one AVX2 core).
    """
    if isinstance(layer, Int8Linear):
        return layer.forward
    weight, bias = layer.weight, layer.bias
    if rows == 1:
        across = weight.t().contiguous()
        return lambda x: torch.addmm(bias, x, across)
    if reorders(weight.dtype):
        blocked = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), rows)
        return lambda x: torch.ops.mkldnn._linear_pointwise(x, blocked, bias, "none", [], "")
    return prepared(layer)


def reorders(dtype: torch.dtype) -> bool:
    """Whether oneDNN lays out such weights on this machine."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())
