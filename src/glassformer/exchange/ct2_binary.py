"""A folder of CTranslate2, read without the library: `model.bin`, its settings, and its vocabularies.

`model.bin` is a list of named tensors behind a version and the name of a specification; of those, the encoder-decoder
Transformer is read. Fused projections are cut apart, int8 and int16 weights become weight / scale, and positions become
a learned table: the file's own, or the library's waves (all sines, then all cosines, and the first word is at 1).
"""

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glassformer.errors import UserError
from glassformer.exchange.ct2_file import Binary, dequantized, read_binary
from glassformer.exchange.ct2_settings import read_settings, read_vocabularies
from glassformer.exchange.epsilon import EPSILON, with_our_epsilon
from glassformer.exchange.imported import Imported, Source, build, tying
from glassformer.exchange.reading import folder_and_file

SPECS = {"TransformerSpec": 8, "TransformerBase": 8, "TransformerBig": 16}  # and the heads, where the file says none
ACTIVATIONS = {0: "relu", 2: "silu", 3: "gelu"}
OTHER_ACTIVATIONS = {1: "GELU by tanh", 4: "GELU by sigmoid", 5: "tanh", 6: "sigmoid"}
WAVES = 1024  # rows of the built-in positions: the library makes more as it goes on
LACKING = {  # a part of a tensor's name -> what it is for, and our model does not have
    "relative_position_keys": "relative positions",
    "relative_asymmetric_position_keys": "relative positions",
    "relative_attention_bias": "a bias for relative positions",
    "rotary_dim": "rotary positions",
    "alibi": "attention with linear biases",
    "num_heads_kv": "keys and values shared by several heads",
    "multi_query": "keys and values shared by all heads",
    "multi_query_attention": "keys and values shared by all heads",
    "head_dim": "heads of a width of their own",
    "sliding_window": "attention within a window",
    "queries_scale": "energies scaled by something else than sqrt(head_dim)",
    "linear_0_noact": "a gated feed-forward layer",
    "layernorm_embedding": "a norm after the embeddings",
    "q_norm": "norms of queries and keys",
    "v_norm": "norms of values",
    "project_in": "a projection between embeddings and layers",
    "scale_outputs": "scaled logits",
    "final_logit_softcapping": "capped logits",
    "start_from_zero_embedding": "a start without an embedding",
    "embeddings_1": "several features of each source word",
    "shared_layer_norm": "sublayers side by side",
    "input_layer_norm": "norms before and after a sublayer, or sublayers side by side",
    "layer_scalar": "scaled layers",
    "memory_kv": "self-attention and cross-attention in one",
    "weight_zero": "weights quantized in groups",
}
FLAGS = ("alibi", "multi_query", "multi_query_attention", "start_from_zero_embedding")  # off where they are 0
NO_EFFECT = ("alignment_layer", "alignment_heads", "alibi_use_positive_positions", "scale_alibi", "embeddings_merge")


def read(path: Path, leave: Collection[str] = ()) -> Imported:
    """The model and its vocabularies, from the folder or the file in it; the tensors `leave` are left out.

    Raises UserError for what is no whole model.bin, for another kind of model, and for each part that our model does
    not have, by its name.
    """
    folder, file = folder_and_file(path, "model.bin")
    binary = read_binary(file)
    _refuse_lacking(binary, file)
    source = Source(dequantized(binary.tensors, file), str(file), leave)
    settings = read_settings(folder, binary.version, source)
    sizes, weights, notes = _convert(source, SPECS[binary.spec])
    vocabularies = read_vocabularies(folder, settings, sizes["src_vocab_size"], sizes["trg_vocab_size"])
    epsilon = settings.layer_norm_epsilon or EPSILON
    if not math.isclose(epsilon, EPSILON, rel_tol=1e-3):
        if sizes["norm"] == "pre" and not sizes["final_norms"]:
            raise UserError(
                f"{folder}: layer_norm_epsilon={epsilon}, ours is {EPSILON}, and no norm after the stacks to even it "
                "out. Such a model cannot be read."
            )
        weights = with_our_epsilon(weights, epsilon, pre_norm=sizes["norm"] == "pre")
        notes.append(f"Norms have epsilon {epsilon}: the residual stream is scaled here so that numbers are the same.")
    names = source.finish()
    model = build(sizes | dict(src_pad_idx=vocabularies.src.pad_id), weights, str(file))
    if not settings.add_source_eos:
        notes.append(
            "Sources end without </s> there. Ours end with padding, which nothing attends to: the same numbers."
        )
    return Imported(model, vocabularies, names, notes)


