"""Small trainings that tell what a difference does where numbers alone do not: for make_differences.py."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

import torch
from torch import Tensor
from variants import (
    Change,
    annotated_loss,
    chained,
    divide_by_embed_size,
    drop_after_norm,
    drop_inside,
    norm_as_annotated,
    nothing,
    share_projections,
    start_as_annotated,
    start_as_torch,
    waves_in_halves,
)

from glassformer.data import Batch, make_batch
from glassformer.data.synthetic import LETTERS, synthetic
from glassformer.model.transformer import Transformer
from glassformer.train.loss import label_smoothed_loss
from glassformer.train.schedules import inverse_sqrt

PAD, START, END = 0, 1, 2
SEEDS, UPDATES, SENTENCES, TESTED = (0, 1, 2), 400, 64, 200
PEAK, WARMUP, CLIP = 5e-3, 100, 1.0
SIZES: dict[str, Any] = dict(
    src_vocab_size=13, trg_vocab_size=13, src_pad_idx=PAD, trg_pad_idx=PAD, embed_size=32, num_layers=1,
    forward_expansion=2, heads=4, max_length=32, positions="sinusoidal", scale_embeddings=True,
    tie_embeddings="two-way",
)  # fmt: skip
ORIGIN = dict(positions="learned", scale_embeddings=False, tie_embeddings="none")


@dataclass(frozen=True)
class Variant:
    """A model of `SIZES` with other choices, changed after it is built."""

    says: str
    choices: dict[str, Any] = field(default_factory=dict)
    change: Change = nothing
    loss: Callable[[Tensor, Tensor, int, float], Tensor] = label_smoothed_loss
    smoothing: float = 0.0


VARIANTS = {
    "ours": Variant("ours: post-norm, sinusoids, tied tables, no dropout"),
    "scale": Variant("scores / sqrt(embed_size)", change=divide_by_embed_size),
    "shared": Variant("one projection for all heads", change=share_projections),
    "origin-ours": Variant("ours with the origin's choices (preset origin)", ORIGIN),
    "origin": Variant(
        "the origin's formulas and start", ORIGIN, chained(share_projections, divide_by_embed_size, start_as_torch)
    ),
    "final-norms": Variant("final norms after post-norm stacks (nn.Transformer)", dict(final_norms=True)),
    "pre": Variant("pre-norm", dict(norm="pre")),
    "annotated": Variant(
        "pre-norm, Annotated norm and start", dict(norm="pre", tie_embeddings="none"),
        chained(start_as_annotated, norm_as_annotated),
    ),
    "halves": Variant("sinusoids in halves (tensor2tensor)", change=waves_in_halves),
    "dropout": Variant("dropout 0.1 where the paper has it", dict(dropout=0.1)),
    "dropout-after": Variant("dropout 0.1 after each norm (the origin)", dict(dropout=0.1), drop_after_norm),
    "dropout-inside": Variant(
        "dropout 0.1 on weights and hidden layers too (nn.Transformer, Annotated)", dict(dropout=0.1), drop_inside
    ),
    "smoothing": Variant("label smoothing 0.1, s / v for each token", smoothing=0.1),
    "smoothing-annotated": Variant(
        "label smoothing 0.1, s / (v - 2) by KL divergence (Annotated)", loss=annotated_loss, smoothing=0.1
    ),
}  # fmt: skip


def measure(names: Sequence[str] = tuple(VARIANTS)) -> dict[str, dict[str, list[float]]]:
    """Each variant trained with each seed: "loss", nats per held-out token, and "exact", percent written right."""
    torch.set_num_threads(1)
    data = synthetic("reverse")
    train, test = ([(ids(src), ids(trg)) for src, trg in part()] for part in (data.train, data.test))
    results = {}
    for name in names:
        runs = [trained(VARIANTS[name], seed, train, batch_of(test[:TESTED])) for seed in SEEDS]
        results[name] = {"loss": [loss for loss, _ in runs], "exact": [exact for _, exact in runs]}
        print(name, results[name], flush=True)
    return results


def trained(variant: Variant, seed: int, train: list[Any], test: Batch) -> tuple[float, float]:
    torch.manual_seed(seed)
    model = Transformer(**(SIZES | variant.choices))
    variant.change(model)
    optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98), eps=1e-9)
    dice = torch.Generator().manual_seed(seed)
    for step in range(1, UPDATES + 1):
        batch = batch_of([train[row] for row in torch.randint(len(train), (SENTENCES,), generator=dice).tolist()])
        loss = variant.loss(model(batch.src, batch.trg_in), batch.trg_out, PAD, variant.smoothing) / batch.real_tokens
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        for group in optimizer.param_groups:
            group["lr"] = inverse_sqrt(step, PEAK, WARMUP)
        optimizer.step()
    return judged(model.eval(), test)


@torch.no_grad()
def judged(model: Transformer, test: Batch) -> tuple[float, float]:
    loss = label_smoothed_loss(model(test.src, test.trg_in), test.trg_out, PAD, 0.0) / test.real_tokens
    written = torch.full((len(test.src), 1), START)
    while written.size(1) < test.trg.size(1):
        written = torch.cat([written, model(test.src, written)[:, -1:].argmax(dim=-1)], dim=1)
    right = ((written == test.trg) | (test.trg == PAD)).all(dim=1)
    return round(float(loss), 4), round(100 * float(right.float().mean()), 1)


def ids(text: str) -> list[int]:
    return [LETTERS.index(letter) + 3 for letter in text.split(" ")]


def batch_of(pairs: Sequence[tuple[list[int], list[int]]]) -> Batch:
    sources, targets = [[*src, END] for src, _ in pairs], [[START, *trg, END] for _, trg in pairs]
    return make_batch(sources, targets, src_pad_id=PAD, trg_pad_id=PAD)


def spread(values: Sequence[float], digits: int) -> str:
    """Mean, and from the lowest to the highest."""
    return f"{mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
