"""12: the decoder layer and the ways in which it goes wrong."""

import torch
from torch import Tensor

from glassformer.learn.exercise import Bank, Function, Part, Probe, Property, Wrong
from glassformer.learn.exercises.e11_encoder.pieces import (
    Branch,
    attention,
    feed_forward,
    look_ahead,
    normed,
    plain_attention,
    plain_feed_forward,
    plain_norm,
    words_mask,
)
from glassformer.learn.exercises.e12_decoder_layer.mistakes import MISTAKES
from glassformer.learn.weights import DecoderLayerWeights, decoder_layer_weights, normal, tensors


def decoder_layer(
    wrong: Wrong,
    x: Tensor,
    memory: Tensor,
    weights: DecoderLayerWeights,
    heads: int,
    trg_mask: Tensor,
    src_mask: Tensor,
) -> Tensor:
    self_mask, cross_mask = masks(wrong, trg_mask, src_mask)
    read = weights.self_attention if "cross-weights-are-self-weights" in wrong else weights.cross_attention

    def cross(y: Tensor) -> Tensor:
        query = memory if "cross-q-from-memory" in wrong else x if "cross-q-from-the-layers-input" in wrong else y
        key = y if "cross-kv-from-decoder" in wrong else memory
        return attention(query, key, read, heads, cross_mask)

    branches: list[Branch] = [
        lambda y: attention(y, y, weights.self_attention, heads, self_mask),
        cross,
        lambda y: feed_forward(y, weights.feed_forward),
    ]
    norms = [weights.self_attention_norm, weights.cross_attention_norm, weights.feed_forward_norm]
    if "norms-swapped" in wrong:
        norms[:2] = norms[1::-1]
    order = [1, 0, 2] if "cross-before-self" in wrong else [0, 2] if "cross-missing" in wrong else [0, 1, 2]
    out = x
    for number in order:
        kept = torch.zeros_like(x) if "residual-missing" in wrong else out
        if "cross-residual-missing" in wrong and number == 1:
            kept = torch.zeros_like(x)
        if "residual-from-the-layers-input" in wrong:
            kept = x
        if "pre-norm" in wrong:
            out = kept + branches[number](normed(out, norms[number]))
        elif "norm-after-cross-missing" in wrong and number == 1:
            out = kept + branches[number](out)
        else:
            out = normed(kept + branches[number](out), norms[number])
    return out


def masks(wrong: Wrong, trg_mask: Tensor, src_mask: Tensor) -> tuple[Tensor, Tensor]:
    self_mask, cross_mask = trg_mask, src_mask
    if "masks-swapped" in wrong:
        self_mask, cross_mask = src_mask, trg_mask
    if "no-causal" in wrong:
        self_mask = torch.ones_like(trg_mask)
    if "causal-turned-round" in wrong:
        self_mask = self_mask.transpose(2, 3)
    if "causal-mask-on-memory" in wrong:
        cross_mask = trg_mask
    if "memory-pad-unmasked" in wrong:
        cross_mask = torch.ones_like(src_mask)
    return self_mask, cross_mask


Question = tuple[Tensor, Tensor, DecoderLayerWeights, int, Tensor, Tensor]


def question(
    seed: int, trg: tuple[int, ...], src: tuple[int, ...], embed_size: int, forward_size: int, heads: int
) -> Question:
    """A call for sentences of these lengths, targets and sources."""
    generator = torch.Generator().manual_seed(seed)
    n, t, s = len(trg), max(trg), max(src)
    x, memory = (normal(n, size, embed_size, generator=generator) for size in (t, s))
    weights = decoder_layer_weights(embed_size, forward_size, generator)
    return x, memory, weights, heads, words_mask(trg, t) & look_ahead(t), words_mask(src, s)


def probes() -> list[Probe]:
    return [
        Probe(
            label="two sentences, sources longer than targets",
            arguments=question(1, trg=(4, 3), src=(5, 2), embed_size=12, forward_size=7, heads=3),
        ),
        Probe(
            label="as many source as target positions",
            arguments=question(2, trg=(5, 4, 2), src=(3, 5, 2), embed_size=8, forward_size=6, heads=2),
        ),
        Probe(
            label="one sentence of four words, as many as its source",
            arguments=question(3, trg=(4,), src=(4,), embed_size=6, forward_size=5, heads=1),
        ),
    ]


