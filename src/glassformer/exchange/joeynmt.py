"""A model folder of JoeyNMT 2: config.yaml, best.ckpt and the two vocabularies.

Its model is ours with another epsilon in the norms, which `epsilon` makes ours, and a table of the paper's positions,
which is kept as learned ones. Its vocabularies list pieces: text that it cuts with SentencePiece or subword-nmt comes
here cut already, pieces between spaces.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from glassformer.data import Vocabularies, Vocabulary
from glassformer.errors import UserError
from glassformer.exchange.epsilon import with_our_epsilon
from glassformer.exchange.imported import Imported, Source, build
from glassformer.exchange.reading import folder_and_file, read_tensors
from glassformer.exchange.texts import read_lines, read_text

EPSILON = 1e-6
WITHOUT_REMARK = re.compile(
    r"""("[^"]*"|'[^']*'|(?<!\s)\#|[^#])*"""
)  # a line up to a # after a space, outside of quotes
ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "swish": "silu"}
ATTENTION = {"q_layer": "to_queries", "k_layer": "to_keys", "v_layer": "to_values", "output_layer": "fc_out"}
FEED_FORWARD = {"pwff_layer.0": "feed_forward.fc_in", "pwff_layer.3": "feed_forward.fc_out"}
SUBLAYERS = {  # their attention and its norm -> ours
    "encoder": {("src_src_att", "layer_norm"): "self_attention"},
    "decoder": {
        ("trg_trg_att", "x_layer_norm"): "self_attention",
        ("src_trg_att", "dec_layer_norm"): "cross_attention",
    },
}


@dataclass(frozen=True)
class Embeddings:
    """The part `embeddings` of a stack."""

    scale: bool = False


@dataclass(frozen=True)
class Stack:
    """The part `encoder` or `decoder` of config.yaml, by the names it has there."""

    type: str
    num_layers: int
    num_heads: int
    hidden_size: int
    ff_size: int
    layer_norm: str
    dropout: float = 0.0
    alpha: float = 1.0
    activation: str = "relu"
    embeddings: Embeddings = field(default_factory=Embeddings)


@dataclass(frozen=True)
class Symbols:
    """The part `special_symbols`, which may be absent."""

    unk_token: str = "<unk>"
    pad_token: str = "<pad>"
    bos_token: str = "<s>"
    eos_token: str = "</s>"


def read(path: Path, leave: Collection[str] = ()) -> Imported:
    """The model of best.ckpt, or of another file that is the path given: only tensors are read, but for those to leave.

    Raises UserError for another kind of model, for what our model lacks, by its name, and for files that are not whole.
    """
    folder, file = folder_and_file(path, "best.ckpt")
    config = parse_yaml(read_text(folder / "config.yaml"))
    model, data = _section(config, "model"), _section(config, "data")
    encoder, decoder = (_checked(Stack, _section(model, name), f"{folder}: {name}") for name in ("encoder", "decoder"))
    symbols = _checked(Symbols, data.get("special_symbols") or {}, f"{folder}: special_symbols")
    tied = model.get("tied_embeddings") is True
    _refuse(folder, encoder, decoder, tied)
    source = Source(read_tensors(file, "model_state"), str(file), leave)
    vocabularies = Vocabularies(*(_vocabulary(folder / f"{side}_vocab.txt", symbols) for side in ("src", "trg")))
    pre_norm = decoder.layer_norm == "pre"
    weights = with_our_epsilon(_weights(source, encoder, decoder, pre_norm), EPSILON, pre_norm=pre_norm)
    src, trg, out = (
        weights[name] for name in ("encoder.word_embedding.weight", "decoder.word_embedding.weight", "fc_out.weight")
    )
    choices: dict[str, Any] = dict(
        src_vocab_size=len(src), trg_vocab_size=len(trg), src_pad_idx=vocabularies.src.pad_id,
        trg_pad_idx=vocabularies.trg.pad_id, embed_size=encoder.hidden_size, num_layers=encoder.num_layers,
        decoder_layers=decoder.num_layers, heads=encoder.num_heads, decoder_heads=decoder.num_heads,
        forward_expansion=encoder.ff_size / encoder.hidden_size,
        decoder_forward_expansion=decoder.ff_size / encoder.hidden_size, dropout=encoder.dropout,
        max_length=len(weights["encoder.positions.table.weight"]), positions="learned", norm=encoder.layer_norm,
        activation=ACTIVATIONS[encoder.activation], scale_embeddings=encoder.embeddings.scale, final_norms=pre_norm,
        tie_embeddings="none" if not torch.equal(trg, out) else "three-way" if torch.equal(src, out) else "two-way",
    )  # fmt: skip
    vocabularies.check(len(src), len(trg))
    notes = [
        f"Its norms have epsilon {EPSILON} and ours 1e-05: the residual stream is larger here by a constant, so that "
        "the numbers are the same.",
        "Text is pieces between spaces, as its vocabularies list them: cut it with its own tokenizer first.",
    ]
    return Imported(build(choices, weights, source.where), vocabularies, source.finish(), notes)


