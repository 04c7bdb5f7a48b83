"""The measurements of make_differences.py: each gives numbers, on the CPU in float64, the same each time."""

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from variants import AnnotatedNorm, Change, annotated_loss, annotated_target

from glassformer.exchange.compare.measured import entropies, random_batch
from glassformer.model.attention import attention
from glassformer.model.transformer import Transformer
from glassformer.train.loss import label_smoothed_loss

WORDS, LAYERS, E, HEADS = 1000, 2, 256, 8
SIZES: dict[str, Any] = dict(
    src_vocab_size=WORDS, trg_vocab_size=WORDS, src_pad_idx=0, trg_pad_idx=0, embed_size=E, num_layers=LAYERS,
    heads=HEADS,
)  # fmt: skip
PAPER: dict[str, Any] = dict(positions="sinusoidal", scale_embeddings=True, tie_embeddings="three-way")


@cache
def model(**choices: Any) -> Transformer:
    """The measured sizes with other choices, from seed 0, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Transformer(**(SIZES | choices)).double().eval()


def changed(change: Change, **choices: Any) -> Transformer:
    """A copy of that model after a change, whose random numbers are from seed 1."""
    copy = deepcopy(model(**choices))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        change(copy)
    return copy.double()


@torch.no_grad()
def effect(change: Change, **choices: Any) -> tuple[float, float]:
    """The largest difference of a logit at a word that a change makes, weights staying; and the largest logit."""
    before = model(**choices)
    src, trg, pad_idx = random_batch(before.config, before.config)
    words = (trg != pad_idx)[:, :-1, None]
    one, two = (each(src, trg[:, :-1]) * words for each in (before, changed(change, **choices)))
    return float((one - two).abs().max()), float(one.abs().max())


def entropy(change: Change, **choices: Any) -> dict[str, float]:
    """Of attention at the start, in nats, for each kind."""
    start = changed(change, **choices)
    src, trg, _ = random_batch(start.config, start.config, padded=False)
    return {kind: value for kind, (value, _) in entropies(lambda: start(src, trg[:, :-1]), LAYERS).items()}


@torch.no_grad()
def first_loss(deviation: float | None, **choices: Any) -> float:
    """Nats per token before training, with the output layer from N(0, deviation^2); None: as ours starts."""

    def restart(copy: Transformer) -> None:
        if deviation is not None:
            nn.init.normal_(copy.fc_out.weight, std=deviation)

    start = changed(restart, **choices)
    src, trg, pad_idx = random_batch(start.config, start.config)
    targets = trg[:, 1:]
    loss = label_smoothed_loss(start(src, trg[:, :-1]), targets, pad_idx, 0.0) / (targets != pad_idx).sum()
    return float(loss)


@torch.no_grad()
def without_a_key() -> tuple[float, float]:
    """The largest output of attention for a query without a key: ours, and with the origin's fill."""
    dice = torch.Generator().manual_seed(0)
    queries, keys, values = (torch.randn(1, 5, 2, 4, generator=dice, dtype=torch.float64) for _ in range(3))
    ours = attention(queries, keys, values, torch.zeros(1, 1, 1, 5, dtype=torch.bool))
    return float(ours.abs().max()), float(values.mean(dim=1).abs().max())


@torch.no_grad()
def torch_without_a_key() -> float:
    """The largest output of nn.MultiheadAttention for a query without a key, where its weights are asked for."""
    layer, x = nn.MultiheadAttention(4, 2, batch_first=True), torch.zeros(1, 5, 4)
    out, _ = layer(x, x, x, key_padding_mask=torch.ones(1, 5, dtype=torch.bool), need_weights=True)
    return float(out.abs().max())


@torch.no_grad()
def padded_left() -> float:
    """How far logits at words differ without the target's padding mask, where targets are padded on the left."""
    ours = model()
    src, trg, _ = random_batch(ours.config, ours.config, padded=False)
    trg = trg[:, :-1].clone()
    for row in range(1, len(trg)):
        trg[row, : 2 * row] = 0
    other = model(trg_pad_idx=None)
    words = (trg != 0).unsqueeze(-1)
    return float(((ours(src, trg) - other(src, trg)) * words).abs().max())


def in_half(fill: float) -> str:
    """What becomes of scores of float16 with this number in hidden places."""
    try:
        torch.zeros(2, dtype=torch.float16).masked_fill(torch.tensor([True, False]), fill)
    except RuntimeError:
        return "an error, for it overflows"
    return "works"


@torch.no_grad()
def norm_difference(e: int) -> float:
    """The largest difference of the Annotated norm from LayerNorm on random rows, over the largest output."""
    x = torch.randn(1000, e, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    norm = nn.LayerNorm(e).double()
    return float((AnnotatedNorm(norm)(x) - norm(x)).abs().max() / norm(x).abs().max())


def fold(copy: Transformer) -> None:
    """The Annotated norm with its gain x sqrt(e / (e - 1)): the sample's deviation undone, eps left where it is."""
    for module in copy.modules():
        if isinstance(module, AnnotatedNorm):
            module.weight.data *= (E / (E - 1)) ** 0.5


def smoothing() -> dict[str, float]:
    """Two ways to smooth labels, on the same random logits: losses, and differences of their gradients."""
    dice = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 10, 50, generator=dice, dtype=torch.float64).requires_grad_()
    targets = torch.randint(1, 50, (4, 10), generator=dice)
    targets[1:, 7:] = 0

    def gradient(loss: Callable[[], Tensor]) -> tuple[float, Tensor]:
        value = loss() / (targets != 0).sum()
        return value.item(), torch.autograd.grad(value, logits)[0]

    def cross_entropy_of_its_target() -> Tensor:
        rows = logits.flatten(0, 1)
        return F.cross_entropy(rows, annotated_target(rows, targets.flatten(), 0, 0.1), reduction="sum")

    ours = gradient(lambda: label_smoothed_loss(logits, targets, 0, 0.1))
    theirs = gradient(lambda: annotated_loss(logits, targets, 0, 0.1))
    same_target = gradient(cross_entropy_of_its_target)
    return {
        "ours": ours[0],
        "theirs": theirs[0],
        "constant": same_target[0] - theirs[0],
        "same": float((same_target[1] - theirs[1]).abs().max()),
        "gradients": float((ours[1] - theirs[1]).abs().max()),
        "largest": float(ours[1].abs().max()),
    }


def without_padding_mask(copy: Transformer) -> None:
    """No source position is hidden."""

    def all_seen(src: Tensor) -> Tensor:
        return torch.ones(len(src), 1, 1, src.size(1), dtype=torch.bool)

    copy.make_src_mask = all_seen
    copy.encode = lambda src: copy.encoder(src, all_seen(src))


def with_eps(eps: float) -> Change:
    def change(copy: Transformer) -> None:
        for module in copy.modules():
            if isinstance(module, nn.LayerNorm):
                module.eps = eps

    return change
