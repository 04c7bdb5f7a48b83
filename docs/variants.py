"""Other people's formulas as changes to a model of ours, in our own words: what make_differences.py measures."""

import math
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, einsum, nn

from glassformer.model.attention import MultiHeadAttention, attention, lowest
from glassformer.model.blocks import FeedForward, PostNorm
from glassformer.model.positions import SinusoidalPositions
from glassformer.model.transformer import Transformer

Change = Callable[[Transformer], None]


def attentions(model: nn.Module) -> Iterator[MultiHeadAttention]:
    return (module for module in model.modules() if isinstance(module, MultiHeadAttention))


def replaced(model: nn.Module, kind: type[nn.Module], make: Callable[[nn.Module], nn.Module]) -> None:
    """Put `make(module)` in the place of each module of a kind."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is kind:
                setattr(parent, name, make(child).train(child.training))


def divide_by_embed_size(model: Transformer) -> None:
    """The origin: scores by the root of all channels, not of a head's."""

    def flatter(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        return attention(queries / math.sqrt(queries.size(2)), keys, values, mask)

    for module in attentions(model):
        module.attend = flatter


class SharedLinear(nn.Module):
    """The origin: one projection (d, d) without bias, applied to each head's channels."""

    def __init__(self, embed_size: int, heads: int) -> None:
        super().__init__()
        self.heads, self.linear = heads, nn.Linear(embed_size // heads, embed_size // heads, bias=False)
        nn.init.xavier_uniform_(self.linear.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.unflatten(-1, (self.heads, -1))).flatten(-2)


def share_projections(model: Transformer) -> None:
    for module in attentions(model):
        for name in ("to_queries", "to_keys", "to_values"):
            setattr(module, name, SharedLinear(model.config.embed_size, module.heads))


def start_as_torch(model: Transformer) -> None:
    """The origin: every module starts as its constructor leaves it."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            module.reset_parameters()


def start_as_annotated(model: Transformer) -> None:
    """The Annotated Transformer: every matrix Xavier uniform, the word tables too; biases as nn.Linear leaves them."""
    start_as_torch(model)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)


class DropoutAfterNorm(nn.Module):
    """The origin: Dropout(LayerNorm(x + Sublayer(x)))."""

    def __init__(self, norm: nn.Module, rate: float) -> None:
        super().__init__()
        self.norm, self.dropout = norm, nn.Dropout(rate)

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        return self.dropout(self.norm(x + sublayer(x)))


def drop_after_norm(model: Transformer) -> None:
    replaced(model, PostNorm, lambda module: DropoutAfterNorm(module.norm, module.dropout.p))


def drop_inside(model: Transformer) -> None:
    """nn.Transformer, the Annotated Transformer: dropout on attention weights and on the hidden layer as well."""
    rate = model.config.dropout

    def dropping(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        energy = einsum("nqhd,nkhd->nhqk", queries, keys) / math.sqrt(queries.size(-1))
        weights = energy.masked_fill(~mask, lowest(energy.dtype)).softmax(dim=-1).masked_fill(~mask, 0)
        return einsum("nhqk,nkhd->nqhd", F.dropout(weights, rate, model.training), values)

    for module in attentions(model):
        module.attend = dropping
    for module in model.modules():
        if isinstance(module, FeedForward):
            module.activation = lambda x, own=module.activation: F.dropout(own(x), rate, model.training)


class AnnotatedNorm(nn.Module):
    """The Annotated Transformer: the standard deviation of a sample (e - 1), and eps beside it, outside the root."""

    def __init__(self, norm: nn.LayerNorm, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, eps

    def forward(self, x: Tensor) -> Tensor:
        deviation = x - x.mean(dim=-1, keepdim=True)
        return self.weight * deviation / (x.std(dim=-1, keepdim=True) + self.eps) + self.bias


def norm_as_annotated(model: Transformer) -> None:
    replaced(model, nn.LayerNorm, AnnotatedNorm)


class HalvesOfWaves(nn.Module):
    """tensor2tensor: all sines, then all cosines, with (e/2 - 1) steps from the first wavelength to the last."""

    def forward(self, embedded: Tensor, start: int) -> Tensor:
        half = embedded.size(-1) // 2
        position = torch.arange(start, start + embedded.size(1), dtype=embedded.dtype).unsqueeze(1)
        angle = position / 10000 ** (torch.arange(half, dtype=embedded.dtype) / (half - 1))
        return embedded + torch.cat([angle.sin(), angle.cos()], dim=-1)


def waves_in_halves(model: Transformer) -> None:
    replaced(model, SinusoidalPositions, lambda module: HalvesOfWaves())


def annotated_target(rows: Tensor, right: Tensor, pad_idx: int, smoothing: float) -> Tensor:
    """The Annotated Transformer: s / (v - 2) for each token but the right one and padding, 0 where padding is right."""
    wanted = torch.full_like(rows, smoothing / (rows.size(1) - 2))
    wanted.scatter_(1, right[:, None], 1 - smoothing)
    wanted[:, pad_idx] = 0
    wanted[right == pad_idx] = 0
    return wanted


def annotated_loss(logits: Tensor, targets: Tensor, pad_idx: int, smoothing: float) -> Tensor:
    """Its KL divergence, summed over tokens."""
    rows = logits.flatten(0, 1)
    wanted = annotated_target(rows, targets.flatten(), pad_idx, smoothing)
    return F.kl_div(rows.log_softmax(dim=-1), wanted, reduction="sum")


def chained(*changes: Change) -> Change:
    def all_of_them(model: Transformer) -> None:
        for change in changes:
            change(model)

    return all_of_them


def nothing(model: Transformer) -> None:
    pass