def _refuse_lacking(binary: Binary, path: Path) -> None:
    if binary.spec not in SPECS:
        raise UserError(
            f"{path} is a {binary.spec!r}. Only the encoder-decoder Transformer for text is read: {', '.join(SPECS)}."
        )
    for name, tensor in binary.tensors.items():
        for part in name.split("/"):
            off = part in FLAGS and not tensor.any()
            if part in LACKING and not off:
                raise UserError(
                    f"{path} has {name!r}: it stands for {LACKING[part]}, which our model does not have. "
                    "Such a model cannot be read."
                )
        norm, _, end = name.rpartition("/")
        if end == "gamma" and f"{norm}/beta" not in binary.tensors:
            raise UserError(
                f"{path} has {name!r} and no {norm + '/beta'!r}: it is an RMSNorm, and our model has LayerNorms. "
                "Such a model cannot be read."
            )


def _convert(source: Source, heads: int) -> tuple[dict[str, Any], dict[str, Tensor], list[str]]:
    """Sizes and weights of our model, and what is to be told."""
    for name in source:
        if name.rpartition("/")[2] in (*FLAGS, *NO_EFFECT):
            source.leave(name, "translations are the same without it")
    encoder, decoder = _Stack(source, "encoder", heads), _Stack(source, "decoder", heads)
    size, notes = decoder.embed_size, []
    activation = _same("activation", encoder.setting("activation", 0), decoder.setting("activation", 0), source)
    if activation not in ACTIVATIONS:
        meant = OTHER_ACTIVATIONS.get(activation, "unknown")
        raise UserError(
            f"{source.where}: activation={activation} is {meant}, and our model has {', '.join(ACTIVATIONS.values())}. "
            "Such a model cannot be read."
        )
    pre_norm = _same("pre_norm", encoder.setting("pre_norm", 1), decoder.setting("pre_norm", 1), source)
    final_norms = _same("layer_norm", encoder.has_final_norm, decoder.has_final_norm, source)
    rows = [stack.position_rows for stack in (encoder, decoder) if stack.position_rows]
    max_length = min(rows, default=WAVES)
    notes.append(
        f"Positions are a learned table of {max_length} rows. "
        + ("" if rows else "The library makes its waves for any length: longer texts can be read there only.")
    )
    factors = encoder.scale, decoder.scale
    scaled = all(math.isclose(factor, math.sqrt(size), rel_tol=1e-6) for factor in factors)
    weights = {
        "fc_out.weight": source.take("decoder/projection/weight", "fc_out.weight", decoder.rows, size),
        "fc_out.bias": decoder.bias("projection", "fc_out.bias", decoder.rows),
    }
    for stack, factor in zip((encoder, decoder), factors, strict=True):
        weights |= stack.weights(max_length)
        if not scaled:
            weights[f"{stack.name}.word_embedding.weight"] *= factor
    sizes = dict(
        src_vocab_size=encoder.rows, trg_vocab_size=decoder.rows, trg_pad_idx=None, embed_size=size,
        num_layers=encoder.layers, decoder_layers=decoder.layers, heads=encoder.heads, decoder_heads=decoder.heads,
        forward_expansion=encoder.forward_size / size, decoder_forward_expansion=decoder.forward_size / size,
        max_length=max_length, positions="learned", norm="pre" if pre_norm else "post",
        activation=ACTIVATIONS[activation], scale_embeddings=scaled, final_norms=bool(final_norms),
        tie_embeddings=tying(weights),
    )  # fmt: skip
    return sizes, weights, notes


def _same(name: str, encoder: int, decoder: int, source: Source) -> int:
    if encoder != decoder:
        raise UserError(
            f"{source.where}: {name} is {encoder} in the encoder and {decoder} in the decoder, and our model has one "
            "choice for both. Such a model cannot be read."
        )
    return encoder


