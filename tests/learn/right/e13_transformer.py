"""The shift and the whole model, rightly, in other ways than the solution's."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from glassformer.learn.weights import TransformerWeights
from tests.learn.right import e11_encoder, e12_decoder_layer


def by_narrow(trg: Tensor) -> tuple[Tensor, Tensor]:
    length = trg.size(1) - 1
    return trg.narrow(1, 0, length), trg.narrow(1, 1, length)


def as_copies(trg: Tensor) -> list[Tensor]:
    return [trg[:, :-1].clone(), trg[:, 1:].clone()]


def by_rolling(trg: Tensor) -> tuple[Tensor, Tensor]:
    return trg[..., :-1], trg.roll(-1, dims=1)[..., :-1]


def waves(length: int, embed_size: int) -> Tensor:
    rows = [
        [math.cos(p / 10000 ** ((c - 1) / embed_size)) if c % 2 else math.sin(p / 10000 ** (c / embed_size))
         for c in range(embed_size)]
        for p in range(length)
    ]  # fmt: skip
    return torch.tensor(rows, dtype=torch.float64)


def waves_in_float32(length: int, embed_size: int) -> Tensor:
    place = torch.arange(length).unsqueeze(1)
    frequency = torch.exp(torch.arange(0, embed_size, 2) * (-math.log(10000.0) / embed_size))
    table = torch.zeros(length, embed_size)
    table[:, 0::2], table[:, 1::2] = torch.sin(place * frequency), torch.cos(place * frequency)
    return table


def by_parts(
    src: Tensor,
    trg: Tensor,
    weights: TransformerWeights,
    heads: int,
    src_pad_idx: int,
    trg_pad_idx: int,
    waves: Callable[[int, int], Tensor] = waves,
) -> Tensor:
    e = weights.trg_words.shape[1]
    src_mask = src.ne(src_pad_idx)[:, None, None, :]
    trg_mask = torch.tril(trg.ne(trg_pad_idx)[:, None, None, :].repeat(1, 1, trg.shape[1], 1))
    source = F.embedding(src, weights.src_words) * e**0.5 + waves(src.shape[1], e)
    memory = e11_encoder.by_the_library(source, src_mask, weights.encoder, heads, 0.0, False)
    x = F.embedding(trg, weights.trg_words) * e**0.5 + waves(trg.shape[1], e)
    for layer in weights.decoder:
        x = e12_decoder_layer.by_the_library(x, memory, layer, heads, trg_mask, src_mask)
    return F.linear(x, weights.trg_words)


def with_float32_waves(
    src: Tensor, trg: Tensor, weights: TransformerWeights, heads: int, src_pad_idx: int, trg_pad_idx: int
) -> Tensor:
    return by_parts(src, trg, weights, heads, src_pad_idx, trg_pad_idx, waves_in_float32)


def with_a_finite_fill(
    src: Tensor, trg: Tensor, weights: TransformerWeights, heads: int, src_pad_idx: int, trg_pad_idx: int
) -> Tensor:
    """-1e9 where hidden: a target row of padding alone gets an average, which nobody reads."""
    e = weights.src_words.size(1)
    src_mask = (src != src_pad_idx).view(len(src), 1, 1, -1)
    past = torch.arange(trg.size(1)) <= torch.arange(trg.size(1)).unsqueeze(1)
    trg_mask = (trg != trg_pad_idx).view(len(trg), 1, 1, -1) & past
    memory = math.sqrt(e) * weights.src_words[src] + waves(src.size(1), e)
    memory = e11_encoder.by_hand(memory, src_mask, weights.encoder, heads, 0.1, False)
    x = math.sqrt(e) * weights.trg_words[trg] + waves(trg.size(1), e)
    for layer in weights.decoder:
        x = e12_decoder_layer.line_by_line(x, memory, layer, heads, trg_mask, src_mask)
    return torch.einsum("nte,ve->ntv", x, weights.trg_words)


def sentence_by_sentence(
    src: Tensor, trg: Tensor, weights: TransformerWeights, heads: int, src_pad_idx: int, trg_pad_idx: int
) -> Tensor:
    """Source padding is cut off instead of hidden."""
    rows = []
    for source, target in zip(src, trg, strict=True):
        source = source[source != src_pad_idx]
        rows.append(by_parts(source[None], target[None], weights, heads, src_pad_idx, trg_pad_idx))
    return torch.cat(rows)


RIGHT = {
    "shift": [by_narrow, as_copies, by_rolling],
    "transformer": [by_parts, with_float32_waves, with_a_finite_fill, sentence_by_sentence],
}
