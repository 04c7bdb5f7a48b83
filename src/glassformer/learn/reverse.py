"""Reversing three to seven symbols: a task on which the learner's own Transformer proves itself in a minute.

The last exercises' files import this when they are run: the functions that are trained are the learner's.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from glassformer.learn.debug.decoding import greedy_ids, up_to_end
from glassformer.learn.debug.scores import share
from glassformer.learn.debug.task import PAD, START, VOCABULARY, reversals
from glassformer.learn.weights import TransformerWeights, tensors, transformer_weights

EMBED_SIZE, FORWARD_SIZE, LAYERS, HEADS = 48, 96, 1, 4
SENTENCES, WARMUP, FACTOR, CLIP_NORM = 64, 100, 0.2, 1.0

Transform = Callable[[Tensor, Tensor, TransformerWeights, int, int, int], Tensor]
MakeOptimizer = Callable[[nn.Module, float], torch.optim.Optimizer]
Batches = Sequence[tuple[Tensor, Tensor]]
TrainStep = Callable[[nn.Module, torch.optim.Optimizer, Batches, int, float, float], float]
Rate = Callable[[int, int, int, float], float]


class Model(nn.Module):
    """A `transformer` function and its weights as a module: `model(src, trg_in)` answers logits."""

    def __init__(self, transformer: Transform, weights: TransformerWeights) -> None:
        super().__init__()
        self.transformer = transformer
        self.weights: TransformerWeights = trainable(weights)
        self.parts = nn.ParameterList(tensors(self.weights))

    def forward(self, src: Tensor, trg_in: Tensor) -> Tensor:
        return self.transformer(src, trg_in, self.weights, HEADS, PAD, PAD)


def trainable(weights: Any) -> Any:
    """The same nested tuples, with parameters instead of tensors."""
    if isinstance(weights, Tensor):
        return nn.Parameter(weights)
    if hasattr(weights, "_fields"):
        return type(weights)(*map(trainable, weights))
    return tuple(map(trainable, weights))


def train_to_reverse(
    steps: int,
    transformer: Transform,
    make_optimizer: MakeOptimizer,
    train_step: TrainStep,
    noam: Rate,
    report: Callable[[str], None],
) -> TransformerWeights:
    """Train the learner's functions from random weights, in float64; `report` is told how it goes ten times.

    Each step is one update from two micro-batches of 32 sentences. The weights that come back need no gradient.
    """
    generator = torch.Generator().manual_seed(0)
    model = Model(transformer, transformer_weights(VOCABULARY, VOCABULARY, EMBED_SIZE, FORWARD_SIZE, LAYERS, seed=0))
    optimizer = make_optimizer(model, noam(1, EMBED_SIZE, WARMUP, FACTOR))
    for step in range(1, steps + 1):
        micro_batches = [reversals(SENTENCES // 2, generator) for _ in range(2)]
        rate = noam(step, EMBED_SIZE, WARMUP, FACTOR)
        loss = train_step(model, optimizer, micro_batches, PAD, CLIP_NORM, rate)
        if step % max(1, steps // 10) == 0 or step == 1:
            report(f"step {step:4d} of {steps}   rate {rate:.5f}   loss {loss:.3f}")
    for weight in model.parameters():
        weight.requires_grad_(False)
    return model.weights


def written_greedily(transformer: Transform, weights: TransformerWeights, src: Tensor) -> list[list[int]]:
    """The likeliest token again and again, for a batch of sources; without `<s>`, and up to `</s>`."""
    return greedy_ids(lambda src, trg: transformer(src, trg, weights, HEADS, PAD, PAD), src, START)


def exact_match(write: Callable[[Tensor], Sequence[Sequence[int]]], sentences: int = 200) -> float:
    """The part of new sentences that `write(src)` reverses without a mistake, 0 to 1.

    `write` is given sources (n, s) and answers a list of ids for each, without `<s>`; what follows `</s>` is ignored.
    """
    src, trg = reversals(sentences, 1)
    return share([up_to_end(list(row)) for row in write(src)], trg)
