"""Reversing three to seven symbols: a task on which the learner's own Transformer proves itself in a minute.

The last exercises' files import this when they are run: the functions that are trained are the learner's.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from glassformer.learn.weights import TransformerWeights, tensors, transformer_weights

PAD, START, END, FIRST = 0, 1, 2, 3  # the ids; symbols are FIRST and later
SYMBOLS, SHORTEST, LONGEST = 10, 3, 7
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


def reversed_sentences(number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sources (n, s) and targets (n, t): `<s>`, the source from its end, `</s>`; both filled up on the right."""
    lengths = torch.randint(SHORTEST, LONGEST + 1, (number,), generator=generator)
    symbols = torch.randint(FIRST, FIRST + SYMBOLS, (number, LONGEST), generator=generator)
    src = torch.full((number, LONGEST), PAD)
    trg = torch.full((number, LONGEST + 2), PAD)
    for row, length in enumerate(lengths.tolist()):
        src[row, :length] = symbols[row, :length]
        trg[row, : length + 2] = torch.tensor([START, *reversed(symbols[row, :length].tolist()), END])
    return src, trg


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
    vocabulary = FIRST + SYMBOLS
    model = Model(transformer, transformer_weights(vocabulary, vocabulary, EMBED_SIZE, FORWARD_SIZE, LAYERS, seed=0))
    optimizer = make_optimizer(model, noam(1, EMBED_SIZE, WARMUP, FACTOR))
    for step in range(1, steps + 1):
        micro_batches = [reversed_sentences(SENTENCES // 2, generator) for _ in range(2)]
        rate = noam(step, EMBED_SIZE, WARMUP, FACTOR)
        loss = train_step(model, optimizer, micro_batches, PAD, CLIP_NORM, rate)
        if step % max(1, steps // 10) == 0 or step == 1:
            report(f"step {step:4d} of {steps}   rate {rate:.5f}   loss {loss:.3f}")
    for weight in model.parameters():
        weight.requires_grad_(False)
    return model.weights


def written_greedily(transformer: Transform, weights: TransformerWeights, src: Tensor) -> list[list[int]]:
    """The likeliest token again and again, for a batch of sources; without `<s>`, and up to `</s>`."""
    trg = torch.full((src.size(0), 1), START)
    for _ in range(LONGEST + 1):
        logits = transformer(src, trg, weights, HEADS, PAD, PAD)
        trg = torch.cat([trg, logits[:, -1:].argmax(dim=-1)], dim=1)
    return [up_to_the_end(row) for row in trg[:, 1:].tolist()]


def up_to_the_end(tokens: Sequence[int]) -> list[int]:
    return list(tokens[: tokens.index(END)] if END in tokens else tokens)


def exact_match(write: Callable[[Tensor], Sequence[Sequence[int]]], sentences: int = 200) -> float:
    """The part of new sentences that `write(src)` reverses without a mistake, 0 to 1.

    `write` is given sources (n, s) and answers a list of ids for each, without `<s>`; what follows `</s>` is ignored.
    """
    src, trg = reversed_sentences(sentences, torch.Generator().manual_seed(1))
    asked = [up_to_the_end(row[1:]) for row in trg.tolist()]
    found = [up_to_the_end(row) for row in write(src)]
    return sum(map(list.__eq__, asked, found)) / sentences
