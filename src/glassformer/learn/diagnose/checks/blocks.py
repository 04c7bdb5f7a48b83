"""The blocks of the stacks: where their norms stand, the ways around their sublayers, their activations."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from glassformer.learn.diagnose.checks.attention import catching, find
from glassformer.learn.diagnose.checks.norms import is_written
from glassformer.learn.diagnose.report import Report
from glassformer.learn.diagnose.subject import Subject


def blocks(model: nn.Module) -> list[str]:
    """The numbered modules that hold an attention, the outermost ones: the blocks of the stacks."""
    attentions = [part.name for part in find(model)]
    attentions += [name for name, m in model.named_modules() if isinstance(m, nn.MultiheadAttention)]
    found: list[str] = []
    for name, _ in model.named_modules():
        numbered = name.rpartition(".")[2].isdigit() and not any(name.startswith(f"{outer}.") for outer in found)
        if numbered and any(attention.startswith(f"{name}.") for attention in attentions):
            found.append(name)
    return found


def placement(subject: Subject, report: Report) -> None:
    """Post-norm: a block ends with a norm. Pre-norm: a norm reads what the block was given. Told, never judged."""
    modules = dict(subject.model.named_modules())
    norms = [n for n, m in modules.items() if isinstance(m, nn.LayerNorm | nn.RMSNorm) or is_written(m)]
    stacks = [b for b in blocks(subject.model) if any(n.startswith(f"{b}.") for n in norms)]
    if not stacks:
        report.skip("placement of the norms", "no blocks with norms were found")
        return
    # With gradients: not nn.Transformer's fast path, which calls no norm.
    with catching({n: modules[n] for n in (*norms, *stacks)}) as caught, torch.enable_grad():
        subject.raw(*subject.batch(61))
    found: dict[str, list[str]] = {}
    for block in stacks:
        inside = [n for n in norms if n.startswith(f"{block}.") and n in caught]
        if block in caught and inside:
            given, out = caught[block]
            post = any(same(caught[n][1], out) for n in inside)
            pre = any(same(caught[n][0], given) for n in inside)
            words = {(True, False): "post-norm", (False, True): "pre-norm", (True, True): "normed at both ends"}
            found.setdefault(words.get((post, pre), "normed on the branches only"), []).append(block)
    outside = ", ".join(n for n in norms if not any(n.startswith(f"{b}.") for b in stacks)) or "none"
    for word, names in found.items():
        report.note(
            "norm-placement", f"{len(names)} blocks are {word}, first model.{names[0]}; norms outside: {outside}."
        )


def same(one: Any, other: Any) -> bool:
    return (
        isinstance(one, Tensor) and isinstance(other, Tensor) and one.shape == other.shape and torch.equal(one, other)
    )


@contextmanager
def silenced(block: nn.Module) -> Iterator[None]:
    """Every layer of a block answers 0: what remains is the way around them. Norms stay."""
    layers = [m for m in block.modules() if isinstance(m, nn.Linear | nn.MultiheadAttention)]
    parameters = {id(p): p for layer in layers for p in layer.parameters(recurse=False)}.values()
    kept = [(p, p.data) for p in parameters]
    try:
        for p, data in kept:
            p.data = torch.zeros_like(data)
        yield
    finally:
        for p, data in kept:
            p.data = data


def residuals(subject: Subject, report: Report) -> None:
    """With all layers of one block at 0, a word still reaches the scores: in the encoder, in the decoder."""
    if report.has("mask-polarity", "source-ignored"):
        report.skip("ways around the sublayers", "words are hidden already")
        return
    modules = dict(subject.model.named_modules())
    src, trg = subject.batch(62)
    other_src, other_trg = subject.batch(63)
    base = [subject.scores(src, trg), subject.scores(other_src, trg), subject.scores(src, other_trg)]
    reaches_before = [subject.move(base[0], other) > 0 for other in base[1:]]
    stacks = blocks(subject.model)
    if not stacks:
        report.skip("ways around the sublayers", "no blocks were found")
        return
    missing: dict[str, str] = {}
    for name in stacks:
        with silenced(modules[name]):
            start = subject.scores(src, trg)
            moves = [subject.move(start, subject.scores(*pair)) for pair in ((other_src, trg), (src, other_trg))]
        for side, before, move in zip(("source", "target"), reaches_before, moves, strict=True):
            if before and move == 0 and not silences_other_stack(subject, name, side):
                missing.setdefault(name, side)
    if missing:
        name, side = next(iter(missing.items()))
        report.found(
            "residual-missing",
            f"with every layer of model.{name} at 0, the whole {side} was exchanged: no score moved, though the way "
            f"around them should carry it. The same in {len(missing)} of {len(stacks)} blocks.",
        )


def silences_other_stack(subject: Subject, name: str, side: str) -> bool:
    """Whether the source is asked of a decoder's block: where it is the only one, the source is silent, rightly."""
    decoders = [block for block in blocks(subject.model) if is_decoder(subject, block)]
    return side == "source" and name in decoders


def is_decoder(subject: Subject, name: str) -> bool:
    """Whether a block's output is as long as the target."""
    module = dict(subject.model.named_modules())[name]
    with catching({name: module}) as caught, torch.enable_grad():
        subject.raw(*subject.batch(62))
    out = caught.get(name, (None, None))[1]
    return isinstance(out, Tensor) and subject.trg_len in out.shape[:2]


def activations(subject: Subject, report: Report) -> None:
    """Between a layer that widens and the one that narrows again stands something that is not linear."""
    pairs = []
    for name, module in subject.model.named_modules():
        layers = [(n, m) for n, m in module.named_children() if isinstance(m, nn.Linear)]
        for first, wide in layers:
            for second, narrow in layers:
                if wide.out_features == narrow.in_features > wide.in_features == narrow.out_features:
                    pairs.append((name, (f"{name}.{first}", wide), (f"{name}.{second}", narrow)))
    if not pairs:
        report.skip("activations", "no pair of layers that widens and narrows was found")
        return
    with catching({n: m for _, *both in pairs for n, m in both}) as caught, torch.enable_grad():
        subject.raw(*subject.batch(64))
    linear = [
        name
        for name, (first, _), (second, _) in pairs
        if first in caught and second in caught and same(caught[first][1], caught[second][0])
    ]
    if linear:
        report.found(
            "feed-forward-linear",
            f"in {len(linear)} of {len(pairs)} feed-forward layers, first model.{linear[0]}, the second layer reads "
            "what the first gave, number by number.",
        )
