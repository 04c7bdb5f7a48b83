"""Every choice of a config in words and formulas, and those in which two configs differ."""

from dataclasses import dataclass
from typing import Any

from glassformer.model.config import TransformerConfig

MEANINGS = {  # field -> what it decides
    "src_vocab_size": "entries of the source vocabulary: rows of the source table",
    "trg_vocab_size": "entries of the target vocabulary, v: rows of the target table and of the output layer",
    "src_pad_idx": "the source id that no query attends to",
    "trg_pad_idx": "the target id that no query attends to, nor the loss counts",
    "embed_size": "e, channels of the stream; parameters of a layer grow with its square",
    "num_layers": "N, layers of the encoder",
    "decoder_layers": "layers of the decoder",
    "forward_expansion": "f / e: the feed-forward layer of the encoder has f = this x e channels",
    "decoder_forward_expansion": "the same in the decoder",
    "heads": "h, in the encoder: each has e / h channels, and scores are divided by sqrt(e / h)",
    "decoder_heads": "the same in the decoder",
    "dropout": "share of numbers set to 0 in training, the rest x 1 / (1 - p); answers do not change",
    "max_length": "the longest sentence; rows of the tables of positions where they are learned",
    "positions": "how order comes in",
    "norm": "where LayerNorm stands",
    "activation": "between the two feed-forward layers",
    "scale_embeddings": "what is added to positions",
    "tie_embeddings": "which tables are one",
    "final_norms": "what stands after the last layer of each stack",
}
FORMULAS: dict[str, dict[Any, str]] = {  # field -> value -> formula
    "positions": {
        "learned": "x + P[pos], P (max_length, e)",
        "sinusoidal": "x + sin or cos(pos / 10000^(2i/e))",
        "none": "x",
    },
    "norm": {"post": "LayerNorm(x + Sublayer(x))", "pre": "x + Sublayer(LayerNorm(x))"},
    "activation": {"relu": "max(0, x)", "gelu": "x Phi(x)", "silu": "x / (1 + exp(-x))"},
    "scale_embeddings": {True: "E[token] sqrt(e)", False: "E[token]"},
    "tie_embeddings": {
        "none": "three tables",
        "two-way": "target embedding = output layer",
        "three-way": "source = target embedding = output layer",
    },
    "final_norms": {True: "LayerNorm(x)", False: "x"},
    "trg_pad_idx": {None: "none: look-ahead alone hides padding on the right"},
}


@dataclass(frozen=True)
class Choice:
    """A field in which two sides differ."""

    field: str
    meaning: str
    a: Any
    b: Any
    a_formula: str  # "": the value says it
    b_formula: str


def differing(a: TransformerConfig, b: TransformerConfig) -> list[Choice]:
    """The fields of which the effective values differ: what None stands for is filled in."""
    one, two = effective(a), effective(b)
    return [
        Choice(name, MEANINGS[name], one[name], two[name], formula(name, one[name]), formula(name, two[name]))
        for name in MEANINGS
        if one[name] != two[name]
    ]


def effective(config: TransformerConfig) -> dict[str, Any]:
    """Every field's value, with None replaced by what it stands for."""
    decoder = config.decoder
    filled = dict(
        decoder_layers=decoder.layers,
        decoder_heads=decoder.heads,
        decoder_forward_expansion=decoder.forward_size / config.embed_size,
        final_norms=config.has_final_norms,
    )
    return {name: filled.get(name, getattr(config, name)) for name in MEANINGS}


def formula(field: str, value: Any) -> str:
    return FORMULAS.get(field, {}).get(value, "")
