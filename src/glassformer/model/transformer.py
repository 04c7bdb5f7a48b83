"""The whole model (figure 1): source -> encoder -> memory -> decoder, which also reads the target -> logits."""

import math
from dataclasses import fields
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from glassformer.model.blocks import NO_CACHE, DecoderBlock, EncoderBlock
from glassformer.model.cache import Cache
from glassformer.model.config import Activation, NormPlace, PositionKind, TransformerConfig, Tying
from glassformer.model.masks import padding_mask, target_mask
from glassformer.model.positions import POSITIONS, LearnedPositions


class Encoder(nn.Module):
    """Word embedding + position, then N blocks (section 3.1, left)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        layers, heads, forward_size = config.encoder
        self.scale = math.sqrt(config.embed_size) if config.scale_embeddings else 1.0
        self.word_embedding = nn.Embedding(config.src_vocab_size, config.embed_size)
        self.positions = POSITIONS[config.positions](config.max_length, config.embed_size)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(
            EncoderBlock(config.embed_size, heads, forward_size, config.dropout, config.norm, config.activation)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(config.embed_size) if config.has_final_norms else nn.Identity()

    def forward(self, src: Int[Tensor, "n s"], src_mask: Bool[Tensor, "n 1 1 s"]) -> Float[Tensor, "n s e"]:
        embedded = self.word_embedding(src) * self.scale
        positioned = self.positions(embedded, 0)
        stream = self.dropout(positioned)
        for layer in self.layers:
            stream = layer(stream, src_mask)
        memory = self.norm(stream)
        return memory


class Decoder(nn.Module):
    """Word embedding + position, then N blocks that also look at the encoder's memory (section 3.1, right)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        layers, heads, forward_size = config.decoder
        self.scale = math.sqrt(config.embed_size) if config.scale_embeddings else 1.0
        self.word_embedding = nn.Embedding(config.trg_vocab_size, config.embed_size)
        self.positions = POSITIONS[config.positions](config.max_length, config.embed_size)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(
            DecoderBlock(config.embed_size, heads, forward_size, config.dropout, config.norm, config.activation)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(config.embed_size) if config.has_final_norms else nn.Identity()

    def forward(
        self,
        trg: Int[Tensor, "n t"],
        memory: Float[Tensor, "n s e"],
        trg_mask: Bool[Tensor, "n 1 t k"],
        src_mask: Bool[Tensor, "n 1 1 s"],
        cache: Cache | None = None,
    ) -> Float[Tensor, "n t e"]:
        layer_caches = cache.layers if cache else [NO_CACHE] * len(self.layers)
        embedded = self.word_embedding(trg) * self.scale
        positioned = self.positions(embedded, trg_mask.size(3) - trg.size(1))
        stream = self.dropout(positioned)
        for layer, layer_cache in zip(self.layers, layer_caches, strict=True):
            stream = layer(stream, memory, trg_mask, src_mask, layer_cache)
        decoded = self.norm(stream)
        return decoded


class Transformer(nn.Module):
    """The encoder-decoder Transformer of "Attention Is All You Need" (Vaswani et al. 2017).

    Differs from the paper where the defaults are the origin's: learned positions, no dropout, untied and unscaled
    embeddings. `**base()` is the paper's, but for the biases of attention's projections and what the paper leaves open
    (docs/differences.md). Each argument's meaning stands in `TransformerConfig`.
    """

    def __init__(
        self,
        src_vocab_size: int,
        trg_vocab_size: int,
        src_pad_idx: int,
        trg_pad_idx: int | None,
        embed_size: int = 512,
        num_layers: int = 6,
        forward_expansion: float = 4,
        heads: int = 8,
        dropout: float = 0,
        device: str | torch.device = "cpu",
        max_length: int = 100,
        *,
        positions: PositionKind = "learned",
        norm: NormPlace = "post",
        activation: Activation = "relu",
        scale_embeddings: bool = False,
        tie_embeddings: Tying = "none",
        final_norms: bool | None = None,
        decoder_layers: int | None = None,
        decoder_heads: int | None = None,
        decoder_forward_expansion: float | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        given = locals()
        super().__init__()
        self.config = TransformerConfig(**{field.name: given[field.name] for field in fields(TransformerConfig)})
        self.encoder = Encoder(self.config)
        self.decoder = Decoder(self.config)
        self.fc_out = nn.Linear(embed_size, trg_vocab_size)
        if tie_embeddings != "none":
            self.decoder.word_embedding.weight = self.fc_out.weight
        if tie_embeddings == "three-way":
            self.encoder.word_embedding.weight = self.fc_out.weight
        initialise(self)
        self.to(device=device, dtype=dtype)

    @classmethod
    def from_config(cls, config: TransformerConfig, **placement: Any) -> "Transformer":
        """The model that `config` describes; `placement` is device and dtype."""
        return cls(**{field.name: getattr(config, field.name) for field in fields(config)}, **placement)

    @property
    def device(self) -> torch.device:
        """Where the weights are now: it follows `.to()`."""
        return self.fc_out.weight.device

    def make_src_mask(self, src: Int[Tensor, "n s"]) -> Bool[Tensor, "n 1 1 s"]:
        src_mask = padding_mask(src, self.config.src_pad_idx)
        return src_mask

    def make_trg_mask(self, trg: Int[Tensor, "n t"]) -> Bool[Tensor, "n 1 t t"]:
        trg_mask = target_mask(trg, self.config.trg_pad_idx, query_len=trg.size(1))
        return trg_mask

    def encode(self, src: Int[Tensor, "n s"]) -> Float[Tensor, "n s e"]:
        """Read the source once; raises ValueError where a sentence is longer than max_length."""
        check_length("src", src, self.config.src_pad_idx, self.config.max_length)
        src_mask = self.make_src_mask(src)
        memory = self.encoder(src, src_mask)
        return memory

    def decode(
        self,
        trg: Int[Tensor, "n t"],
        memory: Float[Tensor, "n s e"],
        src_mask: Bool[Tensor, "n 1 1 s"],
        cache: Cache | None = None,
    ) -> Float[Tensor, "n t e"]:
        """Everything but the last linear layer. With a cache, `trg` holds the new tokens only."""
        prefix = cache.extend(trg) if cache else trg
        check_length("trg", prefix, self.config.trg_pad_idx, self.config.max_length)
        trg_mask = target_mask(prefix, self.config.trg_pad_idx, query_len=trg.size(1))
        decoded = self.decoder(trg, memory, trg_mask, src_mask, cache)
        return decoded

    def forward(self, src: Int[Tensor, "n s"], trg: Int[Tensor, "n t"]) -> Float[Tensor, "n t v"]:
        """Logits for the token after each target position: call it as `model(src, trg[:, :-1])`."""
        memory = self.encode(src)
        src_mask = self.make_src_mask(src)
        decoded = self.decode(trg, memory, src_mask)
        logits = self.fc_out(decoded)
        return logits


def check_length(side: str, tokens: Int[Tensor, "n t"], pad_idx: int | None, max_length: int) -> None:
    """Raises ValueError naming the longest sentence where the batch is wider than max_length."""
    if tokens.size(1) > max_length:
        words = torch.ones_like(tokens) if pad_idx is None else (tokens != pad_idx).long()
        lengths = (words * torch.arange(1, tokens.size(1) + 1, device=tokens.device)).amax(dim=1)
        raise ValueError(
            f"{side} sentence {int(lengths.argmax())} of the batch has {int(lengths.max())} tokens in "
            f"{tokens.size(1)} columns, but max_length={max_length}. Shorten or drop it, or build the model with "
            f"max_length={tokens.size(1)}."
        )


@torch.no_grad()
def initialise(model: Transformer) -> None:
    """Where every parameter starts. The first loss is then near ln(v): the model knows nothing and claims nothing.

    Linear layers: Xavier uniform, biases 0. The output layer N(0, 0.02^2), because it reads normed vectors of
    length sqrt(e): larger weights would make confident wrong guesses. Word tables enter the stack with variance 1,
    but a tied table is the output layer too and so starts at 0.02 (1 / sqrt(e), usual elsewhere, starts with a higher
    loss: docs/differences.md). Learned positions start as large as the words they are added to.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    for stack, tied in ((model.encoder, ("three-way",)), (model.decoder, ("two-way", "three-way"))):
        entering = 0.02 * stack.scale if model.config.tie_embeddings in tied else 1.0
        nn.init.normal_(stack.word_embedding.weight, std=entering / stack.scale)
        if isinstance(stack.positions, LearnedPositions):
            nn.init.normal_(stack.positions.table.weight, std=entering)
    nn.init.normal_(model.fc_out.weight, std=0.02)
