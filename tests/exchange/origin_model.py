"""The origin's model in our own words: the same parameters by the same names, and the same formulas."""

from typing import Any

import torch
from torch import Tensor, nn

from tests.small import PAD, SRC_VOCAB, TRG_VOCAB


class OriginAttention(nn.Module):
    """`shared`: one projection of head_dim for all heads, as in the origin; else a whole one, as in its forks."""

    def __init__(self, embed_size: int, heads: int, shared: bool, bias: bool, divide_by: int) -> None:
        super().__init__()
        width = embed_size // heads if shared else embed_size
        self.heads, self.shared, self.divisor = heads, shared, divide_by**0.5
        self.values, self.keys, self.queries = (nn.Linear(width, width, bias=bias) for _ in range(3))
        self.fc_out = nn.Linear(embed_size, embed_size)

    def projected(self, linear: nn.Module, x: Tensor) -> Tensor:
        """(n, t, h, d): cut into heads before the shared projection, after the whole one."""
        if self.shared:
            return linear(x.unflatten(2, (self.heads, -1)))
        return linear(x).unflatten(2, (self.heads, -1))

    def forward(self, values: Tensor, keys: Tensor, queries: Tensor, mask: Tensor) -> Tensor:
        queries = self.projected(self.queries, queries)
        energy = torch.einsum("nqhd,nkhd->nhqk", queries, self.projected(self.keys, keys))
        weights = (energy.masked_fill(mask == 0, -1e20) / self.divisor).softmax(-1)
        return self.fc_out(torch.einsum("nhqk,nkhd->nqhd", weights, self.projected(self.values, values)).flatten(2))


class OriginBlock(nn.Module):
    def __init__(self, embed_size: int, expansion: int, **attention: Any) -> None:
        super().__init__()
        self.attention = OriginAttention(embed_size, **attention)
        self.norm1, self.norm2 = nn.LayerNorm(embed_size), nn.LayerNorm(embed_size)
        wide = embed_size * expansion
        self.feed_forward = nn.Sequential(nn.Linear(embed_size, wide), nn.ReLU(), nn.Linear(wide, embed_size))

    def forward(self, values: Tensor, keys: Tensor, queries: Tensor, mask: Tensor) -> Tensor:
        x = self.norm1(self.attention(values, keys, queries, mask) + queries)
        return self.norm2(self.feed_forward(x) + x)


class OriginDecoderBlock(nn.Module):
    def __init__(self, embed_size: int, expansion: int, **attention: Any) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embed_size)
        self.attention = OriginAttention(embed_size, **attention)
        self.transformer_block = OriginBlock(embed_size, expansion, **attention)

    def forward(self, x: Tensor, memory: Tensor, src_mask: Tensor, trg_mask: Tensor) -> Tensor:
        queries = self.norm(self.attention(x, x, x, trg_mask) + x)
        return self.transformer_block(memory, memory, queries, src_mask)


class OriginStack(nn.Module):
    def __init__(self, words: int, embed_size: int, max_length: int, layers: list[nn.Module]) -> None:
        super().__init__()
        self.word_embedding = nn.Embedding(words, embed_size)
        self.position_embedding = nn.Embedding(max_length, embed_size)
        self.layers = nn.ModuleList(layers)

    def forward(self, tokens: Tensor, *more: Tensor) -> Tensor:
        x = self.word_embedding(tokens) + self.position_embedding(torch.arange(tokens.size(1)))
        for layer in self.layers:
            x = layer(x, *more) if isinstance(layer, OriginDecoderBlock) else layer(x, x, x, *more)
        return x


class OriginTransformer(nn.Module):
    def __init__(
        self, src_words: int = SRC_VOCAB, trg_words: int = TRG_VOCAB, pad: int = PAD, embed_size: int = 12,
        layers: int = 2, expansion: int = 4, heads: int = 3, max_length: int = 16,
        shared: bool = True, bias: bool = False, divide_by: int = 12,
    ) -> None:  # fmt: skip
        super().__init__()
        self.pad = pad
        each: dict[str, Any] = dict(
            embed_size=embed_size, expansion=expansion, heads=heads, shared=shared, bias=bias, divide_by=divide_by
        )
        encoder: list[nn.Module] = [OriginBlock(**each) for _ in range(layers)]
        decoder: list[nn.Module] = [OriginDecoderBlock(**each) for _ in range(layers)]
        self.encoder = OriginStack(src_words, embed_size, max_length, encoder)
        self.decoder = OriginStack(trg_words, embed_size, max_length, decoder)
        self.decoder.fc_out = nn.Linear(embed_size, trg_words)

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        src_mask = (src != self.pad)[:, None, None]
        trg_mask = torch.ones(trg.size(1), trg.size(1)).tril()[None, None]
        memory = self.encoder(src, src_mask)
        return self.decoder.fc_out(self.decoder(trg, memory, src_mask, trg_mask))


def origin_model(**sizes: Any) -> OriginTransformer:
    """In float64, its weights moved off their start, sharpened so that attention is not even."""
    model = OriginTransformer(**sizes).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5).add_(torch.randn_like(parameter), alpha=0.3)
    return model.eval()