class _Stack:
    """The encoder or the decoder: its settings, its sizes and its weights by our names."""

    def __init__(self, source: Source, name: str, heads: int) -> None:
        self.source, self.name = source, name
        self._table = next(
            (full for part in ("embeddings_0", "embeddings") if (full := f"{name}/{part}/weight") in source),
            f"{name}/embeddings/weight",
        )
        self.rows, self.embed_size = source.size(self._table, f"{name}.word_embedding")
        self.forward_size, _ = source.size(f"{name}/layer_0/ffn/linear_0/weight", f"{name}.layers.0.feed_forward.fc_in")
        self.heads = self.setting("num_heads", heads)
        self.layers = next(n for n in range(2**32) if f"{name}/layer_{n}/ffn/linear_0/weight" not in source)
        self.has_final_norm = f"{name}/layer_norm/gamma" in source
        self._encodings = f"{name}/position_encodings/encodings"
        self.position_rows = source.size(self._encodings, f"{name}.positions")[0] if self._encodings in source else 0

    def setting(self, name: str, default: float) -> int:
        """A number or flag of the stack, or of the whole model, as older files have it."""
        return int(self._number([f"{self.name}/{name}", name], default))

    @property
    def scale(self) -> float:
        """What embeddings are multiplied by: a number in the file, or a flag for sqrt(embed_size)."""
        names = [f"{self.name}/scale_embeddings", f"{self._table.removesuffix('weight')}multiply_by_sqrt_depth"]
        name = next((name for name in names if name in self.source), None)
        scale = self._number(names, 1)
        if name and self.source.take(name, "scale_embeddings").is_floating_point():
            return scale
        return math.sqrt(self.embed_size) if scale else 1.0

    def weights(self, max_length: int) -> dict[str, Tensor]:
        """All of the stack's weights by our names."""
        size, width = self.embed_size, self.forward_size
        table, positions = f"{self.name}.word_embedding.weight", f"{self.name}.positions.table.weight"
        weights = {
            table: self.source.take(self._table, table, self.rows, size).clone(),
            positions: self._positions(positions, max_length),
        }
        if self.has_final_norm:
            weights |= self._norm("layer_norm", "norm")
        for number in range(self.layers):
            theirs, ours = f"layer_{number}", f"layers.{number}"
            weights |= self._attention(f"{theirs}/self_attention", f"{ours}.self_attention", [3, 1])
            if self.name == "decoder":
                weights |= self._attention(f"{theirs}/attention", f"{ours}.cross_attention", [1, 2, 1])
            weights |= self._norm(f"{theirs}/ffn/layer_norm", f"{ours}.feed_forward_residual.norm")
            weights |= self._linear(f"{theirs}/ffn/linear_0", [f"{ours}.feed_forward.fc_in"], width, size)
            weights |= self._linear(f"{theirs}/ffn/linear_1", [f"{ours}.feed_forward.fc_out"], size, width)
        return weights

    def bias(self, theirs: str, becomes: str, size: int) -> Tensor:
        """A bias, which the file may leave out: it is zero then."""
        name = f"{self.name}/{theirs}/bias"
        return self.source.take(name, becomes, size) if name in self.source else torch.zeros(size)

    def _attention(self, theirs: str, ours: str, shares: list[int]) -> dict[str, Tensor]:
        """Queries, keys, values and out from as many layers of the library, each holding its share of the four."""
        size, weights = self.embed_size, self._norm(f"{theirs}/layer_norm", f"{ours}_residual.norm")
        parts = [f"{ours}.{part}" for part in ("to_queries", "to_keys", "to_values", "fc_out")]
        for number, share in enumerate(shares):
            weights |= self._linear(f"{theirs}/linear_{number}", parts[:share], size, size)
            parts = parts[share:]
        return weights

    def _linear(self, theirs: str, ours: list[str], rows: int, columns: int) -> dict[str, Tensor]:
        """Our linear layers, of `rows` x `columns` each, from the one of the library that holds them all."""
        becomes = ", ".join(f"{self.name}.{name}" for name in ours)
        weight = self.source.take(f"{self.name}/{theirs}/weight", becomes, rows * len(ours), columns)
        bias = self.bias(theirs, becomes, rows * len(ours))
        weights: dict[str, Tensor] = {}
        for name, weight_part, bias_part in zip(ours, weight.view(-1, rows, columns), bias.view(-1, rows), strict=True):
            weights |= {f"{self.name}.{name}.weight": weight_part, f"{self.name}.{name}.bias": bias_part}
        return weights

    def _norm(self, theirs: str, ours: str) -> dict[str, Tensor]:
        return {
            f"{self.name}.{ours}.{end}": self.source.take(
                f"{self.name}/{theirs}/{name}", f"{self.name}.{ours}", self.embed_size
            )
            for end, name in (("weight", "gamma"), ("bias", "beta"))
        }

    def _positions(self, becomes: str, length: int) -> Tensor:
        if not self.position_rows:
            return waves(length, self.embed_size)
        return self.source.take(self._encodings, becomes, self.position_rows, self.embed_size)[:length]

    def _number(self, names: list[str], default: float) -> float:
        """The first of these settings that is there."""
        for name in names:
            if name in self.source:
                tensor = self.source.take(name, f"the setting {name.rpartition('/')[2]}")
                if tensor.numel() != 1:
                    raise UserError(f"{self.source.where}: {name!r} is no number but {list(tensor.shape)}: damaged.")
                return float(tensor)
        return default


def waves(length: int, size: int) -> Tensor:
    """The library's positions (t, e): all sines, then all cosines, of wave lengths from 2 pi to 10000 x 2 pi.

    Differs from the paper: the first word is at 1, and the last wave is the longest one exactly.
    """
    waves = size // 2
    decay = torch.exp(torch.arange(waves) * -(math.log(10000) / max(1, waves - 1)))
    angle = torch.arange(1, length + 1).unsqueeze(1) * decay
    return torch.cat([angle.sin(), angle.cos()], dim=1)
