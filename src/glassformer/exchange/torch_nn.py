"""`torch.nn.Transformer` with embeddings around it, in and out.

PyTorch's module holds the two stacks; word embeddings, positions and the output layer are everybody's own, under
everybody's own names. The usual ones are recognised, any other is told: `names={"src_embedding": "enc.tokens"}`.
"""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import TypeAdapter
from torch import Tensor

from glassformer.checkpoint.border import read_json
from glassformer.data import Vocabularies
from glassformer.errors import UserError
from glassformer.exchange.facts import Facts, special_ids_to_ask, vocabularies
from glassformer.exchange.imported import Imported, Source, build, tying
from glassformer.exchange.measuring import largest_difference
from glassformer.exchange.plain import refuse_others
from glassformer.exchange.reading import read_tensors
from glassformer.exchange.torch_formulas import TorchFormulas
from glassformer.exchange.torch_names import STACKS, find_parts
from glassformer.model.attention import MultiHeadAttention
from glassformer.model.config import PositionKind, TransformerConfig
from glassformer.model.positions import sinusoids
from glassformer.model.transformer import Transformer

ATTENTIONS = {"self_attn": "self_attention", "multihead_attn": "cross_attention"}  # theirs -> ours
LINEARS = {"linear1": "feed_forward.fc_in", "linear2": "feed_forward.fc_out"}
PROJECTIONS = ("to_queries", "to_keys", "to_values")  # side by side in in_proj
SINUSOID_DIGITS = 1e-3  # a table made in float32 is off by some 5e-4 at position 5000
NORMS = {
    "encoder": ("self_attention", "feed_forward"),  # norm1, norm2
    "decoder": ("self_attention", "cross_attention", "feed_forward"),  # norm1, norm2, norm3
}
NOTES = [
    "LayerNorm's eps is taken to be 1e-5, PyTorch's default: weights do not tell it.",
    "padding is hidden as src_key_padding_mask and memory_key_padding_mask hide it. A model that was run without them "
    "attended to it, and gives other numbers in batches of unequal length.",
]
WITHOUT_TABLE = {
    "positions": "no table of them is in the file: sinusoidal or none",
    "max_length": "no table says how long a sentence may be",
}
ASKED = {
    "heads": "in_proj_weight fits any number of them",
    "norm": "norm_first=True is pre, False is post",
    "activation": "between linear1 and linear2: relu, gelu or silu",
    "scale_embeddings": "whether embeddings are multiplied by sqrt(embed_size); else --no-scale-embeddings",
}


class Placed(NamedTuple):
    """How order comes in."""

    kind: PositionKind
    max_length: int
    weights: dict[str, Tensor]
    notes: list[str]


def read(path: Path, facts: Facts) -> Imported:
    """The model in the file, or in a folder that --to torch wrote.

    Raises UserError for a file of another kind, and for what must be told and was not.
    """
    if path.is_dir():
        return _read_folder(path, facts)
    source = Source(read_tensors(path, facts.key), str(path), facts.leave)
    parts = find_parts(source, facts.names)
    src_size, embed_size = source.size(parts["src_embedding"], "encoder.word_embedding")
    trg_size, _ = source.size(parts["trg_embedding"], "decoder.word_embedding")
    width, _ = source.size(f"{parts['encoder']}layers.0.linear1.weight", "encoder.layers.0.feed_forward.fc_in")
    decoder_width, _ = source.size(f"{parts['decoder']}layers.0.linear1.weight", "decoder.layers.0.feed_forward.fc_in")
    if len({f"{parts[stack]}norm.weight" in source for stack in STACKS}) > 1:
        raise UserError(f"{path} has a final norm after one stack alone: ours has both or none. It cannot be read.")
    facts.require(special_ids_to_ask(facts) | ASKED | ({} if _have_tables(parts) else WITHOUT_TABLE))
    words = vocabularies(facts, src_size, trg_size)
    placed = _positions(source, parts, facts, embed_size)
    weights = placed.weights | dict(our_weights(source, parts, embed_size))
    sizes = dict(
        src_vocab_size=src_size,
        trg_vocab_size=trg_size,
        src_pad_idx=words.src.pad_id,
        trg_pad_idx=None if words.trg.pad_id == words.trg.start_id else words.trg.pad_id,
        embed_size=embed_size,
        num_layers=source.layers(f"{parts['encoder']}layers."),
        decoder_layers=source.layers(f"{parts['decoder']}layers."),
        heads=facts.heads,
        forward_expansion=width / embed_size,
        decoder_forward_expansion=decoder_width / embed_size,
        max_length=placed.max_length,
        positions=placed.kind,
        norm=facts.norm,
        activation=facts.activation,
        scale_embeddings=facts.scale_embeddings,
        tie_embeddings=tying(weights),
        final_norms="encoder.norm.weight" in weights,
    )
    model, names = build(sizes, weights, str(path)), source.finish()
    measured = largest_difference(model, TorchFormulas(source, parts, model.config), words.trg.pad_id)
    return Imported(model, words, names, [*placed.notes, *NOTES], measured=measured)


