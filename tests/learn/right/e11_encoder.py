"""The encoder, rightly, in other ways than the solution's."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from glassformer.learn.weights import AttentionWeights, EncoderLayerWeights, FeedForwardWeights, NormWeights


def by_the_library(
    x: Tensor, mask: Tensor, layers: Sequence[EncoderLayerWeights], heads: int, dropout: float, training: bool
) -> Tensor:
    for layer in layers:
        w = layer.self_attention
        queries, keys, values = (
            (x @ matrix).unflatten(-1, (heads, -1)).transpose(1, 2) for matrix in (w.to_queries, w.to_keys, w.to_values)
        )
        mixed = F.scaled_dot_product_attention(queries, keys, values, mask).transpose(1, 2).flatten(2)
        x = F.layer_norm(
            x + F.dropout(mixed @ w.fc_out, dropout, training), x.shape[-1:], *layer.self_attention_norm, eps=1e-5
        )
        f = layer.feed_forward
        hidden = F.relu(F.linear(x, f.w1.T, f.b1))
        answer = F.dropout(F.linear(hidden, f.w2.T, f.b2), dropout, training)
        x = F.layer_norm(x + answer, x.shape[-1:], *layer.feed_forward_norm, eps=1e-5)
    return x


def attended(x: Tensor, mask: Tensor, weights: AttentionWeights, heads: int) -> Tensor:
    """Sentence by sentence and head by head; -inf where hidden."""
    sentences = []
    for sentence, words in zip(x, mask.flatten(1), strict=True):
        sides = [sentence @ matrix for matrix in weights[:3]]
        mixed = []
        for queries, keys, values in zip(*(side.chunk(heads, dim=-1) for side in sides), strict=True):
            scores = (queries @ keys.T) * queries.size(-1) ** -0.5
            mixed.append(scores.masked_fill(~words, -torch.inf).softmax(dim=-1) @ values)
        sentences.append(torch.cat(mixed, dim=-1) @ weights.fc_out)
    return torch.stack(sentences)


def worked_on(x: Tensor, weights: FeedForwardWeights) -> Tensor:
    return torch.clamp(x @ weights.w1 + weights.b1, min=0) @ weights.w2 + weights.b2


def normed(x: Tensor, weights: NormWeights) -> Tensor:
    variance, mean = torch.var_mean(x, dim=-1, keepdim=True, correction=0)
    return (x - mean) * torch.rsqrt(variance + 1e-5) * weights.gain + weights.bias


def dropped(x: Tensor, dropout: float, training: bool) -> Tensor:
    if not training or dropout == 0:
        return x
    kept = torch.rand_like(x) >= dropout
    return x * kept / (1 - dropout)


def by_hand(
    x: Tensor, mask: Tensor, layers: Sequence[EncoderLayerWeights], heads: int, dropout: float, training: bool
) -> Tensor:
    for layer in layers:
        x = normed(x + dropped(attended(x, mask, layer.self_attention, heads), dropout, training), layer[1])
        x = normed(x + dropped(worked_on(x, layer.feed_forward), dropout, training), layer[3])
    return x


class Layer(torch.nn.Module):
    """One layer as a module."""

    def __init__(self, weights: EncoderLayerWeights, heads: int, dropout: float) -> None:
        super().__init__()
        self.weights, self.heads, self.dropout = weights, heads, torch.nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        halves: list[tuple[Callable[[Tensor], Tensor], NormWeights]] = [
            (lambda y: attended(y, mask, self.weights.self_attention, self.heads), self.weights.self_attention_norm),
            (lambda y: worked_on(y, self.weights.feed_forward), self.weights.feed_forward_norm),
        ]
        for branch, norm in halves:
            x = normed(x + self.dropout(branch(x)), norm)
        return x


def by_modules(
    x: Tensor, mask: Tensor, layers: Sequence[EncoderLayerWeights], heads: int, dropout: float, training: bool
) -> Tensor:
    modules = torch.nn.ModuleList([Layer(weights, heads, dropout) for weights in layers])
    modules.train(training)
    for module in modules:
        x = module(x, mask)
    return x


def in_float32(
    x: Tensor, mask: Tensor, layers: Sequence[EncoderLayerWeights], heads: int, dropout: float, training: bool
) -> Tensor:
    small = [EncoderLayerWeights(*(type(part)(*(w.float() for w in part)) for part in layer)) for layer in layers]
    return by_the_library(x.float(), mask, small, heads, dropout, training)


RIGHT = {"encoder": [by_the_library, by_hand, by_modules, in_float32]}
