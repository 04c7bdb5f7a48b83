"""The weights of this project's origin: aladdinpersson/Machine-Learning-Collection, transformer_from_scratch.

There each of queries, keys and values has one small projection (head_dim, head_dim) that all heads share: in ours it
stands once for each head, on the diagonal of the whole projection. There the scores are divided by sqrt(embed_size):
that is sqrt(head_dim / embed_size) in our queries. Public forks with a whole projection are read as well.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from glassformer.errors import UserError
from glassformer.exchange.facts import Facts, special_ids_to_ask, vocabularies
from glassformer.exchange.imported import Imported, Source, build
from glassformer.exchange.measuring import largest_difference
from glassformer.exchange.origin_formulas import OriginFormulas
from glassformer.exchange.reading import read_tensors
from glassformer.model.config import check_heads

FIRST = "encoder.layers.0.attention"
PROJECTIONS = {"queries": "to_queries", "keys": "to_keys", "values": "to_values"}
ENCODER_LAYER = {  # a part of theirs -> of ours
    "attention": "self_attention",
    "norm1": "self_attention_residual.norm",
    "norm2": "feed_forward_residual.norm",
    "feed_forward.0": "feed_forward.fc_in",
    "feed_forward.2": "feed_forward.fc_out",
}
DECODER_LAYER = {
    "attention": "self_attention",
    "norm": "self_attention_residual.norm",
    "transformer_block.attention": "cross_attention",
    "transformer_block.norm1": "cross_attention_residual.norm",
    "transformer_block.norm2": "feed_forward_residual.norm",
    "transformer_block.feed_forward.0": "feed_forward.fc_in",
    "transformer_block.feed_forward.2": "feed_forward.fc_out",
}
PADDED_TARGETS = (
    "a target position that is padding itself gets other scores, which nobody reads: over there it attends to padding "
    "before it, here only to words. Scores at words are equal as long as targets are padded on the right."
)
NOTES = [
    "a source of padding alone: over there its positions share their attention evenly, here they get none. A source "
    "with at least one word is not touched by this.",
    "dropout stood after each norm over there and stands before the sum here: another training, the same answers.",
]
WHOLE = {  # what a whole projection leaves open
    "heads": "a whole projection fits any number of them",
    "divide_by": "embed_size as in the origin, or head_dim as in the paper: look for the root in its attention",
}
BEGINS_WITH_PADDING = (
    "targets begin with the id that also pads them, so no target position is hidden for being padding (as over there)."
)


def read(path: Path, facts: Facts) -> Imported:
    """The model in the file. Raises UserError for a file of another kind, and for what must be told and was not."""
    source = Source(read_tensors(path, facts.key), str(path), facts.leave)
    src_size, embed_size = source.size("encoder.word_embedding.weight", "encoder.word_embedding")
    trg_size, _ = source.size("decoder.word_embedding.weight", "decoder.word_embedding")
    max_length, _ = source.size("encoder.position_embedding.weight", "encoder.positions")
    width, _ = source.size("encoder.layers.0.feed_forward.0.weight", "encoder.layers.0.feed_forward.fc_in")
    rows, _ = source.size(f"{FIRST}.queries.weight", "encoder.layers.0.self_attention.to_queries")
    heads, divisor = _heads_and_divisor(source, facts, embed_size, rows)
    words = vocabularies(facts, src_size, trg_size)
    sizes = dict(
        src_vocab_size=src_size,
        trg_vocab_size=trg_size,
        src_pad_idx=words.src.pad_id,
        trg_pad_idx=None if words.trg.pad_id == words.trg.start_id else words.trg.pad_id,
        embed_size=embed_size,
        num_layers=source.layers("encoder.layers."),
        decoder_layers=source.layers("decoder.layers."),
        heads=heads,
        forward_expansion=width / embed_size,
        max_length=max_length,
    )
    head_dim = embed_size // heads
    weights = dict(our_weights(source, embed_size, head_dim, math.sqrt(head_dim / divisor)))
    model, names = build(sizes, weights, str(path)), source.finish()
    formulas = OriginFormulas(source.tensors, heads, divisor, words.src.pad_id)
    measured = largest_difference(model, formulas, words.trg.pad_id)
    about_targets = BEGINS_WITH_PADDING if model.config.trg_pad_idx is None else PADDED_TARGETS
    return Imported(model, words, names, [about_targets, *NOTES], measured=measured)


def _heads_and_divisor(source: Source, facts: Facts, embed_size: int, rows: int) -> tuple[int, int]:
    """How many heads, and the number by whose root the scores are divided."""
    whole = rows == embed_size
    facts.require(special_ids_to_ask(facts) | (WHOLE if whole else {}))
    heads = facts.heads if whole and facts.heads else embed_size // rows
    if (not whole and heads * rows != embed_size) or heads != (facts.heads or heads):
        raise UserError(
            f"{source.where}: {FIRST}.queries.weight has {rows} rows, which makes {embed_size / rows:g} heads of "
            f"embed_size={embed_size}; --heads was {facts.heads or 'not given'}. Leave it out, or take another file."
        )
    try:
        check_heads("heads", heads, embed_size)
    except ValueError as error:
        raise UserError(f"{source.where}: {error}") from error
    return heads, embed_size // heads if facts.divide_by == "head_dim" else embed_size


def our_weights(source: Source, embed_size: int, head_dim: int, factor: float) -> Iterator[tuple[str, Tensor]]:
    """Our names and tensors; `factor` turns their scores into ours."""
    for stack, parts in (("encoder", ENCODER_LAYER), ("decoder", DECODER_LAYER)):
        for theirs, ours in (("word_embedding", "word_embedding"), ("position_embedding", "positions.table")):
            yield _same(source, f"{stack}.{theirs}.weight", f"{stack}.{ours}.weight")
        for number in range(source.layers(f"{stack}.layers.")):
            for theirs, ours in parts.items():
                place = f"{stack}.layers.{number}"
                if theirs.endswith("attention"):
                    yield from _attention(source, f"{place}.{theirs}", f"{place}.{ours}", embed_size, head_dim, factor)
                else:
                    for part in ("weight", "bias"):
                        yield _same(source, f"{place}.{theirs}.{part}", f"{place}.{ours}.{part}")
    for part in ("weight", "bias"):
        yield _same(source, f"decoder.fc_out.{part}", f"fc_out.{part}")


def _same(source: Source, theirs: str, ours: str) -> tuple[str, Tensor]:
    return ours, source.take(theirs, ours)


def _attention(
    source: Source, theirs: str, ours: str, embed_size: int, head_dim: int, factor: float
) -> Iterator[tuple[str, Tensor]]:
    """One attention: the shared projections on the diagonal, the scale in the queries, no bias where there was none."""
    with_bias = f"{FIRST}.queries.bias" in source
    rows = source.size(f"{FIRST}.queries.weight", ours)[0]
    copies = embed_size // rows
    for projection, name in PROJECTIONS.items():
        scale = factor if projection == "queries" else 1.0
        how = f"{ours}.{name}" + (f", once for each of {copies} heads" if copies > 1 else "")
        how += f", times {scale:.6g}" if scale != 1 else ""
        weight = source.take(f"{theirs}.{projection}.weight", how, rows, rows)
        yield f"{ours}.{name}.weight", torch.kron(torch.eye(copies, dtype=weight.dtype), weight) * scale
        bias = source.take(f"{theirs}.{projection}.bias", how, rows) if with_bias else weight.new_zeros(rows)
        yield f"{ours}.{name}.bias", bias.repeat(copies) * scale
    for part in ("weight", "bias"):
        yield _same(source, f"{theirs}.fc_out.{part}", f"{ours}.fc_out.{part}")
