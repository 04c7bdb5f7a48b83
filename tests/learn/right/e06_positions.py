"""Embeddings and positions, rightly, in other ways than the solution's."""

import math

import torch
from torch import Tensor, einsum
from torch.nn.functional import one_hot


def by_the_library(tokens: Tensor, words: Tensor, positions: Tensor) -> Tensor:
    place = torch.arange(tokens.size(1)).expand_as(tokens)
    embedding = torch.nn.functional.embedding
    return embedding(tokens, words) * words.size(-1) ** 0.5 + embedding(place, positions)


def by_loops(tokens: Tensor, words: Tensor, positions: Tensor) -> Tensor:
    n, t = tokens.shape
    e = words.size(1)
    out = torch.zeros(n, t, e, dtype=words.dtype)
    for sentence in range(n):
        for place in range(t):
            out[sentence, place] = math.sqrt(e) * words[tokens[sentence, place]] + positions[place]
    return out


def by_one_hot_vectors(tokens: Tensor, words: Tensor, positions: Tensor) -> Tensor:
    chosen = one_hot(tokens, num_classes=len(words)).to(words.dtype)
    embedded = einsum("ntv,ve->nte", chosen, words * math.sqrt(words.shape[1]))
    return embedded + positions[None, : tokens.shape[1], :]


def embed_in_float32(tokens: Tensor, words: Tensor, positions: Tensor) -> Tensor:
    return by_the_library(tokens, words.float(), positions.float())


def the_annotated_way(length: int, embed_size: int) -> Tensor:
    table = torch.zeros(length, embed_size)
    place = torch.arange(0, length).unsqueeze(1)
    factor = torch.exp(torch.arange(0, embed_size, 2) * -(math.log(10000.0) / embed_size))
    table[:, 0::2] = torch.sin(place * factor)
    table[:, 1::2] = torch.cos(place * factor)
    return table


def one_number_at_a_time(length: int, embed_size: int) -> Tensor:
    def wave(place: int, channel: int) -> float:
        angle = place / math.pow(10000, 2 * (channel // 2) / embed_size)
        return math.cos(angle) if channel % 2 else math.sin(angle)

    rows = [[wave(place, channel) for channel in range(embed_size)] for place in range(length)]
    return torch.tensor(rows, dtype=torch.float64)


def as_turning_pairs(length: int, embed_size: int) -> Tensor:
    frequency = 10000.0 ** -(torch.arange(embed_size // 2, dtype=torch.float64) * 2 / embed_size)
    angle = torch.outer(torch.arange(length, dtype=torch.float64), frequency)
    turned = torch.polar(torch.ones_like(angle), math.pi / 2 - angle)
    return torch.view_as_real(turned).reshape(length, embed_size)


RIGHT = {
    "embed": [by_the_library, by_loops, by_one_hot_vectors, embed_in_float32],
    "sinusoids": [the_annotated_way, one_number_at_a_time, as_turning_pairs],
}
