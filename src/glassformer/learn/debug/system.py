"""A system under suspicion: a small model and all that is around it, and what the console shows of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from glassformer.learn.debug.decoding import (
    Answer,
    Logits,
    Takes,
    answer_log_prob,
    beam_answer,
    cached_logits,
    greedy_ids,
)
from glassformer.learn.debug.names import BASICS, EXTRAS
from glassformer.learn.debug.task import END, PAD, START, VOCABULARY, Sentences
from glassformer.model.attention import MultiHeadAttention
from glassformer.model.transformer import Transformer

ALL_NAMES = BASICS | EXTRAS

Loss = Callable[[Tensor, Tensor], Tensor]  # (logits (n, t, v), targets (n, t)) -> a number

SIZES: dict[str, Any] = dict(
    src_vocab_size=VOCABULARY, trg_vocab_size=VOCABULARY, embed_size=32, num_layers=1, forward_expansion=2, heads=4,
    max_length=16, positions="sinusoidal", norm="pre", scale_embeddings=True, tie_embeddings="two-way",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class System:
    """One model with its loss and its ways of decoding; a fault changes one field, or plants something in the model."""

    model: Transformer
    batch: Sentences  # what the console calls src and trg
    logits: Logits  # what the console calls model
    loss: Loss
    pad: int = PAD
    first: int = START  # what decoding begins with
    add_up: bool = True  # the beam adds up the log probabilities of a hypothesis
    takes: Takes = "best"  # which finished hypothesis is the beam's answer

    def cached(self, src: Tensor, trg: Tensor) -> Tensor:
        return cached_logits(self.model, src, trg)

    def greedy(self, src: Tensor) -> list[list[int]]:
        return greedy_ids(self.logits, src, self.first)

    def beam(self, src: Tensor, width: int) -> Answer:
        return beam_answer(self.model, src, width, add_up=self.add_up, takes=self.takes)

    def names(self, wanted: Iterable[str]) -> dict[str, Any]:
        """What a learner may use of the system, by name; functions compute without gradients."""
        parts: dict[str, Any] = {
            "model": self.logits,
            "loss": self.loss,
            "greedy": self.greedy,
            "src": self.batch.src.clone(),
            "trg": self.batch.trg.clone(),
            "pad": self.pad,
            "start": START,
            "end": END,
            "torch": torch,
            "F": F,
            "cached": self.cached,
            "beam": self.beam,
            "log_prob": lambda src, ids: answer_log_prob(self.logits, src, ids),
            "attend": self_attention(self.model).attend,
            **dict(zip(("queries", "keys", "values", "mask"), attention_sample(), strict=True)),
            "reach": lambda trg: self_attention_reach(self.model, trg),
        }
        return {name: without_gradients(parts[name], name) for name in wanted}


def right_system(model: Transformer, batch: Sentences, pad: int = PAD) -> System:
    """Nothing wrong around this model."""
    return System(
        model=model,
        batch=batch,
        logits=model,
        loss=lambda logits, targets: cross_entropy(logits, targets, pad),
        pad=pad,
    )


def cross_entropy(logits: Tensor, targets: Tensor, ignored: int) -> Tensor:
    """The mean over the targets that are not `ignored`."""
    return F.cross_entropy(logits.transpose(1, 2), targets, ignore_index=ignored)


def new_model(pad: int = PAD, **choices: Any) -> Transformer:
    return Transformer(**SIZES | dict(src_pad_idx=pad, trg_pad_idx=pad) | choices)


def self_attention(model: Transformer) -> MultiHeadAttention:
    """The first decoder layer's."""
    attention = model.decoder.layers[0].self_attention
    assert isinstance(attention, MultiHeadAttention)
    return attention


@torch.no_grad()
def self_attention_reach(model: Transformer, trg: Tensor) -> Tensor:
    """Bool (n, t, t): does the decoder's self-attention at position q (row) hand on anything of position k (column)?

    Found by changing one value after another, so it tells what the attention does, whatever mask it was given.
    """
    attention, mask = self_attention(model), model.make_trg_mask(trg)
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(*trg.shape, model.config.embed_size, generator=generator, dtype=model.fc_out.weight.dtype)
    before = attention(x, x, x, mask)
    reached = []
    for k in range(trg.size(1)):
        values = x.clone()
        values[:, k] += 1
        reached.append((attention(x, x, values, mask) != before).any(dim=-1))
    return torch.stack(reached, dim=-1)


def attention_sample() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Queries (2, 5, 4, 8), keys and values (2, 6, 4, 8), and a mask (2, 1, 5, 6) that hides a little."""
    generator = torch.Generator().manual_seed(3)
    queries, keys, values = (
        torch.randn(2, length, 4, 8, generator=generator, dtype=torch.float64) for length in (5, 6, 6)
    )
    return queries, keys, values, torch.ones(5, 6, dtype=torch.bool).tril(1).expand(2, 1, 5, 6)


def without_gradients(part: Any, name: str) -> Any:
    """A function that keeps no gradients and that `help` explains; anything else as it is."""
    if not callable(part):
        return part

    def function(*arguments: Any, **named: Any) -> Any:
        with torch.no_grad():
            return part(*arguments, **named)

    function.__name__, function.__doc__ = name, ALL_NAMES[name]
    return function
