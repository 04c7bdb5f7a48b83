"""13: the shift, the whole model, and the ways in which they go wrong."""

import math
from typing import Any

import torch
from torch import Tensor

from glassformer.learn.exercise import RIGHT, Bank, Function, Part, Probe, Property, Wrong
from glassformer.learn.exercises.e11_encoder.bank import layer as encoder_layer
from glassformer.learn.exercises.e11_encoder.pieces import look_ahead
from glassformer.learn.exercises.e12_decoder_layer.bank import decoder_layer
from glassformer.learn.exercises.e13_transformer.mistakes import SHIFT_MISTAKES, TRANSFORMER_MISTAKES
from glassformer.learn.weights import TransformerWeights, transformer_weights


def shift(wrong: Wrong, trg: Tensor) -> tuple[Tensor, Tensor]:
    answers = {
        "not-shifted": (trg, trg),
        "shifted-backwards": (trg[:, 1:], trg[:, :-1]),
        "shift-by-two": (trg[:, :-2], trg[:, 2:]),
        "bos-in-loss": (trg[:, :-1], trg[:, :-1]),
        "eos-dropped": (trg[:, :-2], trg[:, 1:-1]),
        "rolled-round": (trg, trg.roll(-1, dims=1)),
        "input-not-trimmed": (trg, trg[:, 1:]),
        "asked-not-trimmed": (trg[:, :-1], trg),
        "sentences-shifted": (trg[:-1], trg[1:]),
    }
    for name in wrong:
        return answers[name]
    return trg[:, :-1], trg[:, 1:]


def transformer(
    wrong: Wrong,
    src: Tensor,
    trg: Tensor,
    weights: TransformerWeights,
    heads: int,
    src_pad_idx: int,
    trg_pad_idx: int,
) -> Tensor:
    if "shifts-again" in wrong:
        trg = trg[:, :-1]
    src_mask = words(src, trg_pad_idx if "trg-pad-for-source" in wrong else src_pad_idx)
    trg_mask = words(trg, src_pad_idx if "src-pad-for-target" in wrong else trg_pad_idx)
    if "target-padding-open" in wrong:
        trg_mask = torch.ones_like(trg_mask)
    trg_mask = trg_mask.expand(-1, -1, trg.size(1), -1)
    if "no-look-ahead" not in wrong:
        trg_mask = trg_mask & look_ahead(trg.size(1))
    open_to_all = torch.ones_like(src_mask)
    encoder_mask = open_to_all if "encoder-padding-open" in wrong else src_mask
    cross_mask = open_to_all if "memory-padding-open" in wrong else src_mask
    memories = memories_of(wrong, src, encoder_mask, weights, heads)
    table = weights.src_words if "target-from-source-table" in wrong else weights.trg_words
    x = embedded(wrong, trg, table, waves="positions-missing-in-decoder" not in wrong)
    for number, layer in enumerate(weights.decoder):
        layer = weights.decoder[0] if "decoder-layers-share-weights" in wrong else layer
        memory = memories[number + 1] if "memory-of-each-layer" in wrong else memories[-1]
        x = decoder_layer(RIGHT, x, memory, layer, heads, trg_mask, cross_mask)
    return output(wrong, x, weights)


def words(tokens: Tensor, pad_idx: int) -> Tensor:
    return (tokens != pad_idx).unsqueeze(1).unsqueeze(2)


def embedded(wrong: Wrong, tokens: Tensor, table: Tensor, *, waves: bool = True) -> Tensor:
    t, e = tokens.size(1), table.size(1)
    x = table[tokens] * (1.0 if "embedding-not-scaled" in wrong else math.sqrt(e))
    if "positions-missing" in wrong or not waves:
        return x
    place, pair = torch.arange(t, dtype=torch.float64), torch.arange(e // 2, dtype=torch.float64)
    angle = place.unsqueeze(1) * 10000 ** (-2 * pair / e)
    return x + torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)


