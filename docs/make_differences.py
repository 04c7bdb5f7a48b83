"""Write docs/differences.md: ours beside the paper and other people's code, and what each difference does.

    python docs/make_differences.py
    python docs/make_differences.py --ablation    trains the small models again first: about 9 minutes of one core

The numbers of the trainings are kept in differences.json; all others are measured anew each time.
"""

import argparse
import json
from collections.abc import Iterable
from functools import cache
from typing import Any

import ablation
import effects
import variants
from ablation import VARIANTS
from effects import PAPER, E, effect, entropy, model
from made import DOCS, table, write

from glassformer.exchange.compare import Comparison, compare
from glassformer.exchange.compare.measured import Difference
from glassformer.exchange.compare.names import REFERENCES, preset
from glassformer.exchange.compare.sides import Ours
from glassformer.learn.why.page import text
from glassformer.train.schedules import noam

KEPT = DOCS / "differences.json"
COLUMNS = ("", "ours", "theirs", "measured")
HEAD = """\
# Differences

Ours beside the paper, the code that this project began from, `torch.nn.Transformer` and the Annotated Transformer:
each difference with its formula and what it does, measured by the program that makes this page.
`glassformer compare base torch` puts any two models side by side in the same way.

Unless a row says otherwise: {layers} + {layers} layers, e = {e}, {heads} heads, {words:,} words, random weights of
seed 0, four random sentences, float64 on the CPU.

- *logits*: the largest difference of any logit at a word where both have the same weights, of the largest logit;
- *entropy*: of attention at the start, in nats, the mean over heads and queries, for the encoder, the decoder and
  cross-attention. Even attention to 20 words has {even:.2f};
- *trained*: the mean of three [small trainings](#small-trainings), for what numbers alone do not tell.

<!-- Made by docs/make_differences.py. Change it, effects.py, variants.py or ablation.py, then run it again. -->
"""
PAPER_HEAD = """\
## The paper

`**base()` is its base model. Where its text leaves something open, this is what ours does; "its code" is the
tensor2tensor that its authors published.
"""
ORIGIN_HEAD = """\
## The code that this project began from

aladdinpersson/Machine-Learning-Collection, `transformer_from_scratch`. `glassformer convert IN OUT --from origin` reads
its weights: each shared projection stands once for each head on the diagonal of a whole one, and the queries are
multiplied by sqrt(head_dim / embed_size). The converted model gives **the origin's own numbers**: logits differ by
{logits}, gradients of its tensors by {gradients}.
"""
TORCH_HEAD = """\
## torch.nn.Transformer

`glassformer convert IN OUT --from torch` reads it, with the embeddings around it. Where its final norms are ours too
(`final_norms=True`), logits differ by {logits} and gradients by {gradients}.
"""
ANNOTATED_HEAD = """\
## The Annotated Transformer

Its stacks are ours with `norm="pre"`. No importer reads it, because its norm has no place in ours; but its gains
multiplied by sqrt((e - 1) / e) leave no more than the second row.
"""
TRAININGS = """\
## Small trainings

`reverse` (4 to 12 letters, backwards) with {layers} + {layers} layers, e = {e}, {heads} heads: {updates} updates of
{sentences} sentences with Adam, its rate {peak:g} after {warmup} updates, then down by the inverse root.
Three seeds each; sentences and their order are the same for all. Mean, and in brackets the lowest and the highest of
the three. *Loss* is in nats per token of {tested} held-out sentences, without smoothing and dropout; *exact* the
percentage of them written right from end to end, the likeliest token each time. So short a training tells how fast each
learns, not how far it comes, and a difference within the brackets is none.
"""

Row = tuple[str, str, str, str]