def parse_yaml(text: str) -> dict[str, Any]:
    """The maps within maps of a config.yaml, and their plain values; what is a list there becomes text.

    Raises UserError for a line that is none of these.
    """
    root: dict[str, Any] = {}
    open_maps = [(-1, root)]
    for line in text.splitlines():
        content = "" if line.lstrip().startswith("#") else WITHOUT_REMARK.match(line)[0].rstrip()  # type: ignore[index]
        if not content.strip() or content.lstrip().startswith(("---", "- ")):
            continue
        name, colon, value = content.strip().partition(":")
        if not colon:
            raise UserError(f"config.yaml: {line.strip()[:60]!r} is no setting. Write one a line, name: value.")
        indent = len(content) - len(content.lstrip())
        while open_maps[-1][0] >= indent:
            open_maps.pop()
        name, value = name.strip("\"' "), value.strip()
        if value:
            open_maps[-1][1][name] = _plain(value)
        else:
            open_maps[-1][1][name] = {}
            open_maps.append((indent, open_maps[-1][1][name]))
    return root


def _plain(value: str) -> Any:
    if value[0] in "\"'" and value[-1] == value[0] and len(value) > 1:
        return value[1:-1]
    known: dict[str, Any] = {
        "true": True,
        "yes": True,
        "on": True,
        "false": False,
        "no": False,
        "off": False,
        "null": None,
        "~": None,
    }
    known["{}"] = {}
    return known.get(value.lower(), value)


def _section(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = config.get(name)
    if not isinstance(section, dict):
        raise UserError(f"config.yaml has no section {name!r}. Is it the folder of a JoeyNMT 2 model?")
    return section


def _checked(kind: Any, values: Any, where: str) -> Any:
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise UserError(f"{where}: {name} does not fit: {first['msg']}. Write it into config.yaml.") from error


def _refuse(folder: Path, encoder: Stack, decoder: Stack, tied: bool) -> None:
    for name, stack in (("encoder", encoder), ("decoder", decoder)):
        choices: dict[str, tuple[Any, ...]] = {
            "type": ("transformer",), "activation": tuple(ACTIVATIONS), "layer_norm": ("pre", "post"), "alpha": (1.0,)
        }  # fmt: skip
        for setting, ours in choices.items():
            if (value := getattr(stack, setting)) not in ours:
                raise UserError(
                    f"{folder}: {name}.{setting}={value!r}, and our model has {', '.join(map(str, ours))}. "
                    "Such a model cannot be read."
                )
        if min(stack.num_layers, stack.hidden_size, stack.ff_size) < 1:
            raise UserError(f"{folder}: {name} has a size below 1. Check config.yaml.")
    scales = encoder.embeddings.scale, encoder.embeddings.scale if tied else decoder.embeddings.scale
    for setting, first, second in (
        ("hidden_size", encoder.hidden_size, decoder.hidden_size),
        ("layer_norm", encoder.layer_norm, decoder.layer_norm),
        ("activation", encoder.activation, decoder.activation),
        ("embeddings.scale", *scales),
    ):
        if first != second:
            raise UserError(
                f"{folder}: {setting} is {first!r} in the encoder and {second!r} in the decoder, and our model has one "
                "for both. Such a model cannot be read."
            )


def _vocabulary(path: Path, symbols: Symbols) -> Vocabulary:
    """Its ids: the special symbols first, then the file's lines that are new."""
    specials = [symbols.unk_token, symbols.pad_token, symbols.bos_token, symbols.eos_token]
    tokens = list(dict.fromkeys([*specials, *read_lines(path)]))
    return Vocabulary.from_tokens(
        tokens, kind="symbols", pad=symbols.pad_token, start=symbols.bos_token, end=symbols.eos_token,
        unknown=symbols.unk_token,
    )  # fmt: skip


def _weights(source: Source, encoder: Stack, decoder: Stack, pre_norm: bool) -> dict[str, Tensor]:
    size = encoder.hidden_size
    weights = {"fc_out.weight": source.take("decoder.output_layer.weight", "fc_out.weight")}
    weights["fc_out.bias"] = weights["fc_out.weight"].new_zeros(len(weights["fc_out.weight"]))
    for stack, side, sizes in (("encoder", "src", encoder), ("decoder", "trg", decoder)):
        table, positions = f"{stack}.word_embedding.weight", f"{stack}.positions.table.weight"
        weights[table] = source.take(f"{side}_embed.lut.weight", table, *source.size(f"{side}_embed.lut.weight", table))
        rows = source.size(f"{stack}.pe.pe", positions, 3)[1]
        weights[positions] = source.take(f"{stack}.pe.pe", positions, 1, rows, size)[0]
        pairs = {"layer_norm": "norm"} if pre_norm else {}
        for number in range(sizes.num_layers):
            place = f"layers.{number}."
            for (attention, norm), ours in SUBLAYERS[stack].items():
                pairs |= {f"{place}{attention}.{part}": f"{place}{ours}.{mine}" for part, mine in ATTENTION.items()}
                pairs[f"{place}{norm}"] = f"{place}{ours}_residual.norm"
            pairs |= {f"{place}feed_forward.{part}": f"{place}{mine}" for part, mine in FEED_FORWARD.items()}
            pairs[f"{place}feed_forward.layer_norm"] = f"{place}feed_forward_residual.norm"
        for theirs, mine in pairs.items():
            for end in ("weight", "bias"):
                name = f"{stack}.{mine}.{end}"
                weights[name] = source.take(f"{stack}.{theirs}.{end}", name)
    return weights
