"""Our own side of each comparison."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.peers.peer import Peer, Training
from benchmarks.sizes import (
    CLIP,
    EMBED,
    END,
    FORWARD,
    HEADS,
    LAYERS,
    MAX_LENGTH,
    NEVER,
    PAD,
    SMOOTHING,
    START,
    VOCAB,
)
from glassformer import DecodingConfig, TrainingConfig, Transformer
from glassformer.data import Batch
from glassformer.decode import beam_search, greedy
from glassformer.decode.quantize import quantize
from glassformer.train import train_step
from glassformer.train.step import make_optimizer


@dataclass
class Glassformer(Peer):
    title = "glassformer"
    package = "torch"
    choices: dict[str, Any] = field(default_factory=dict)  # what makes it like a peer; else it is the paper's

    def model(self, dropout: float) -> Transformer:
        paper = dict(positions="sinusoidal", scale_embeddings=True, tie_embeddings="three-way", max_length=MAX_LENGTH)
        sizes = (EMBED, LAYERS, FORWARD / EMBED, HEADS, dropout)
        return Transformer(VOCAB, VOCAB, PAD, PAD, *sizes, **(paper | self.choices))

    def training(self, dropout: float, precision: str) -> Training:
        return OurTraining(self.model(dropout), precision)

    def decoder(self, ours: nn.Module | None = None, kind: str = "float32") -> Transformer:
        if ours is not None:
            return ours if kind == "float32" else quantize(ours, kind)
        model = self.model(0.0).eval()
        with torch.no_grad():
            model.fc_out.bias[END] = NEVER
        return model

    def logits(self, model: nn.Module, src: Tensor, trg_in: Tensor) -> Tensor:
        return model(src, trg_in)

    def answers(self, model: Transformer, src: Tensor, beam: int) -> Sequence[Sequence[int]]:
        config = DecodingConfig(beam=beam, max_ratio=1.0, max_extra=0, forced_end=False)
        if beam == 1:
            return [hypothesis.ids for hypothesis in greedy(model, src, START, END, config)]
        return [several[0].ids for several in beam_search(model, src, START, END, config)]


class OurTraining:
    def __init__(self, model: Transformer, precision: str) -> None:
        self.config = TrainingConfig(max_steps=1, precision=precision, label_smoothing=SMOOTHING, clip_norm=CLIP)
        self.model, self.optimizer = model, make_optimizer(model, self.config)

    def step(self, src: Tensor, trg: Tensor, rate: float) -> None:
        batch = Batch(src, trg, int((trg[:, 1:] != PAD).sum()))
        train_step(self.model, self.optimizer, [batch], self.config, rate=rate, pad_idx=PAD)


PEER = Glassformer()