def _read_folder(folder: Path, facts: Facts) -> Imported:
    """What --to torch wrote: its config.json says what weights cannot."""
    facts.refuse_others((), "a folder that --to torch wrote")
    config = read_json(folder / "config.json", TypeAdapter(TransformerConfig))
    file, words = folder / "model.safetensors", Vocabularies.load(folder)
    words.check(config.src_vocab_size, config.trg_vocab_size)
    source = Source(read_tensors(file), str(file))
    parts = find_parts(source, {})
    weights = dict(our_weights(source, parts, config.embed_size))
    if config.positions == "learned":
        for side, stack in zip(("src", "trg"), STACKS, strict=True):
            ours = f"{stack}.positions.table.weight"
            weights[ours] = source.take(f"{side}_positions.weight", ours)
    model, names = build(asdict(config), weights, str(file)), source.finish()
    formulas = TorchFormulas(source, parts, config)
    measured = largest_difference(model, formulas, words.trg.pad_id, by="PyTorch's own stacks")
    return Imported(model, words, names, [], measured=measured)


def _have_tables(parts: dict[str, str]) -> bool:
    return {"src_positions", "trg_positions"} <= parts.keys()


def _positions(source: Source, parts: dict[str, str], facts: Facts, embed_size: int) -> Placed:
    """Sinusoids where the tables are that, else whatever they hold, as learned positions."""
    if not _have_tables(parts):
        kind, length = facts.positions or "none", facts.max_length or 1
        if kind == "learned":
            raise UserError(f"{source.where} has no table of positions. Say which it is with --names src_positions=...")
        return Placed(kind, length, {}, [])
    tables = []
    for side, stack in (("src", "encoder"), ("trg", "decoder")):
        table = source.take(parts[f"{side}_positions"], f"{stack}.positions").squeeze()
        if table.dim() != 2 or table.size(1) != embed_size:
            raise UserError(
                f"{source.where}: {parts[f'{side}_positions']!r} has the shape {list(table.shape)}, and a table of "
                f"positions has {embed_size} numbers for each. Say which it is with --names {side}_positions=..."
            )
        tables.append(table)
    length = min(*map(len, tables), facts.max_length or len(tables[0]))
    apart = max(_from_sinusoids(table) for table in tables)
    if facts.positions == "none" or (facts.positions == "sinusoidal" and apart >= SINUSOID_DIGITS):
        raise UserError(
            f"{source.where} has a table of positions, {apart:.1g} from the paper's sinusoids, and --positions "
            f"{facts.positions} was given. Leave it out."
        )
    if apart < SINUSOID_DIGITS and facts.positions != "learned":
        note = f"the table of positions is the paper's sinusoids, to {apart:.1g}; here they are computed."
        return Placed("sinusoidal", length, {}, [note])
    named = zip(STACKS, tables, strict=True)
    weights = {f"{stack}.positions.table.weight": table[:length] for stack, table in named}
    cut = [f"positions from {length} on are left out."] if any(len(table) > length for table in tables) else []
    return Placed("learned", length, weights, cut)


def _from_sinusoids(table: Tensor) -> float:
    """How far a table is from the paper's."""
    length, embed_size = table.shape
    if embed_size % 2:
        return float("inf")
    return float((sinusoids(length, 0, table[None]) - table).abs().max())


def our_weights(source: Source, parts: dict[str, str], embed_size: int) -> Iterator[tuple[str, Tensor]]:
    """Our names and tensors, but for the positions'."""
    for side, stack in (("src", "encoder"), ("trg", "decoder")):
        ours = f"{stack}.word_embedding.weight"
        yield ours, source.take(parts[f"{side}_embedding"], ours)
        prefix = parts[stack]
        with_bias = f"{prefix}layers.0.self_attn.in_proj_bias" in source
        for number in range(source.layers(f"{prefix}layers.")):
            place = f"layers.{number}."
            yield from _layer(source, prefix + place, f"{stack}.{place}", NORMS[stack], embed_size, with_bias)
        if f"{prefix}norm.weight" in source:
            yield from _pair(source, f"{prefix}norm", f"{stack}.norm", with_bias, embed_size)
    output = parts["output"].removesuffix(".weight")
    words = source.size(parts["trg_embedding"], "decoder.word_embedding")[0]
    yield from _pair(source, output, "fc_out", f"{output}.bias" in source, words, embed_size)