def page() -> str:
    origins, torchs = exact("origin", "origin-code"), exact("normed", "torch")
    even = side_by_side("origin", "origin-code").entropy["encoder"][2]
    parts = [HEAD.format(layers=effects.LAYERS, e=E, heads=effects.HEADS, words=effects.WORDS, even=even)]
    parts += [PAPER_HEAD, *differences(paper())]
    parts += [ORIGIN_HEAD.format(**origins), *differences(origin()), *sizes()]
    parts += [TORCH_HEAD.format(**torchs), *differences(torch_module())]
    parts += [ANNOTATED_HEAD, *differences(annotated())]
    numbers = dict(updates=ablation.UPDATES, sentences=ablation.SENTENCES, tested=ablation.TESTED)
    numbers |= dict(layers=ablation.SIZES["num_layers"], e=ablation.SIZES["embed_size"], heads=ablation.SIZES["heads"])
    parts += [TRAININGS.format(peak=ablation.PEAK, warmup=ablation.WARMUP, **numbers)]
    parts += table(("what is trained", "loss", "exact"), trainings())
    return "\n".join(parts)


def paper() -> list[Row]:
    """What its text leaves open."""
    own, wide, default = (effects.first_loss(each, **PAPER) for each in (None, E**-0.5, 1.0))
    base, big = (preset(name, 37_000, 37_000).parameters()["total"] / 1e6 for name in ("base", "big"))
    return [
        (
            "padding",
            "no query attends to it: (n, 1, 1, s)",
            "not described",
            f"without the source's mask: {logits(effect(effects.without_padding_mask, **PAPER))}",
        ),
        (
            "biases of projections",
            "b, 0 at the start",
            "x W in section 3.2.2, x W + b in 3.3",
            f"{4 * 512 * 3 * 6:,} parameters of the base model; no logit at the start",
        ),
        (
            "sinusoids",
            "sine, cosine, sine, ...: PE(pos, 2i) and PE(pos, 2i+1), as section 3.5 has it",
            "its code: all sines, then all cosines, the longest wavelength reached in e/2 - 1 steps",
            f"{logits(effect(variants.waves_in_halves, **PAPER))}; {trained('halves', 'ours')}",
        ),
        ("eps of LayerNorm", "1e-5", "not stated; its code: 1e-6", logits(effect(effects.with_eps(1e-6), **PAPER))),
        (
            "start of a table that is the output layer too",
            "N(0, 0.02^2)",
            "not stated; its code: N(0, 1/e)",
            f"first loss {own:.2f}; N(0, 1/e) {wide:.2f}; N(0, 1), nn.Embedding's own, {default:.0f}. "
            f"ln {effects.WORDS:,} is 6.91",
        ),
        (
            "place of dropout",
            "LayerNorm(x + Dropout(Sublayer(x))), Dropout(embedding + position)",
            "the same in section 5.4; later versions of its code also on attention weights and hidden layers",
            trained("dropout-inside", "dropout"),
        ),
        (
            "label smoothing",
            "s / v for every token, and 1 - s more for the right one",
            "s = 0.1; among which tokens is not stated",
            "see the Annotated Transformer",
        ),
        (
            "parameters of base and big",
            "one table of 37,000 words",
            "65 and 213 million, about 37,000 words",
            f"{base:.1f} and {big:.1f} million",
        ),
    ]


def origin() -> list[Row]:
    """Formula by formula."""
    ours, origins = effects.without_a_key()
    origins_entropy = (two for _, two, _ in side_by_side("origin", "origin-code").entropy.values())
    return [
        (
            "scores",
            "queries · keys / sqrt(head_dim)",
            "queries · keys / sqrt(embed_size)",
            f"{logits(effect(variants.divide_by_embed_size))}; "
            f"entropy {nats(entropy(variants.divide_by_embed_size).values())}, ours "
            f"{nats(entropy(variants.nothing).values())}; {trained('scale', 'ours')}",
        ),
        (
            "projections",
            "each (e, e) with bias: every head has its own",
            "each (head_dim, head_dim) without bias: one for all heads",
            f"parameters and FLOPs below; {trained('shared', 'ours')}",
        ),
        (
            "start",
            "Xavier uniform, biases 0, output layer N(0, 0.02^2)",
            "nn.Linear's U(-a, a), a = 1 / sqrt(inputs); tables N(0, 1)",
            f"with its scores: entropy {nats(origins_entropy)}",
        ),
        (
            "place of dropout",
            "LayerNorm(x + Dropout(Sublayer(x)))",
            "Dropout(LayerNorm(x + Sublayer(x)))",
            f"no logit once trained; {trained('dropout-after', 'dropout')}",
        ),
        (
            "target mask",
            "look-ahead and padding",
            "look-ahead alone",
            "no logit at a word where targets are padded on the right; on the left: logits "
            f"{effects.padded_left():.2g}",
        ),
        (
            "hidden scores",
            "the lowest number of the dtype",
            "-1e20",
            f"no logit in float32; in float16: {effects.in_half(-1e20)}",
        ),
        (
            "a source of padding alone",
            "attention gives 0, and such a batch is refused",
            "attention gives the mean of the values",
            f"of random values, the largest output {ours:.2g}, there {origins:.2g}",
        ),
        (
            "all of these but dropout",
            "preset origin: learned positions, nothing tied or scaled",
            "the same with its formulas and its start",
            trained("origin", "origin-ours"),
        ),
    ]