def memories_of(wrong: Wrong, src: Tensor, src_mask: Tensor, weights: TransformerWeights, heads: int) -> list[Tensor]:
    """The source as embedded and after each encoder layer; the last one is the memory."""
    memories = [embedded(wrong, src, weights.src_words)]
    for layer in weights.encoder:
        memories.append(encoder_layer(RIGHT, memories[-1], src_mask, layer, heads, 0.0, False))
    return memories[:1] * len(memories) if "memory-from-embedding" in wrong else memories


def output(wrong: Wrong, x: Tensor, weights: TransformerWeights) -> Tensor:
    table = weights.src_words if "output-from-source-table" in wrong else weights.trg_words
    # Answers of another shape are compared without their size, so beside a missing row this would not show.
    if "output-scaled-too" in wrong and "shifts-again" not in wrong:
        table = table * math.sqrt(table.size(1))
    logits = x @ (table if "tied-weights-transposed" in wrong else table.T)
    if "softmax-included" in wrong:
        logits = logits.softmax(dim=-1)
    return logits.log_softmax(dim=-1) if "log-softmax-included" in wrong else logits


def of_real_tokens(
    function: Function, src: Tensor, trg: Tensor, weights: TransformerWeights, heads: int, src_pad: int, trg_pad: int
) -> Any:
    """The logits, 0 where the target is padding, which nobody reads. Rounded to float32, as waves often are."""
    logits = function(src, trg, weights, heads, src_pad, trg_pad)
    if not isinstance(logits, Tensor) or logits.ndim != 3 or not logits.is_floating_point():
        return logits
    padding = trg[: logits.size(0), : logits.size(1)] == trg_pad
    return logits.masked_fill(padding.unsqueeze(-1), 0).float()


def shift_probes() -> list[Probe]:
    generator = torch.Generator().manual_seed(1)
    right_padded = torch.tensor([[1, 5, 6, 7, 2, 0, 0], [1, 8, 3, 9, 4, 6, 2]])
    return [
        Probe(label="two sentences, one with padding", arguments=(right_padded,)),
        Probe(label="as many sentences as tokens", arguments=(torch.randint(40, (4, 4), generator=generator),)),
        Probe(label="one sentence of start and end", arguments=(torch.tensor([[1, 2]]),)),
    ]


def shift_examples() -> list[Probe]:
    return [Probe(label="one sentence", arguments=(torch.tensor([[1, 5, 6, 7, 2]]),))]


def probes() -> list[Probe]:
    # The paddings are words on the other side, so that taking the wrong one shows.
    return [
        Probe(
            label="two sentences, padding on the right",
            arguments=(
                torch.tensor([[5, 4, 2, 9, 10], [7, 4, 3, 1, 1]]),
                torch.tensor([[2, 1, 7, 5], [2, 8, 1, 4]]),
                transformer_weights(11, 9, embed_size=12, forward_size=7, layers=1, seed=2),
                3, 1, 4,
            ),
            drive=of_real_tokens,
        ),
        Probe(
            label="as many words as channels, target padding on the left",
            arguments=(
                torch.tensor([[3, 2, 5, 1], [2, 4, 0, 0], [5, 2, 1, 0]]),
                torch.tensor([[2, 2, 1, 0], [4, 0, 5, 3], [2, 3, 0, 4]]),
                transformer_weights(6, 6, embed_size=6, forward_size=5, layers=2, seed=3),
                2, 0, 2,
            ),
            drive=of_real_tokens,
        ),
    ]  # fmt: skip


def examples() -> list[Probe]:
    weights = transformer_weights(5, 4, embed_size=4, forward_size=3, layers=2, seed=0)

    def example(src: list[int], trg: list[int], position: int) -> Probe:
        def logits_there(function: Function, *arguments: Any) -> Any:
            logits = function(*arguments)
            return logits[:, position] if isinstance(logits, Tensor) and logits.ndim == 3 else logits

        said = f"src=[{src}], trg=[{trg}], weights, heads=2, src_pad_idx=0, trg_pad_idx=3"
        return Probe(
            label=f"src={src}, trg={trg}",
            arguments=(torch.tensor([src]), torch.tensor([trg]), weights, 2, 0, 3),
            drive=logits_there,
            shown=f"transformer({said})[:, {position}]\n"
            "  weights = transformer_weights(5, 4, embed_size=4, forward_size=3, layers=2, seed=0)",
        )

    return [
        example([4, 2], [1, 2], position=0),
        example([4, 3, 2, 0], [1, 0, 2], position=-1),
        example([4, 2], [3, 1, 2], position=-1),
    ]


