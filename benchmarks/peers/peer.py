"""What a comparison asks of an implementation, ours among them."""

import time
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.sizes import CLIP, PAD, SMOOTHING


class Training(Protocol):
    """A model and its optimizer."""

    model: nn.Module

    def step(self, src: Tensor, trg: Tensor, rate: float) -> object:
        """One update from src (n, s) and trg (n, t+1), both with their special tokens."""


class Peer:
    """An implementation, used the way its own documentation says, at the common sizes."""

    title: str
    package: str  # whose version is reported
    alike: ClassVar[dict[str, Any]] = {}  # choices that make our model like it
    beside: ClassVar[dict[str, int]] = {}  # why it has more parameters than ours, or fewer, and how many
    remarks: tuple[str, ...] = ()  # what a reader must know to judge its rows
    trains = True
    has_batches = False  # of its own
    kinds: tuple[str, ...] = ("float32",)  # the numbers it decodes in
    beams: tuple[int, ...] = (1, 4)  # the searches it has

    def model(self, dropout: float) -> nn.Module:
        """A new model in training mode, with dropout where ours has it: on embeddings and sublayers' outputs."""
        raise NotImplementedError

    def training(self, dropout: float, precision: str) -> Training:
        return PlainTraining(self, self.model(dropout), precision)

    def decoder(self, ours: nn.Module | None = None, kind: str = "float32") -> Any:
        """A model that never ends an answer by itself; with the weights of `ours` where it takes them."""
        return self.model(0.0).eval()

    def loss(self, model: nn.Module, src: Tensor, trg: Tensor) -> Tensor:
        """The label-smoothed loss per real target token."""
        logits = self.logits(model, src, trg[:, :-1]).flatten(0, 1).float()
        return F.cross_entropy(logits, trg[:, 1:].flatten(), ignore_index=PAD, label_smoothing=SMOOTHING)

    def logits(self, model: nn.Module, src: Tensor, trg_in: Tensor) -> Tensor:
        """(n, t, v)"""
        raise NotImplementedError

    def answers(self, model: Any, src: Tensor, beam: int) -> Sequence[Sequence[int]]:
        """The best answer to each source, exactly as long as the source, without <s>."""
        raise NotImplementedError

    def batches(self, lengths: Sequence[tuple[int, int]], tokens: int, sentences: int) -> list[list[int]]:
        """Which pairs share a batch in one epoch by its own batching.

        `lengths` counts a source with </s> and a target with one of <s> and </s>. `tokens` and `sentences` are the
        size of a batch, for those that count the one or the other.
        """
        raise NotImplementedError

    def cpu_time(self) -> float:
        """Seconds that the processors have worked for it and for us, wherever that is."""
        return time.process_time()


class PlainTraining:
    """The loop that everybody writes: fused AdamW, clipped gradients, autocast where bfloat16 is asked for."""

    def __init__(self, peer: Peer, model: nn.Module, precision: str) -> None:
        self.peer, self.model, self.precision = peer, model.train(), precision
        self.optimizer = torch.optim.AdamW(
            model.parameters(), betas=(0.9, 0.98), eps=1e-9, weight_decay=0.01, fused=True
        )

    def step(self, src: Tensor, trg: Tensor, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bfloat16"):
            loss = self.peer.loss(self.model, src, trg)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
