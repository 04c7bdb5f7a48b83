"""The sizes and choices of one Transformer, checked once, and the presets people ask for by name."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

PositionKind = Literal["learned", "sinusoidal", "none"]
NormPlace = Literal["post", "pre"]
Activation = Literal["relu", "gelu", "silu"]
Tying = Literal["none", "two-way", "three-way"]


class StackSizes(NamedTuple):
    """What may differ between the encoder and the decoder."""

    layers: int
    heads: int
    forward_size: int


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Every choice that shapes a Transformer; the defaults stand in one place, the signature of `Transformer`.

    Raises ValueError, naming the field, its value, the rule and a way out.
    """

    src_vocab_size: int  # entries of the source vocabulary
    trg_vocab_size: int  # entries of the target vocabulary (v)
    src_pad_idx: int  # the source id that fills up short sentences
    trg_pad_idx: int | None  # the same for the target; None: no target padding mask
    embed_size: int  # e, the paper's d_model
    num_layers: int  # N, encoder layers; decoder layers too unless decoder_layers says otherwise
    forward_expansion: float  # f = forward_expansion x embed_size, the paper's d_ff
    heads: int  # h, in the encoder; in the decoder too unless decoder_heads says otherwise
    dropout: float  # P_drop: on each sublayer's output and on embedding + position (section 5.4)
    max_length: int  # the longest sentence, in tokens, on either side
    positions: PositionKind  # how order comes in (section 3.5)
    norm: NormPlace  # post: LayerNorm(x + Sublayer(x)), the paper's; pre: x + Sublayer(LayerNorm(x))
    activation: Activation  # between the two feed-forward layers (section 3.3)
    scale_embeddings: bool  # multiply embeddings by sqrt(embed_size) (section 3.4)
    tie_embeddings: Tying  # two-way: target embedding = output layer; three-way: source embedding as well
    final_norms: bool | None  # a LayerNorm after each stack; None: with pre-norm, which needs one
    decoder_layers: int | None  # None: as num_layers
    decoder_heads: int | None  # None: as heads
    decoder_forward_expansion: float | None  # None: as forward_expansion

    @property
    def encoder(self) -> StackSizes:
        return StackSizes(self.num_layers, self.heads, round(self.forward_expansion * self.embed_size))

    @property
    def decoder(self) -> StackSizes:
        expansion = self.decoder_forward_expansion or self.forward_expansion
        return StackSizes(
            self.num_layers if self.decoder_layers is None else self.decoder_layers,
            self.decoder_heads or self.heads,
            round(expansion * self.embed_size),
        )

    @property
    def has_final_norms(self) -> bool:
        return self.norm == "pre" if self.final_norms is None else self.final_norms

    def __post_init__(self) -> None:
        for field in ("src_vocab_size", "trg_vocab_size", "embed_size", "num_layers", "max_length"):
            at_least_one(field, getattr(self, field))
        if self.decoder_layers is not None:
            at_least_one("decoder_layers", self.decoder_layers)
        check_heads("heads", self.heads, self.embed_size)
        check_heads("decoder_heads", self.decoder.heads, self.embed_size)
        check_expansion("forward_expansion", self.forward_expansion, self.embed_size)
        check_expansion(
            "decoder_forward_expansion",
            self.decoder_forward_expansion or self.forward_expansion,
            self.embed_size,
        )
        check_pad("src_pad_idx", self.src_pad_idx, self.src_vocab_size)
        if self.trg_pad_idx is not None:
            check_pad("trg_pad_idx", self.trg_pad_idx, self.trg_vocab_size)
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout} is not a probability below 1. Try dropout=0.1.")
        for field, kinds in (
            ("positions", PositionKind),
            ("norm", NormPlace),
            ("activation", Activation),
            ("tie_embeddings", Tying),
        ):
            check_choice(field, getattr(self, field), kinds)
        if self.positions == "sinusoidal" and self.embed_size % 2:
            raise ValueError(
                f"embed_size={self.embed_size} is odd: sinusoidal positions come in pairs of sine and cosine. "
                f"Try embed_size={self.embed_size + 1}."
            )
        if self.tie_embeddings == "three-way" and self.src_vocab_size != self.trg_vocab_size:
            raise ValueError(
                f"tie_embeddings='three-way' shares one table, but src_vocab_size={self.src_vocab_size} and "
                f"trg_vocab_size={self.trg_vocab_size} differ. Use one joint vocabulary, or 'two-way'."
            )


def at_least_one(field: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{field}={value} is too small: it must be at least 1.")


def check_heads(field: str, heads: int, embed_size: int) -> None:
    at_least_one(field, heads)
    if embed_size % heads:
        divisors = [n for n in range(1, embed_size + 1) if embed_size % n == 0]
        nearest = min(divisors, key=lambda n: (abs(n - heads), -n))
        raise ValueError(
            f"{field}={heads} does not divide embed_size={embed_size}: each head needs a whole number of "
            f"channels. Try {field}={nearest}."
        )


def check_expansion(field: str, expansion: float, embed_size: int) -> None:
    width = expansion * embed_size
    if width < 1 or abs(width - round(width)) > 1e-6:
        raise ValueError(
            f"{field}={expansion} times embed_size={embed_size} is {width:g}: the feed-forward width must be a "
            f"whole number of channels. Try {field}={max(1, round(expansion))}."
        )


def check_pad(field: str, index: int, vocab_size: int) -> None:
    if not 0 <= index < vocab_size:
        raise ValueError(
            f"{field}={index} is not an id of a vocabulary of {vocab_size}: ids go from 0 to {vocab_size - 1}."
        )


def check_choice(field: str, value: str, kinds: Any) -> None:
    if value not in kinds.__args__:
        raise ValueError(f"{field}={value!r} is not one of {', '.join(map(repr, kinds.__args__))}.")


def origin() -> dict[str, Any]:
    """The sizes of the README this project began from: they are the constructor's defaults, so nothing to change."""
    return {}


def base() -> dict[str, Any]:
    """The paper's base model (Table 3): `Transformer(37000, 37000, 0, 0, **base())`.

    63.1 million parameters with one shared table of 37,000 entries; the paper prints 65 and "about 37000" entries.
    """
    return dict(
        embed_size=512,
        num_layers=6,
        forward_expansion=4,
        heads=8,
        dropout=0.1,
        max_length=1024,
        positions="sinusoidal",
        scale_embeddings=True,
        tie_embeddings="three-way",
    )


def big() -> dict[str, Any]:
    """The paper's big model (Table 3): 214.3 million parameters with 37,000 shared entries; the paper prints 213."""
    return base() | dict(embed_size=1024, heads=16, dropout=0.3)


def tiny() -> dict[str, Any]:
    """A model that learns a small task on a laptop in a minute: 2 + 2 layers of 64 channels."""
    return base() | dict(embed_size=64, num_layers=2, heads=4, tie_embeddings="two-way", max_length=64)
