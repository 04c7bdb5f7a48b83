"""The masks, rightly, in other ways than the solution's."""

import torch
from torch import Tensor, nn


def padding_by_loops(tokens: Tensor, pad_idx: int) -> Tensor:
    return torch.tensor([[[[token != pad_idx for token in sentence]]] for sentence in tokens.tolist()])


def padding_by_indexing(tokens: Tensor, pad_idx: int) -> Tensor:
    return ~tokens.eq(pad_idx)[:, None, None]


def padding_by_view(tokens: Tensor, pad_idx: int) -> Tensor:
    return torch.where(tokens == pad_idx, 0, 1).bool().view(tokens.shape[0], 1, 1, -1)


def look_ahead_by_loops(length: int) -> Tensor:
    return torch.tensor([[[[column <= row for column in range(length)] for row in range(length)]]])


def look_ahead_by_comparison(length: int) -> Tensor:
    position = torch.arange(length)
    return (position[:, None] >= position[None, :]).view(1, 1, length, length)


def look_ahead_by_the_future(length: int) -> Tensor:
    future = torch.triu(torch.ones(1, 1, length, length), diagonal=1)
    return future == 0


def look_ahead_by_the_library(length: int) -> Tensor:
    return nn.Transformer.generate_square_subsequent_mask(length)[None, None] == 0


def target_by_loops(tokens: Tensor, pad_idx: int) -> Tensor:
    mask = torch.zeros(len(tokens), 1, tokens.size(1), tokens.size(1), dtype=torch.bool)
    for sentence, words in enumerate(tokens):
        for row in range(len(words)):
            for column in range(row + 1):
                mask[sentence, 0, row, column] = bool(words[column] != pad_idx)
    return mask


def target_by_what_is_hidden(tokens: Tensor, pad_idx: int) -> Tensor:
    position = torch.arange(tokens.size(1))
    future = position[None, :] > position[:, None]
    return ~(future | (tokens == pad_idx)[:, None, :]).unsqueeze(1)


def target_by_tril(tokens: Tensor, pad_idx: int) -> Tensor:
    words = (tokens != pad_idx)[:, None, None, :]
    return words.repeat(1, 1, tokens.size(1), 1).tril()


RIGHT = {
    "padding_mask": [padding_by_loops, padding_by_indexing, padding_by_view],
    "look_ahead_mask": [
        look_ahead_by_loops,
        look_ahead_by_comparison,
        look_ahead_by_the_future,
        look_ahead_by_the_library,
    ],
    "target_mask": [target_by_loops, target_by_what_is_hidden, target_by_tril],
}