def torch_module() -> list[Row]:
    """What its constructor makes."""
    pair = side_by_side("paper", "torch")
    same = measured(pair)
    return [
        (
            "final norms",
            "with pre-norm; with post-norm only where final_norms=True",
            "a LayerNorm after each stack, after post-norm too",
            f"before they learn: {logits((same.logits, same.largest_logit))}, gradients {same.gradients:.2g} of "
            f"{same.largest_gradient:.2g}; {trained('final-norms', 'ours')}",
        ),
        (
            "place of dropout",
            "LayerNorm(x + Dropout(Sublayer(x))), Dropout(embedding + position)",
            "also on attention weights and on the hidden layer; embeddings are the script's",
            f"no logit once trained; {trained('dropout-inside', 'dropout')}",
        ),
        (
            "start",
            "Xavier uniform for each projection; embeddings enter with variance 1 or less",
            "Xavier uniform for three projections as one (3e, e); nn.Embedding's N(0, 1), here times sqrt(e)",
            f"entropy {nats(two for _, two, _ in pair.entropy.values())}, ours "
            f"{nats(one for one, _, _ in pair.entropy.values())}",
        ),
        ("masks", "True = may attend", "True = hidden", "the opposite: invert before you pass one on"),
        (
            "a query without a key",
            "attention gives 0",
            "NaN, or 0, as the kernel has it",
            f"with need_weights=True: {effects.torch_without_a_key():.2g}",
        ),
        (
            "parameters",
            "the projections in three tensors",
            "the projections in one, and two final norms",
            f"{pair.parameters['total'][1] - pair.parameters['total'][0]:,} more there; FLOPs are equal",
        ),
    ]


def annotated() -> list[Row]:
    """Formula by formula; its training loop too."""
    pre = dict(norm="pre", positions="sinusoidal", scale_embeddings=True)
    norm, folded = variants.norm_as_annotated, variants.chained(variants.norm_as_annotated, effects.fold)
    apart = ", ".join(f"{effects.norm_difference(e):.1%} at e = {e}" for e in (8, 64, 512))
    sums = effects.smoothing()
    rates = [noam(n, 1, 3000, 512) for n in (300, 3000, 30_000)]
    return [
        (
            "norm",
            "(x - mean) / sqrt(variance + 1e-5), the sum of squares divided by e",
            "(x - mean) / (deviation + 1e-6), divided by e - 1",
            f"outputs {apart} apart; {logits(effect(norm, **pre))}",
        ),
        (
            "what is left when the gains make up for e - 1",
            "eps inside the root",
            "eps beside it",
            logits(effect(folded, **pre)),
        ),
        (
            "place of the norm",
            "LayerNorm(x + Sublayer(x)), as the paper's figure 1; norm='pre' is theirs",
            "x + Sublayer(LayerNorm(x)), a norm after each stack",
            f"ours with norm='pre': {trained('pre', 'ours')}",
        ),
        (
            "start",
            "word tables enter with variance 1, output layer N(0, 0.02^2), biases 0",
            "every matrix Xavier uniform, word tables too; biases as nn.Linear leaves them",
            f"entropy {nats(entropy(variants.start_as_annotated, **pre).values())}, ours "
            f"{nats(entropy(variants.nothing, **pre).values())}; with its norm, nothing tied: "
            f"{trained('annotated', 'pre')}",
        ),
        (
            "label smoothing",
            "cross-entropy; s / v for every token, and 1 - s more for the right one",
            "KL divergence; 1 - s for the right token, 0 for padding, s / (v - 2) for the others",
            f"v = 50: loss {sums['ours']:.2f}, there {sums['theirs']:.2f}. KL divergence is cross-entropy less a "
            f"constant, {sums['constant']:.2f}: with its target both have the same gradient, to {bound(sums['same'])}. "
            f"The two targets: gradients {sums['gradients']:.2g} of {sums['largest']:.2g}; "
            f"{trained('smoothing-annotated', 'smoothing')}",
        ),
        (
            "learning rate",
            "noam, e^-0.5 min(step^-0.5, step w^-1.5): step counts updates",
            "the same: step counts batches, 10 of which make an update, so w = 3,000 is 300 updates",
            f"e = 512, update 300: {rates[0]:.1e}, there {rates[1]:.1e}; "
            f"update 3,000: {rates[1]:.1e}, there {rates[2]:.1e}",
        ),
    ]