def _layer(
    source: Source, theirs: str, ours: str, sublayers: tuple[str, ...], embed_size: int, with_bias: bool
) -> Iterator[tuple[str, Tensor]]:
    for attention, ours_too in ATTENTIONS.items():
        if ours_too in sublayers:
            place = f"{ours}{ours_too}"
            joined = f"{place}.{{{', '.join(PROJECTIONS)}}}"
            together = _pair(source, f"{theirs}{attention}.in_proj_", joined, with_bias, 3 * embed_size, embed_size)
            for name, tensor in together:
                for projection, piece in zip(PROJECTIONS, tensor.chunk(3), strict=True):
                    yield name.replace(joined, f"{place}.{projection}"), piece
            yield from _pair(
                source, f"{theirs}{attention}.out_proj", f"{place}.fc_out", with_bias, embed_size, embed_size
            )
    for linear, place in LINEARS.items():
        sizes = source.size(f"{theirs}{linear}.weight", f"{ours}{place}")
        yield from _pair(source, f"{theirs}{linear}", f"{ours}{place}", with_bias, *sizes)
    for number, sublayer in enumerate(sublayers, start=1):
        yield from _pair(source, f"{theirs}norm{number}", f"{ours}{sublayer}_residual.norm", with_bias, embed_size)


def _pair(source: Source, theirs: str, ours: str, with_bias: bool, *shape: int) -> Iterator[tuple[str, Tensor]]:
    """A weight of this shape and its bias, which is 0 where there is none."""
    joint = theirs if theirs.endswith("_") else f"{theirs}."
    weight = source.take(f"{joint}weight", f"{ours}.weight", *shape)
    yield f"{ours}.weight", weight
    rows = shape[0]
    yield f"{ours}.bias", source.take(f"{joint}bias", f"{ours}.bias", rows) if with_bias else weight.new_zeros(rows)


def export_torch(model: Transformer) -> dict[str, Tensor]:
    """The state dict of a module that holds `transformer` (nn.Transformer), src_embedding, trg_embedding and fc_out.

    Learned positions are src_positions and trg_positions; sinusoids are computed. Without final norms the keys
    transformer.encoder.norm and transformer.decoder.norm are absent: set those two to None before loading.

    Raises UserError for what nn.Transformer cannot hold: stacks with other heads or widths, and modules not ours.
    """
    config = model.config
    for field, encoder, decoder in (
        ("decoder_heads", config.encoder.heads, config.decoder.heads),
        ("decoder_forward_expansion", config.encoder.forward_size, config.decoder.forward_size),
    ):
        if encoder != decoder:
            raise UserError(
                f"{field} makes {decoder} in the decoder and {encoder} in the encoder: nn.Transformer has one for "
                "both. Nothing was written."
            )
    refuse_others(model, "torch.nn.Transformer")
    weights: dict[str, Tensor] = {}
    for stack, side in zip(STACKS, ("src", "trg"), strict=True):
        ours = getattr(model, stack)
        weights[f"{side}_embedding.weight"] = ours.word_embedding.weight
        if config.positions == "learned":
            weights[f"{side}_positions.weight"] = ours.positions.table.weight
        for number, layer in enumerate(ours.layers):
            weights |= _their_layer(layer, f"transformer.{stack}.layers.{number}.", NORMS[stack])
        if config.has_final_norms:
            weights |= _both(ours.norm, f"transformer.{stack}.norm.")
    return {name: tensor.detach().clone() for name, tensor in (weights | _both(model.fc_out, "fc_out.")).items()}


def _their_layer(layer: Any, place: str, sublayers: tuple[str, ...]) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = {}
    for theirs, ours in ATTENTIONS.items():
        if ours in sublayers:
            attention: MultiHeadAttention = getattr(layer, ours)
            projections = [getattr(attention, name) for name in PROJECTIONS]
            for part in ("weight", "bias"):
                joined = torch.cat([getattr(linear, part) for linear in projections])
                weights[f"{place}{theirs}.in_proj_{part}"] = joined
            weights |= _both(attention.fc_out, f"{place}{theirs}.out_proj.")
    weights |= _both(layer.feed_forward.fc_in, f"{place}linear1.") | _both(
        layer.feed_forward.fc_out, f"{place}linear2."
    )
    for number, sublayer in enumerate(sublayers, start=1):
        weights |= _both(getattr(layer, f"{sublayer}_residual").norm, f"{place}norm{number}.")
    return weights


def _both(module: Any, place: str) -> dict[str, Tensor]:
    return {f"{place}weight": module.weight, f"{place}bias": module.bias}
