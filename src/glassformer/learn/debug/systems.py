"""Which system belongs to which case: the faulty one, the right one, and the rivals with the same symptom."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch

from glassformer.checkpoint.tensors import put_weights, read_tensors
from glassformer.learn.debug.faults import with_fault
from glassformer.learn.debug.system import System, new_model, right_system
from glassformer.learn.debug.task import END, PAD, Sentences, reversals

MADE = Path(__file__).parent / "made"  # what make.py writes
CONSOLE_SENTENCES, CONSOLE_SEED = 8, 20
DROPOUT = 0.05  # of D9d


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to build a system: whose weights, and which faults."""

    faults: tuple[str, ...] = ()
    weights: str = "healthy"  # a file of made/; "" for those that a model starts with
    pad: int = PAD
    dropout: float = 0.0
    empty_row: bool = False  # the console's batch ends with a source of padding alone

    def build(self) -> System:
        """The system, in float64 and in evaluation mode, so that what should be equal is."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = new_model(self.pad, dropout=self.dropout, dtype=torch.float64).eval()
        if self.weights:
            put_weights(model, read_tensors(MADE / f"{self.weights}.safetensors"), self.weights)
        system = right_system(model, console_batch(self.pad, self.empty_row), self.pad)
        for fault in self.faults:
            system = with_fault(system, fault)
        return system


@cache
def built(plan: Plan) -> System:
    """The plan's system, built once: for those who only ask it."""
    return plan.build()


@dataclass(frozen=True, kw_only=True)
class Systems:
    """The systems of one case; the right one is like the faulty one, but for the fault."""

    faulty: Plan
    right: Plan
    rivals: tuple[Plan, ...]  # the same symptom, another fault


def console_batch(pad: int = PAD, empty_row: bool = False) -> Sentences:
    """Eight sentences of three to seven letters; the first is as long as they get, the last may be empty."""
    src, trg = reversals(CONSOLE_SENTENCES, CONSOLE_SEED, pad=pad)
    longest_first = (src != pad).sum(dim=1).argsort(descending=True, stable=True)
    src, trg = src[longest_first], trg[longest_first]
    if empty_row:
        src[-1, :] = trg[-1, 1:] = pad
    return Sentences(src, trg)


HEALTHY = Plan()
PAD_IS_END = Plan(faults=("pad-is-end",), weights="pad-is-end", pad=END)
EMPTY_ROW = Plan(faults=("empty-row-nan",), weights="empty-row-nan", empty_row=True)
SILENT = {
    "D9a": Plan(faults=("scale-missing",), weights="scale-missing"),
    "D9b": Plan(faults=("diagonal-hidden",), weights="diagonal-hidden"),
    "D9c": Plan(faults=("pad-counted",), weights="pad-counted"),
    "D9d": Plan(faults=("dropout-in-eval",), weights="dropout-in-eval", dropout=DROPOUT),
}

LIKE_THE_SILENT = (Plan(faults=("scale-sqrt-embed-size",)), Plan(faults=("mean-over-all-positions",)))

SYSTEMS: dict[str, Systems] = {
    "D1": Systems(
        faulty=Plan(faults=("no-look-ahead",), weights="no-look-ahead"),
        right=HEALTHY,
        rivals=(
            Plan(faults=("wrong-start-token",)),
            Plan(faults=("end-not-in-targets",), weights="pad-is-end", pad=END),
        ),
    ),
    "D2": Systems(
        faulty=Plan(faults=("cross-attention-reads-target",), weights="cross-attention-reads-target"),
        right=HEALTHY,
        rivals=(Plan(faults=("frozen-weights",), weights=""),),
    ),
    "D3": Systems(
        faulty=Plan(faults=("softmax-twice",), weights="softmax-twice"),
        right=HEALTHY,
        rivals=(Plan(faults=("smoothing-too-strong",)),),
    ),
    "D4": Systems(
        faulty=Plan(faults=("no-source-padding-mask",), weights="no-source-padding-mask"),
        right=HEALTHY,
        rivals=(Plan(faults=("mask-of-another-sentence",)),),
    ),
    "D5": Systems(
        faulty=EMPTY_ROW,
        right=replace(EMPTY_ROW, faults=()),
        rivals=(
            replace(EMPTY_ROW, faults=("weights-nan",)),
            replace(EMPTY_ROW, faults=("empty-row-nan", "pad-mask-on-query-axis")),
        ),
    ),
    "D6": Systems(
        faulty=Plan(faults=("positions-restart-with-cache",)),
        right=HEALTHY,
        rivals=(Plan(faults=("cache-keeps-nothing",)), Plan(faults=("look-ahead-top-left",))),
    ),
    "D7": Systems(
        faulty=PAD_IS_END,
        right=HEALTHY,
        rivals=(replace(PAD_IS_END, faults=("end-not-in-targets",)),),
    ),
    "D8": Systems(
        faulty=Plan(faults=("last-step-score",)),
        right=HEALTHY,
        rivals=(Plan(faults=("stops-at-first-finished",)), Plan(faults=("beam-sorted-backwards",))),
    ),
} | {
    number: Systems(
        faulty=plan,
        right=HEALTHY,
        rivals=(*(other for other in SILENT.values() if other is not plan), *LIKE_THE_SILENT),
    )
    for number, plan in SILENT.items()
}
