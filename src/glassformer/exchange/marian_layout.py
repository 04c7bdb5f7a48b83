"""What both ways need of Marian in Hugging Face's layout: the names of its tensors, and its positions."""

from collections.abc import Iterator

import torch
from torch import Tensor

ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "swish": "silu", "silu": "silu"}
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")
SUBLAYERS = {"encoder": ("self_attn",), "decoder": ("self_attn", "encoder_attn")}
OURS = {
    "self_attn": "self_attention", "encoder_attn": "cross_attention", "q_proj": "to_queries", "k_proj": "to_keys",
    "v_proj": "to_values", "out_proj": "fc_out", "fc1": "feed_forward.fc_in", "fc2": "feed_forward.fc_out",
    "self_attn_layer_norm": "self_attention_residual.norm", "encoder_attn_layer_norm": "cross_attention_residual.norm",
    "final_layer_norm": "feed_forward_residual.norm",
}  # fmt: skip


def waves(length: int, size: int) -> Tensor:
    """Marian's positions (t, e): the paper's, but all sines stand before all cosines."""
    two_i = 2 * (torch.arange(size) // 2)
    angle = torch.arange(length, dtype=torch.float64).unsqueeze(1) / 10000 ** (two_i.double() / size)
    return torch.cat([angle[:, 0::2].sin(), angle[:, 1::2].cos()], dim=1).float()


def layer_tensors(stack: str, size: int, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The tensors of a layer, by the end of their names, and their shapes."""
    sublayers = SUBLAYERS[stack]
    linears = {f"{sublayer}.{part}": (size, size) for sublayer in sublayers for part in PROJECTIONS}
    linears |= {"fc1": (width, size), "fc2": (size, width)}
    for name, (rows, columns) in linears.items():
        yield f"{name}.weight", (rows, columns)
        yield f"{name}.bias", (rows,)
    for norm in (*(f"{sublayer}_layer_norm" for sublayer in sublayers), "final_layer_norm"):
        yield f"{norm}.weight", (size,)
        yield f"{norm}.bias", (size,)


def our_part(theirs: str) -> str:
    return ".".join(OURS[part] for part in theirs.split("."))
