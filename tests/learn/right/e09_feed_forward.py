"""The feed-forward layer, rightly, in other ways than the solution's."""

import torch
import torch.nn.functional as F
from torch import Tensor, einsum

from glassformer.learn.weights import FeedForwardWeights


def by_einsum(x: Tensor, weights: FeedForwardWeights) -> Tensor:
    hidden = torch.maximum(einsum("nte,ef->ntf", x, weights.w1) + weights.b1, torch.tensor(0.0))
    return einsum("ntf,fe->nte", hidden, weights.w2) + weights.b2


def by_the_library(x: Tensor, weights: FeedForwardWeights) -> Tensor:
    return F.linear(F.relu(F.linear(x, weights.w1.T, weights.b1)), weights.w2.T, weights.b2)


def by_loops(x: Tensor, weights: FeedForwardWeights) -> Tensor:
    out = torch.zeros_like(x)
    w1, b1, w2, b2 = weights
    for sentence, tokens in enumerate(x):
        for position, token in enumerate(tokens):
            out[sentence, position] = b2
            for unit in range(len(b1)):
                hidden = b1[unit] + sum(token[channel] * w1[channel, unit] for channel in range(len(token)))
                if hidden > 0:
                    out[sentence, position] += hidden * w2[unit]
    return out


def by_a_gate(x: Tensor, weights: FeedForwardWeights) -> Tensor:
    w1, b1, w2, b2 = weights
    hidden = x.matmul(w1).add(b1)
    return torch.addmm(b2, (hidden * (hidden > 0)).flatten(0, 1), w2).view_as(x)


def in_float32(x: Tensor, weights: FeedForwardWeights) -> Tensor:
    w1, b1, w2, b2 = (part.float() for part in weights)
    return (x.float() @ w1 + b1).clamp(min=0) @ w2 + b2


RIGHT = {"feed_forward": [by_einsum, by_the_library, by_loops, by_a_gate, in_float32]}