def trainings() -> list[list[str]]:
    return [
        [text(VARIANTS[name].says), ablation.spread(found["loss"], 3), ablation.spread(found["exact"], 1)]
        for name, found in kept().items()
    ]


@cache
def kept() -> dict[str, dict[str, list[float]]]:
    """What the trainings gave: variant -> "loss" and "exact", a number for each seed."""
    found = json.loads(KEPT.read_text(encoding="utf-8"))
    return {name: found[name] for name in VARIANTS}


def trained(theirs: str, ours: str) -> str:
    losses, exacts = ([ablation.mean(kept()[name][what]) for name in (theirs, ours)] for what in ("loss", "exact"))
    return f"trained: loss {losses[0]:.3f}, {exacts[0]:.0f} % exact; ours {losses[1]:.3f}, {exacts[1]:.0f} %"


@cache
def side_by_side(a: str, b: str) -> Comparison:
    """`compare` of a model of the measured sizes: the origin's choices, the paper's, or those with final norms."""
    choices: dict[str, dict[str, Any]] = {"origin": {}, "paper": PAPER, "normed": PAPER | dict(final_norms=True)}
    ours = Ours(a, model(**choices[a]).config)
    return compare(ours, REFERENCES[b](b, ours))


def measured(comparison: Comparison) -> Difference:
    assert isinstance(comparison.same_weights, Difference), comparison.same_weights
    return comparison.same_weights


def exact(a: str, b: str) -> dict[str, str]:
    found = measured(side_by_side(a, b))
    return {"logits": bound(found.logits), "gradients": bound(found.gradients)}


def sizes() -> list[str]:
    """Parameters by part, and FLOPs of a token: our preset with the paper's vocabulary beside the origin's code."""
    ours = preset("origin", 37_000, 37_000)
    theirs = REFERENCES["origin-code"]("origin-code", ours)
    rows = []
    for what, one, two in (
        ("parameters", ours.parameters(), theirs.parameters()),
        ("FLOPs of a token", ours.flops(20), theirs.flops(20)),
    ):
        rows += [(f"{what}, {part}", f"{count:,}", f"{two[part]:,}") for part, count in one.items()]
    return table(("preset origin, 37,000 words", "ours", "theirs"), rows)


def differences(rows: Iterable[Row]) -> list[str]:
    return table(COLUMNS, (map(text, row) for row in rows))


def logits(pair: tuple[float, float]) -> str:
    return f"logits {pair[0]:.2g} of {pair[1]:.2g}"


def nats(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def bound(value: float) -> str:
    """What is rounding alone differs from machine to machine: its bound is told."""
    return "less than 1e-12" if value < 1e-12 else f"{value:.1e}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ablation", action="store_true", help="train the small models again")
    if parser.parse_args().ablation:
        KEPT.write_text(json.dumps(ablation.measure(), indent=1) + "\n", encoding="utf-8", newline="\n")
    write("differences.md", page)
