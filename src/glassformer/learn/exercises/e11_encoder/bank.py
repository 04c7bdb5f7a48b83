"""11: the encoder and the ways in which it goes wrong."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import dropout as drop

from glassformer.learn.exercise import Bank, Function, Part, Probe, Property, Wrong
from glassformer.learn.exercises.e11_encoder.mistakes import MISTAKES
from glassformer.learn.exercises.e11_encoder.pieces import (
    EPS,
    Branch,
    attention,
    feed_forward,
    normed,
    plain_attention,
    plain_feed_forward,
    plain_norm,
    words_mask,
)
from glassformer.learn.weights import EncoderLayerWeights, NormWeights, encoder_layer_weights, normal, tensors

Layers = Sequence[EncoderLayerWeights]


def encoder(
    wrong: Wrong, x: Tensor, mask: Tensor, layers: Layers, heads: int, dropout: float, training: bool
) -> Tensor:
    if "first-layer-only" in wrong:  # then nothing about several layers can show
        layers = layers[:1]
        wrong -= {"last-layer-missing", "layers-share-weights", "last-layer-everywhere", "layers-reversed"}
        wrong -= {"x-not-carried", "mask-in-first-layer-only"}
    if "x-not-carried" in wrong:  # the last layer reads x itself: with other layers before it, all is the same
        wrong -= {"layers-share-weights", "layers-reversed"}
    if "last-layer-missing" in wrong:
        layers = layers[:-1]
    if "layers-share-weights" in wrong:
        layers = [*layers[:1]] * len(layers)
    elif "last-layer-everywhere" in wrong:
        layers = [*layers[-1:]] * len(layers)
    if "layers-reversed" in wrong:
        layers = layers[::-1]
    if "pads-leak" in wrong:
        mask = mask.transpose(2, 3)
    if "dropout-missing" in wrong:
        dropout = 0.0
    out = x
    for number, weights in enumerate(layers):
        seen = mask
        first_only = "mask-in-first-layer-only" in wrong and "x-not-carried" not in wrong
        if "mask-not-passed" in wrong or (first_only and number > 0):
            seen = torch.ones_like(mask)
        out = layer(wrong, x if "x-not-carried" in wrong else out, seen, weights, heads, dropout, training)
    return out


def layer(
    wrong: Wrong, x: Tensor, mask: Tensor, weights: EncoderLayerWeights, heads: int, dropout: float, training: bool
) -> Tensor:
    norms = [weights.self_attention_norm, weights.feed_forward_norm]
    branches: list[Branch] = [
        lambda y: attention(y, y, weights.self_attention, heads, mask),
        lambda y: feed_forward(y, weights.feed_forward),
    ]
    if "norms-swapped" in wrong:
        norms.reverse()
    if "feed-forward-first" in wrong:
        norms.reverse()
        branches.reverse()
    out = x
    for number, (branch, norm) in enumerate(zip(branches, norms, strict=True)):
        kept = x if "residual-from-the-layers-input" in wrong else out
        out = add_and_norm(wrong, out, kept, branch, norm, dropout, training, last=number == 1)
    return out


def add_and_norm(
    wrong: Wrong,
    x: Tensor,
    kept: Tensor,
    branch: Branch,
    norm: NormWeights,
    dropout: float,
    training: bool,
    *,
    last: bool,
) -> Tensor:
    outside = "dropout-outside-the-branch" in wrong
    on_branch = 0.0 if outside else dropout
    training = training or "dropout-in-eval" in wrong
    if "residual-missing" in wrong:
        kept = torch.zeros_like(kept)
    if "pre-norm" in wrong:
        out = kept + drop(branch(normed(x, norm)), on_branch, training)
        return drop(out, dropout, training) if outside else out
    answer = drop(branch(x), on_branch, training)
    if "norm-on-the-branch" in wrong:
        out = kept + normed(answer, norm)
    elif "first-norm-missing" in wrong and not last:
        out = kept + answer
    else:
        out = normed(kept + answer, norm)
    return drop(out, dropout, training) if outside else out


def random_layers(seed: int, embed_size: int, forward_size: int, number: int) -> tuple[EncoderLayerWeights, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(encoder_layer_weights(embed_size, forward_size, generator) for _ in range(number))


def random_words(seed: int, n: int, s: int, embed_size: int) -> Tensor:
    return normal(n, s, embed_size, generator=torch.Generator().manual_seed(seed))


def silent(layers: Layers, *names: str) -> tuple[EncoderLayerWeights, ...]:
    """The same layers with the named branches answering 0."""
    quiet = []
    for weights in layers:
        if "attention" in names:
            attend = weights.self_attention
            weights = weights._replace(self_attention=attend._replace(fc_out=torch.zeros_like(attend.fc_out)))
        if "feed-forward" in names:
            think = weights.feed_forward
            weights = weights._replace(
                feed_forward=think._replace(w2=torch.zeros_like(think.w2), b2=torch.zeros_like(think.b2))
            )
        quiet.append(weights)
    return tuple(quiet)


def where_dropout_acts(function: Function, x: Tensor, mask: Tensor, layers: Layers, heads: int) -> dict[str, bool]:
    """Whether training answers change from call to call, with one branch silent and with both.

    Dropout of a branch that answers 0 changes nothing; dropout anywhere else shows.
    """

    def random(*names: str) -> bool:
        answers = []
        for seed in (3, 4):
            torch.manual_seed(seed)
            answers.append(function(x, mask, silent(layers, *names), heads, 0.5, True))
        return not torch.allclose(answers[0], answers[1])

    return {
        "random with the attention alone": random("feed-forward"),
        "random with the feed-forward layer alone": random("attention"),
        "random with both silent": random("attention", "feed-forward"),
    }


def probes() -> list[Probe]:
    return [
        Probe(
            label="two sentences, two layers, three heads",
            arguments=(random_words(1, 2, 5, 12), words_mask((5, 3), 5), random_layers(2, 12, 7, 2), 3, 0.3, False),
        ),
        Probe(
            label="as many positions as channels, padding on the left",
            arguments=(
                random_words(3, 3, 6, 6), words_mask((2, 6, 4), 6, left=True), random_layers(4, 6, 8, 3), 2, 0.4, False
            ),
        ),
        Probe(
            label="where dropout acts",
            arguments=(random_words(7, 2, 3, 6), words_mask((3, 2), 3), random_layers(8, 6, 4, 1), 2),
            drive=where_dropout_acts,
        ),
    ]  # fmt: skip


def plain_layer(by: int, gains: tuple[float, float]) -> EncoderLayerWeights:
    return EncoderLayerWeights(
        plain_attention(3, by), plain_norm(*[gains[0]] * 3), plain_feed_forward(3, by), plain_norm(*[gains[1]] * 3)
    )


def examples() -> list[Probe]:
    x = torch.tensor([[[1.0, 0, 2], [0, 3, 1], [4, 1, 0]]], dtype=torch.float64)
    mask = words_mask((2,), 3)
    first, second = plain_layer(1, (1.0, 2.0)), plain_layer(2, (3.0, 1.0))
    says = (
        "x = [[[1, 0, 2], [0, 3, 1], [4, 1, 0]]], the third word is padding, one head\n"
        "to_queries, to_keys, to_values the identity; fc_out and w1 move the channels on, by {by}; no biases\n"
        "the gains of the norms are {gains}"
    )
    return [
        Probe(
            label="one layer",
            arguments=(x, mask, (first,), 1, 0.5, False),
            shown="encoder(x, mask, one layer, heads=1, dropout=0.5, training=False)\n"
            + says.format(by="1", gains="1 and 2"),
        ),
        Probe(
            label="two layers",
            arguments=(x, mask, (first, second), 1, 0.5, False),
            shown="encoder(x, mask, two layers, heads=1, dropout=0.5, training=False)\n"
            + says.format(by="1 and by 2", gains="1 and 2, 3 and 1"),
        ),
        Probe(
            label="dropout",
            arguments=(x, mask, (first,), 1),
            drive=dropout_in_words,
            shown="encoder(x, mask, one layer, heads=1, dropout=0.5, training=True), asked twice:\n"
            "once with an attention that answers 0, once with both branches answering 0",
        ),
    ]


def dropout_in_words(function: Function, x: Tensor, mask: Tensor, layers: Layers, heads: int) -> str:
    acts = where_dropout_acts(function, x, mask, layers, heads)
    said = {True: "two answers", False: "one answer"}
    return f"{said[acts['random with the feed-forward layer alone']]}, then {said[acts['random with both silent']]}"


def padding_never_reaches_a_word(function: Function) -> bool:
    x, layers = random_words(9, 2, 5, 6), random_layers(10, 6, 4, 2)
    together = function(x, words_mask((5, 3), 5), layers, 2, 0.0, False)
    alone = function(x[1:, :3], words_mask((3,), 3), layers, 2, 0.0, False)
    return torch.allclose(together[1:, :3], alone)


def every_weight_matters(function: Function) -> bool:
    layers = random_layers(11, 6, 4, 3)
    for weight in tensors(layers):
        weight.requires_grad_()
    out = function(random_words(12, 2, 5, 6), words_mask((5, 3), 5), layers, 2, 0.0, False)
    (out * random_words(13, 2, 5, 6)).sum().backward()
    return all(weight.grad is not None and bool(weight.grad.any()) for weight in tensors(layers))


def the_answer_is_normed(function: Function) -> bool:
    layers = tuple(each._replace(feed_forward_norm=plain_norm(*[1.0] * 6)) for each in random_layers(14, 6, 4, 2))
    out = function(random_words(15, 2, 5, 6), words_mask((5, 3), 5), layers, 2, 0.0, False)
    return torch.allclose(out.mean(dim=-1), torch.zeros(2, 5, dtype=torch.float64), atol=1e-6) and torch.allclose(
        out.var(dim=-1, correction=0), torch.ones(2, 5, dtype=torch.float64), atol=1e-3
    )


def read_eps(function: Function) -> str | None:
    """With silent branches and a tiny x, the spread of the answer says what was added to the variance."""
    found = [eps_at(function, variance) for variance in (1e-4, 4e-4)]
    if None in found or not math.isclose(found[0] or 0, found[1] or 0, rel_tol=0.01):
        return None  # not two norms, one after the other
    eps = found[0] or 0
    return (
        None if math.isclose(eps, EPS, rel_tol=0.01) else f"your layer norms have eps = {eps:.2g}; expected {EPS:.2g}"
    )


def eps_at(function: Function, variance: float) -> float | None:
    """The eps for which two norms bring this variance to that of the answer; None where there is none."""
    layers = tuple(
        each._replace(self_attention_norm=plain_norm(*[1.0] * 6), feed_forward_norm=plain_norm(*[1.0] * 6))
        for each in silent(random_layers(16, 6, 4, 1), "attention", "feed-forward")
    )
    x = random_words(17, 1, 1, 6)
    x = (x - x.mean()) / x.std(correction=0) * math.sqrt(variance)
    found = float(function(x, words_mask((1,), 1), layers, 2, 0.0, False).var(correction=0))

    def spread(eps: float) -> float:
        first = variance / (variance + eps)
        return first / (first + eps)

    low, high = 1e-14, 1e-1
    if not spread(high) < found < spread(low):
        return None
    for _ in range(50):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if spread(middle) > found else (low, middle)
    return low


BANK = Bank(
    parts=(
        Part(
            function="encoder",
            asked="layer by layer x = LayerNorm(x + Dropout(SelfAttention(x))), then the same with FeedForward(x)",
            result="n s e",
            reference=encoder,
            mistakes=MISTAKES,
            probes=probes,
            examples=examples,
            properties=(
                Property(
                    says="padding never reaches a word: a batch = each sentence alone",
                    holds=padding_never_reaches_a_word,
                ),
                Property(says="every layer's every weight matters", holds=every_weight_matters),
                Property(says="the answer is normed", holds=the_answer_is_normed),
            ),
            readers=(read_eps,),
            # Where only the last round counts, one reads the first layer for it in either way.
            when_random="dropout-in-eval",
            shortcuts=("TransformerEncoder", "TransformerEncoderLayer", "MultiheadAttention"),
        ),
    )
)
