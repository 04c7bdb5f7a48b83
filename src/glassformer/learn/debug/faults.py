"""Faults around the model: of the loss, the data, the training and the decoding. The zoo has those of the model.

Each is a change of a right system. Some have a case, where the learner is to name them; others are rivals: they show
the same symptom for another reason, so that a probe which sees only the symptom is true of them too.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from glassformer.learn.debug.system import System, cross_entropy
from glassformer.learn.debug.task import END, PAD, Sentences
from glassformer.learn.zoo import FAULTS as ZOO
from glassformer.learn.zoo import plant

NOBODY = -100  # an id that no target has


@dataclass(frozen=True)
class Around:
    """A fault around the model."""

    title: str  # a sentence: what the system does now
    change: Callable[[System], System]


def softmax_twice(system: System) -> System:
    """The loss is the system's own: it takes these for logits and applies the second softmax."""
    model = system.model
    return replace(system, logits=lambda src, trg: model(src, trg).softmax(dim=-1))


def smoothing_too_strong(system: System) -> System:
    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(logits.transpose(1, 2), targets, ignore_index=system.pad, label_smoothing=0.6)

    return replace(system, loss=loss)


def pad_counted(system: System) -> System:
    return replace(system, loss=lambda logits, targets: cross_entropy(logits, targets, NOBODY))


def mean_over_all_positions(system: System) -> System:
    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        each = F.cross_entropy(logits.transpose(1, 2), targets, ignore_index=system.pad, reduction="none")
        return each.mean()

    return replace(system, loss=loss)


def end_not_in_targets(system: System) -> System:
    """Around a model whose padding is END: from outside padding is PAD, and the targets stop before their </s>."""
    model, (src, trg) = system.model, system.batch

    def logits(src: Tensor, trg: Tensor) -> Tensor:
        answer: Tensor = model(src.masked_fill(src == PAD, END), trg.masked_fill(trg == PAD, END))
        return answer

    # A source keeps the one </s> that a model of this kind takes for padding; its target has none.
    first_end = (src == END).cumsum(dim=1) == 1
    batch = Sentences(src.masked_fill((src == END) & ~first_end, PAD), trg.masked_fill(trg == END, PAD))
    return replace(
        system, logits=logits, loss=lambda logits, targets: cross_entropy(logits, targets, PAD), pad=PAD, batch=batch
    )


@torch.no_grad()
def weights_nan(system: System) -> System:
    for parameter in system.model.parameters():
        parameter.fill_(torch.nan)
    return system


AROUND: dict[str, Around] = {
    "softmax-twice": Around("The model answers probabilities, and the loss takes them for logits.", softmax_twice),
    "smoothing-too-strong": Around(
        "Label smoothing asks the right token to have less than half.", smoothing_too_strong
    ),
    "pad-counted": Around("The loss asks for padding after padding, and counts it like words.", pad_counted),
    "mean-over-all-positions": Around(
        "The loss leaves padding out of the sum, and divides by all positions.", mean_over_all_positions
    ),
    "pad-is-end": Around(
        "Padding and </s> share one id: the loss leaves out the one with the other.", lambda system: system
    ),
    "end-not-in-targets": Around("The targets stop before their </s>.", end_not_in_targets),
    "wrong-start-token": Around(
        "Decoding begins with another token than training.", lambda system: replace(system, first=system.pad)
    ),
    "frozen-weights": Around("No weight is ever updated.", lambda system: system),
    "weights-nan": Around("An update has made every weight NaN.", weights_nan),
    "last-step-score": Around(
        "A beam's hypothesis is worth what its last token is: earlier log probabilities are not added.",
        lambda system: replace(system, add_up=False),
    ),
    "stops-at-first-finished": Around(
        "The beam answers with the first hypothesis that writes </s>.",
        lambda system: replace(system, takes="first"),
    ),
    "beam-sorted-backwards": Around(
        "The beam answers with the least likely of its finished hypotheses.",
        lambda system: replace(system, takes="worst"),
    ),
}


def with_fault(system: System, name: str) -> System:
    """The system with this fault in it. The zoo's are planted in the system's own model, for good.

    "pad-is-end" and "frozen-weights" change nothing here: they are in how a model is built and trained.
    """
    if name in ZOO:
        plant(system.model, name)
        return system
    return AROUND[name].change(system)


@cache
def fault_titles() -> dict[str, str]:
    """Every name that an answer may give, in order of the alphabet, each with a sentence; imports torch."""
    of_the_model = {name: fault.title for name, fault in ZOO.items()}
    around_it = {name: fault.title for name, fault in AROUND.items()}
    return dict(sorted({**of_the_model, **around_it}.items()))


def fault_names() -> tuple[str, ...]:
    """Every name that an answer may give."""
    return tuple(fault_titles())
