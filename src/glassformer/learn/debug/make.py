"""Train the systems of the debugging set and write what their cases show: `python -m glassformer.learn.debug.make`.

Writes made/NAME.safetensors (float16) for each training, and made/given.json with their curves and with the scores,
which are measured on the float16 weights. 3.5 minutes of processor time on one thread of an AMD EPYC, 2026-11-24.
"""

import json
import math
from collections.abc import Iterator
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from glassformer.checkpoint.tensors import weights_of, write_tensors
from glassformer.learn.debug.curves import MEASURED
from glassformer.learn.debug.faults import with_fault
from glassformer.learn.debug.scores import scores_of
from glassformer.learn.debug.system import System, new_model, right_system
from glassformer.learn.debug.systems import DROPOUT, HEALTHY, MADE, SYSTEMS, console_batch
from glassformer.learn.debug.task import END, PAD, Sentences, reversals

STEPS, BATCH, RATE, WARMUP = 700, 64, 1e-2, 100
POINT_EVERY = 20
EPOCH = 400  # updates; D5 fills up the last batch of each with empty rows

# The trainings by the name of their file: the fault, and what differs from the usual
TRAININGS: dict[str, dict[str, Any]] = {
    "healthy": {},
    "no-look-ahead": dict(fault="no-look-ahead"),
    "cross-attention-reads-target": dict(fault="cross-attention-reads-target"),
    "softmax-twice": dict(fault="softmax-twice"),
    "no-source-padding-mask": dict(fault="no-source-padding-mask", one_length=True),
    "empty-row-nan": dict(fault="empty-row-nan", one_length=True, empty_rows=True),
    "pad-is-end": dict(fault="pad-is-end", pad=END),
    "scale-missing": dict(fault="scale-missing"),
    "diagonal-hidden": dict(fault="diagonal-hidden"),
    "pad-counted": dict(fault="pad-counted"),
    "dropout-in-eval": dict(fault="dropout-in-eval", dropout=DROPOUT),
}


def train(
    *,
    fault: str = "",
    pad: int = PAD,
    dropout: float = 0.0,
    one_length: bool = False,
    empty_rows: bool = False,
) -> tuple[dict[str, Tensor], dict[str, list[float]]]:
    """The weights at the end, or the last ones before they became NaN, and the curves.

    A point of a curve is the mean over the batches since the one before: the loss as the system computes it, and the
    share of target tokens, padding left out, that were the likeliest.
    """
    torch.manual_seed(1)
    system = right_system(new_model(pad, dropout=dropout), console_batch(pad), pad)
    if fault:
        system = with_fault(system, fault)
    optimizer = torch.optim.Adam(system.model.parameters(), lr=RATE, betas=(0.9, 0.98))
    curves: dict[str, list[float]] = {"step": [], "loss": [], "accuracy": []}
    losses: list[float] = []
    accuracies: list[float] = []
    weights = copied(system)
    for step, (src, trg) in zip(range(1, STEPS + 1), batches(pad, one_length, empty_rows), strict=False):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(step / WARMUP, 1) * (1 - step / (STEPS + 1))
        logits, targets = system.logits(src, trg[:, :-1]), trg[:, 1:]
        loss = system.loss(logits, targets)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(system.model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        accuracies.append(float((logits.argmax(dim=-1) == targets)[targets != pad].float().mean()))
        if all(bool(parameter.isfinite().all()) for parameter in system.model.parameters()):
            weights = copied(system)
        if step % POINT_EVERY == 0 or step == 1:
            curves["step"].append(step)
            curves["loss"].append(fmean(losses))
            curves["accuracy"].append(fmean(accuracies))
            losses, accuracies = [], []
    return weights, curves


def batches(pad: int, one_length: bool, empty_rows: bool) -> Iterator[Sentences]:
    """Random sentences without end; the last batch of an epoch may be filled up with four empty rows."""
    generator, step = torch.Generator().manual_seed(7), 0
    while True:
        step += 1
        src, trg = reversals(BATCH, generator, pad=pad, one_length=one_length)
        if empty_rows and step % EPOCH == 0:
            src[-4:] = trg[-4:, 1:] = pad
        yield Sentences(src, trg)


def copied(system: System) -> dict[str, Tensor]:
    return {name: tensor.detach().to(torch.float16, copy=True) for name, tensor in weights_of(system.model).items()}


def rounded(numbers: list[float]) -> list[float | None]:
    """Four digits after the point; None for NaN, which JSON has no word for."""
    return [None if math.isnan(number) else round(number, 4) for number in numbers]


def write_given(given: dict[str, Any]) -> None:
    """A line a case."""
    lines = ",\n".join(f"{json.dumps(number)}: {json.dumps(parts)}" for number, parts in given.items())
    MEASURED.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def main() -> None:
    MADE.mkdir(exist_ok=True)
    curves = {}
    for name, choices in TRAININGS.items():
        weights, curves[name] = train(**choices)
        write_tensors(MADE / f"{name}.safetensors", weights)
    plans = {number: systems.faulty for number, systems in SYSTEMS.items()} | {"healthy": HEALTHY}
    given = {
        number: {
            "curves": {name: rounded(curve) for name, curve in curves[plan.weights].items()},
            "scores": scores_of(number, plan.build()),
        }
        for number, plan in plans.items()
    }
    write_given(given)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
