"""Faults of what enters the stacks: embeddings and positions."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from glassformer.learn.zoo.fault import POSITIONS, SCALED_EMBEDDINGS, SINUSOIDS, Fault, on
from glassformer.model.positions import sinusoids
from glassformer.model.transformer import Transformer


class NotScaled(nn.Embedding):
    """Undoes the stack's sqrt(embed_size)."""

    def forward(self, tokens: Tensor) -> Tensor:
        return super().forward(tokens) / math.sqrt(self.embedding_dim)


class NotScaledInEval(nn.Embedding):
    def forward(self, tokens: Tensor) -> Tensor:
        embedded = super().forward(tokens)
        return embedded if self.training else embedded / math.sqrt(self.embedding_dim)


class Ignored(nn.Module):
    def forward(self, embedded: Tensor, start: int) -> Tensor:
        return embedded


class AlongTheBatch(nn.Module):
    def forward(self, embedded: Tensor, start: int) -> Tensor:
        return embedded + sinusoids(embedded.size(0), 0, embedded).unsqueeze(1)


class FromZero(nn.Module):
    def forward(self, embedded: Tensor, start: int) -> Tensor:
        positioned: Tensor = super().forward(embedded, 0)
        return positioned


class Halves(nn.Module):
    def forward(self, embedded: Tensor, start: int) -> Tensor:
        table = sinusoids(embedded.size(1), start, embedded)
        return embedded + torch.cat([table[:, 0::2], table[:, 1::2]], dim=1)


def embeddings(model: Transformer) -> Iterable[nn.Module]:
    return model.encoder.word_embedding, model.decoder.word_embedding


def positions(model: Transformer) -> Iterable[nn.Module]:
    return model.encoder.positions, model.decoder.positions


FAULTS = (
    Fault(
        name="embeddings-not-scaled",
        title="Embeddings are not multiplied by sqrt(embed_size).",
        plant=on(embeddings, NotScaled),
        symptom=(
            "None in training here, where embeddings are made to fit the scale and soon grow. With other people's "
            "weights words are drowned by their positions."
        ),
        thread="seen in aladdinpersson/Machine-Learning-Collection and hyunwoongko/transformer",
        exercise="06",
        kind="silent",
        needs=SCALED_EMBEDDINGS,
    ),
    Fault(
        name="embeddings-not-scaled-in-eval",
        title="Embeddings are multiplied by sqrt(embed_size) in training, not in evaluation.",
        plant=on(embeddings, NotScaledInEval),
        symptom=(
            "The training loss is right; validation and everything written are far worse, because words are "
            "drowned by their positions."
        ),
        thread="jadore801120/attention-is-all-you-need-pytorch#176",
        exercise="06",
        kind="decoding",
        needs=SCALED_EMBEDDINGS,
    ),
    Fault(
        name="positions-ignored",
        title="Positions are never added: a sentence is a bag of words.",
        plant=on(positions, Ignored),
        symptom=(
            "The loss stops high and what is written has the right words in the wrong order: the encoder reads a "
            "bag of words."
        ),
        thread="guocheng2025/Transformer-Encoder#1",
        exercise="06",
        kind="stuck",
        needs=POSITIONS,
    ),
    Fault(
        name="positions-along-the-batch",
        title="Positions count the sentences of the batch instead of the words of a sentence.",
        plant=on(positions, AlongTheBatch),
        symptom=(
            "As without positions, and an answer changes with its place in the batch: a sentence alone is always "
            "the first."
        ),
        thread="songyangco/GETNext#2",
        exercise="06",
        kind="stuck",
        needs=SINUSOIDS,
    ),
    Fault(
        name="positions-restart-with-cache",
        title="With a cache, each new word is told that it is the first.",
        plant=on(positions, FromZero),
        symptom=(
            "Training and scoring are right; written with a cache, sentences go wrong from the second word on, "
            "with repetitions."
        ),
        thread="Blaizzy/mlx-vlm#1983",
        exercise="17",
        kind="decoding",
        needs=POSITIONS,
    ),
    Fault(
        name="sines-then-cosines",
        title="The table holds all sines, then all cosines, instead of the two in turn.",
        plant=on(positions, Halves),
        symptom=(
            "None: as good a code as the paper's, and the convention of tensor2tensor and fairseq. With weights "
            "trained on the other order every position is wrong."
        ),
        thread="seen in tensor2tensor and fairseq, where it is right",
        exercise="06",
        kind="convention",
        needs=SINUSOIDS,
    ),
)