def examples() -> list[Probe]:
    weights = DecoderLayerWeights(
        plain_attention(3, 1),
        plain_norm(1, 1, 1),
        plain_attention(3, 2),
        plain_norm(3, 1, 2),
        plain_feed_forward(3, 1),
        plain_norm(1, 1, 1),
    )
    x = torch.tensor([[[1.0, 0, 2], [0, 3, 1]]], dtype=torch.float64)
    memory = torch.tensor([[[4.0, 1, 0], [0, 2, 5], [3, 0, 1]]], dtype=torch.float64)
    shown = (
        "decoder_layer(x, memory, weights, heads=1, trg_mask, src_mask)\n"
        "  x = [[[1, 0, 2], [0, 3, 1]]]\n"
        "  memory = {memory}\n"
        "  to_queries, to_keys, to_values the identity; fc_out moves the channels on\n"
        "  by 1 in the self-attention, by 2 in the cross-attention, w1 by 1; no biases;\n"
        "  the gains of the norms are 1, [3, 1, 2] and 1; trg_mask hides the future"
    )
    return [
        Probe(
            label="two words, a source of two",
            arguments=(x, memory[:, :2], weights, 1, look_ahead(2), words_mask((2,), 2)),
            shown=shown.format(memory="[[[4, 1, 0], [0, 2, 5]]]"),
        ),
        Probe(
            label="two words, a source of two and one padding",
            arguments=(x, memory, weights, 1, look_ahead(2), words_mask((2,), 3)),
            shown=shown.format(memory="[[[4, 1, 0], [0, 2, 5], [3, 0, 1]]], the third is padding"),
        ),
    ]


def reached(function: Function) -> tuple[Tensor, Tensor]:
    """Which target positions each target position hears of (t, t), and which source positions (t, s)."""
    x, memory, weights, heads, trg_mask, src_mask = question(4, (4,), (3,), embed_size=6, forward_size=5, heads=2)
    to_target, to_source = torch.autograd.functional.jacobian(  # type: ignore[no-untyped-call]
        lambda x, memory: function(x, memory, weights, heads, trg_mask, src_mask)[0].sum(dim=-1) ** 2, (x, memory)
    )
    return to_target[:, 0].abs().amax(dim=-1) > 1e-9, to_source[:, 0].abs().amax(dim=-1) > 1e-9


def the_future_is_not_heard(function: Function) -> bool:
    return not bool(reached(function)[0].triu(1).any())


def the_past_is_heard(function: Function) -> bool:
    return bool((reached(function)[0] | ~torch.ones(4, 4, dtype=torch.bool).tril()).all())


def every_word_hears_the_source(function: Function) -> bool:
    return bool(reached(function)[1].all())


def source_padding_changes_nothing(function: Function) -> bool:
    x, memory, weights, heads, trg_mask, src_mask = question(5, (4, 3), (5, 3), embed_size=6, forward_size=5, heads=2)
    together = function(x, memory, weights, heads, trg_mask, src_mask)
    alone = function(x[1:], memory[1:, :3], weights, heads, trg_mask[1:], src_mask[1:, ..., :3])
    return torch.allclose(together[1:], alone)


def every_weight_matters(function: Function) -> bool:
    x, memory, weights, heads, trg_mask, src_mask = question(6, (4, 3), (5, 3), embed_size=6, forward_size=5, heads=2)
    for weight in tensors(weights):
        weight.requires_grad_()
    (function(x, memory, weights, heads, trg_mask, src_mask) * x).sum().backward()
    return all(weight.grad is not None and bool(weight.grad.any()) for weight in tensors(weights))


def read_who_hears_whom(function: Function) -> str | None:
    """The first target position that hears another one, or the source, wrongly."""
    targets, sources = reached(function)
    for position, row in enumerate(targets.tolist()):
        heard = [other for other, hears in enumerate(row) if hears]
        if heard != list(range(position + 1)):
            return f"target position {position} of 4 hears {said(heard)}; expected {said(list(range(position + 1)))}"
    for position, row in enumerate(sources.tolist()):
        if not all(row):
            heard = [other for other, hears in enumerate(row) if hears]
            return f"target position {position} hears {said(heard, 'source')}; expected all 3"
    return None


def said(positions: list[int], side: str = "target") -> str:
    numbers = ", ".join(map(str, positions)) or "none"
    return f"{side} position{'' if len(positions) == 1 else 's'} {numbers}"


BANK = Bank(
    parts=(
        Part(
            function="decoder_layer",
            asked="x = norm(x + SelfAttention(x)), norm(x + CrossAttention(x, memory)), norm(x + FeedForward(x))",
            result="n t e",
            reference=decoder_layer,
            mistakes=MISTAKES,
            probes=probes,
            examples=examples,
            properties=(
                Property(says="no position hears of a later one", holds=the_future_is_not_heard),
                Property(says="each position hears of all before it", holds=the_past_is_heard),
                Property(says="every target position hears of every source word", holds=every_word_hears_the_source),
                Property(says="padding of the source changes nothing", holds=source_padding_changes_nothing),
                Property(says="every weight matters", holds=every_weight_matters),
            ),
            readers=(read_who_hears_whom,),
            # Without any mask on the self-attention, it does not matter which one was meant for it.
            synonyms=(("causal-mask-on-memory + no-causal", "masks-swapped + no-causal"),),
            shortcuts=("TransformerDecoderLayer", "MultiheadAttention"),
        ),
    )
)