def toy() -> tuple[Tensor, Tensor, TransformerWeights]:
    weights = transformer_weights(11, 9, embed_size=12, forward_size=7, layers=2, seed=4)
    return torch.tensor([[5, 4, 2, 9], [7, 3, 8, 1]]), torch.tensor([[2, 6, 7, 5], [2, 8, 3, 4]]), weights


def the_future_changes_nothing(function: Function) -> bool:
    src, trg, weights = toy()
    other = torch.cat([trg[:, :2], trg[:, 2:].flip(1)], dim=1)
    before, after = (function(src, target, weights, 3, 1, 4)[:, :2] for target in (trg, other))
    return torch.allclose(before, after, atol=1e-6)


def source_padding_changes_nothing(function: Function) -> bool:
    src, trg, weights = toy()
    wider = torch.nn.functional.pad(src, (0, 2), value=1)
    before, after = (function(source, trg, weights, 3, 1, 4) for source in (src, wider))
    return torch.allclose(before, after, atol=1e-6)


def order_matters(function: Function) -> bool:
    src, trg, weights = toy()
    turned = torch.cat([src[:, :3].flip(1), src[:, 3:]], dim=1)
    before, after = (function(source, trg, weights, 3, 1, 4) for source in (src, turned))
    return not torch.allclose(before, after, atol=1e-6)


def a_fresh_model_claims_little(function: Function) -> bool:
    src, trg, weights = toy()
    logits = function(src, trg, weights, 3, 1, 4)
    asked = torch.arange(trg.numel()).remainder(9).view(trg.shape)
    loss = -logits.log_softmax(dim=-1).gather(-1, asked.unsqueeze(-1)).mean()
    return abs(float(loss) - math.log(9)) < 0.7


def asked_is_the_next_token(function: Function) -> bool:
    trg = torch.tensor([[1, 5, 6, 7, 2], [1, 8, 3, 2, 0]])
    given, asked = function(trg)
    return torch.equal(given[:, 1:], asked[:, :-1]) and given.shape == asked.shape == (2, 4)


def nobody_is_asked_for_the_start(function: Function) -> bool:
    _, asked = function(torch.tensor([[1, 5, 6, 7, 2]]))
    return 1 not in asked


def the_end_is_asked_for(function: Function) -> bool:
    _, asked = function(torch.tensor([[1, 5, 6, 7, 2]]))
    return 2 in asked


BANK = Bank(
    parts=(
        Part(
            function="shift",
            asked="all but the last token are given, all but the first are asked for",
            result="what is given and what is asked for",
            reference=shift,
            mistakes=SHIFT_MISTAKES,
            probes=shift_probes,
            examples=shift_examples,
            properties=(
                Property(says="what is asked for is the token after what is given", holds=asked_is_the_next_token),
                Property(says="the start token is asked for nowhere", holds=nobody_is_asked_for_the_start),
                Property(says="the end token is asked for", holds=the_end_is_asked_for),
            ),
            pairs=False,  # each is another slice: no two at once
        ),
        Part(
            function="transformer",
            asked="logits = Decoder(embed(trg), Encoder(embed(src))) W^T, W the target's word table",
            result="n t v",
            reference=transformer,
            mistakes=TRANSFORMER_MISTAKES,
            probes=probes,
            examples=examples,
            properties=(
                Property(says="later target tokens change nothing before them", holds=the_future_changes_nothing),
                Property(says="padding of the source changes nothing", holds=source_padding_changes_nothing),
                Property(says="the order of the source's words matters", holds=order_matters),
                Property(says="a fresh model's loss is near ln v", holds=a_fresh_model_claims_little),
            ),
            shortcuts=("Transformer",),
        ),
    )
)
