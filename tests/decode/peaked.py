"""Models and sources for the tests of decoding."""

import torch
from torch import Tensor

from glassformer.decode.config import DecodingConfig
from glassformer.model.transformer import Transformer
from tests.small import PAD, SRC_VOCAB, small_model

START, END = 1, 2


def peaked_model(**choices: object) -> Transformer:
    """A small model with strong opinions, which ends its answers at different lengths."""
    model = small_model(**choices)
    with torch.no_grad():
        model.fc_out.weight.mul_(4)
        model.fc_out.bias[END] -= 1
    return model


def sources(sentences: int, longest: int = 7) -> list[list[int]]:
    """Source ids of every length from 1 to `longest`."""
    return [torch.randint(3, SRC_VOCAB, (1 + number % longest,)).tolist() for number in range(sentences)]


def padded(lists: list[list[int]], extra: int = 0) -> Tensor:
    """(n, s), filled up with padding, and `extra` more columns of it."""
    width = max(map(len, lists)) + extra
    return torch.tensor([ids + [PAD] * (width - len(ids)) for ids in lists])


def log_probs_after(model: Transformer, src: list[int], prefix: list[int], config: DecodingConfig) -> Tensor:
    """(v,) for the token after `prefix`, from one whole pass of the model: no cache, no batch, no decoder of ours."""
    with torch.no_grad():
        logits = model(torch.tensor([src]), torch.tensor([[START, *prefix]]))[0, -1]
    logits[[PAD, START, *config.forbidden_ids]] = float("-inf")
    return logits.log_softmax(dim=0)


def limit(src: list[int], config: DecodingConfig, model: Transformer) -> int:
    return max(1, min(int(len(src) * config.max_ratio) + config.max_extra, model.config.max_length))
