"""Wrong models of other people's making, one mistake each, and what the diagnosis must say of it."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from tests.learn.diagnose.right import (
    PAD,
    SRC_VOCAB,
    TRG_VOCAB,
    WIDTH,
    Hand,
    HandAttention,
    HandNorm,
    TorchTransformer,
)


class PaddingInverted(TorchTransformer):
    """Masks for nn.Transformer with True = may attend: the classic."""

    def masks(self, src: Tensor, trg: Tensor) -> dict[str, Tensor]:
        masks = super().masks(src, trg)
        return {name: mask if name == "tgt_mask" else ~mask for name, mask in masks.items()}


class SourcePaddingInverted(TorchTransformer):
    """Only the encoder's padding mask is the wrong way round."""

    def masks(self, src: Tensor, trg: Tensor) -> dict[str, Tensor]:
        masks = super().masks(src, trg)
        return masks | {"src_key_padding_mask": ~masks["src_key_padding_mask"]}


class CausalInverted(TorchTransformer):
    """tril given to a module that reads True as blocked."""

    def masks(self, src: Tensor, trg: Tensor) -> dict[str, Tensor]:
        t = trg.size(1)
        return super().masks(src, trg) | {"tgt_mask": torch.ones(t, t, dtype=torch.bool).tril(-1)}


class NoCausal(TorchTransformer):
    def masks(self, src: Tensor, trg: Tensor) -> dict[str, Tensor]:
        return super().masks(src, trg) | {"tgt_mask": None}


class NoMemoryMask(TorchTransformer):
    """The padding mask reaches the encoder and is forgotten in cross-attention."""

    def masks(self, src: Tensor, trg: Tensor) -> dict[str, Tensor]:
        return super().masks(src, trg) | {"memory_key_padding_mask": None}


class EncoderOverTheBatch(nn.Module):
    """An encoder that reads (length, batch, e), fed with (batch, length, e)."""

    def __init__(self) -> None:
        super().__init__()
        self.src_pad_idx = self.trg_pad_idx = PAD
        self.src_words, self.trg_words = nn.Embedding(SRC_VOCAB, WIDTH), nn.Embedding(TRG_VOCAB, WIDTH)
        self.places = nn.Embedding(30, WIDTH)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(WIDTH, 2, 24), 2)
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(WIDTH, 2, 24, batch_first=True), 2)
        self.out = nn.Linear(WIDTH, TRG_VOCAB)

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        places = torch.arange(30)
        memory = self.encoder(self.src_words(src) + self.places(places[: src.size(1)]))
        hidden = torch.ones(trg.size(1), trg.size(1), dtype=torch.bool).triu(1)
        x = self.trg_words(trg) + self.places(places[: trg.size(1)])
        decoded = self.decoder(x, memory, tgt_mask=hidden, memory_key_padding_mask=src == self.src_pad_idx)
        return self.out(decoded)


class PositionsOfTheBatch(Hand):
    """One position for each sentence instead of one for each word."""

    def positions(self, tokens: Tensor) -> Tensor:
        return waves_of(tokens.size(0)).to(self.fc.weight)[:, None]


def waves_of(rows: int) -> Tensor:
    from tests.learn.diagnose.right import waves

    return waves(rows, WIDTH)


class NoPositions(Hand):
    def positions(self, tokens: Tensor) -> Tensor:
        return torch.zeros(tokens.size(1), WIDTH).to(self.fc.weight)


class CrossWithoutMask(Hand):
    def cross_mask(self, src: Tensor) -> Tensor:
        return torch.ones_like(self.src_mask(src))


class PadOnQueries(Hand):
    """The target's padding mask is (n, 1, t, 1)."""

    def trg_mask(self, trg: Tensor) -> Tensor:
        return (trg != self.trg_pad_idx)[:, None, :, None] & self.look_ahead(trg.size(1), trg.device)


class SourcePadInTarget(Hand):
    """The target is masked with the source's padding id."""

    def trg_mask(self, trg: Tensor) -> Tensor:
        return (trg != self.src_pad_idx)[:, None, None, :] & self.look_ahead(trg.size(1), trg.device)


class HardCodedPad(Hand):
    def src_mask(self, src: Tensor) -> Tensor:
        return (src != 0)[:, None, None, :]


class OneAhead(Hand):
    def look_ahead(self, t: int, device: torch.device) -> Tensor:
        return torch.ones(t, t, dtype=torch.bool, device=device).tril(1)


class DiagonalHidden(Hand):
    def look_ahead(self, t: int, device: torch.device) -> Tensor:
        return torch.ones(t, t, dtype=torch.bool, device=device).tril(-1)


class ViewForTranspose(HandAttention):
    def merge(self, heads_out: Tensor) -> Tensor:
        n, h, q, d = heads_out.shape
        return heads_out.reshape(n, q, h * d)


class SplitByView(HandAttention):
    def split(self, x: Tensor) -> Tensor:
        return x.reshape(x.size(0), self.n_heads, x.size(1), -1)


class RootOfTheModel(HandAttention):
    def scale(self, q: Tensor) -> float:
        return 1 / math.sqrt(WIDTH)


class NoScale(HandAttention):
    def scale(self, q: Tensor) -> float:
        return 1.0


class OverQueries(HandAttention):
    def weights(self, energy: Tensor, mask: Tensor) -> Tensor:
        return energy.masked_fill(mask == 0, -1e9).softmax(dim=-2)


class MaskLate(HandAttention):
    def weights(self, energy: Tensor, mask: Tensor) -> Tensor:
        return energy.softmax(dim=-1) * mask


class SmallFill(HandAttention):
    def weights(self, energy: Tensor, mask: Tensor) -> Tensor:
        return energy.masked_fill(mask == 0, -1e-9).softmax(dim=-1)


class MinusInfinity(HandAttention):
    def weights(self, energy: Tensor, mask: Tensor) -> Tensor:
        return energy.masked_fill(mask == 0, -math.inf).softmax(dim=-1)


class HugeFill(HandAttention):
    def weights(self, energy: Tensor, mask: Tensor) -> Tensor:
        return energy.masked_fill(mask == 0, float("-1e20")).softmax(dim=-1)


class SameProjection(HandAttention):
    """The query's projection is computed and forgotten."""

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.split(query), self.split(self.w_k(memory)), self.split(self.w_v(memory))
        return self.w_o(self.merge(self.weights(q @ k.transpose(-2, -1) * self.scale(q), mask) @ v))


class SharedByHeads(nn.Module):
    """One small projection for all heads, as the origin's."""

    def __init__(self, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        d = WIDTH // heads
        self.queries, self.keys, self.values = (nn.Linear(d, d, bias=False) for _ in range(3))
        self.fc_out = nn.Linear(WIDTH, WIDTH)

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        def cut(x: Tensor, layer: nn.Module) -> Tensor:
            return layer(x.reshape(*x.shape[:2], self.heads, -1))

        q, k, v = cut(query, self.queries), cut(memory, self.keys), cut(memory, self.values)
        energy = torch.einsum("nqhd,nkhd->nhqk", q, k).masked_fill(mask == 0, -1e20)
        attention = torch.softmax(energy / WIDTH**0.5, dim=3)
        return self.fc_out(torch.einsum("nhqk,nkhd->nqhd", attention, v).flatten(2))


class UnbiasedNorm(HandNorm):
    """The standard deviation over e - 1, with eps beside it."""

    def forward(self, x: Tensor) -> Tensor:
        return self.gain * (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + self.eps) + self.bias


class NormOverTime(nn.Module):
    """Normalises over the steps of a sentence."""

    def __init__(self) -> None:
        super().__init__()
        self.gain, self.bias = nn.Parameter(torch.ones(WIDTH)), nn.Parameter(torch.zeros(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return self.gain * (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True) + 1e-5).sqrt() + self.bias


def with_attention(kind: type[nn.Module]) -> Callable[[], nn.Module]:
    return lambda: type("Hand", (Hand,), {"attention": kind})()


def with_norm(kind: type[nn.Module]) -> Callable[[], nn.Module]:
    return lambda: type("Hand", (Hand,), {"norm": kind})()


class Probabilities(Hand):
    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        return super().forward(src, trg).softmax(dim=-1)


class Unused(Hand):
    def __init__(self) -> None:
        super().__init__()
        self.forgotten = nn.Linear(WIDTH, WIDTH)


class Squeezed(Hand):
    """squeeze() without an axis."""

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        return super().forward(src, trg).squeeze()[:, :]


class DropoutAlways(Hand):
    def embed(self, table: nn.Embedding, tokens: Tensor) -> Tensor:
        return nn.functional.dropout(super().embed(table, tokens), 0.3)


class BatchNormed(Hand):
    def __init__(self) -> None:
        super().__init__()
        self.across = nn.BatchNorm1d(WIDTH)

    def embed(self, table: nn.Embedding, tokens: Tensor) -> Tensor:
        return self.across(super().embed(table, tokens).transpose(1, 2)).transpose(1, 2)


class SourceForgotten(Hand):
    """Cross-attention reads the target."""

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        x = self.embed(self.trg_embedding, trg)
        for block in self.decoder:
            x = block(x, self.trg_mask(trg), x, self.trg_mask(trg))
        return self.fc(x)


class TiedAtOne(Hand):
    """nn.Embedding's N(0, 1) as output layer."""

    def __init__(self) -> None:
        super().__init__()
        self.fc.weight = self.trg_embedding.weight


class Overflowing(Hand):
    """A learned table of positions whose end nobody tells."""

    def __init__(self) -> None:
        super().__init__(learned=True)
        del self.max_length


class TargetMaskOnSource(Hand):
    """The source is masked by the target's mask in cross-attention: it runs only where the lengths agree."""

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        self.trg_now = trg
        return super().forward(src, trg)

    def cross_mask(self, src: Tensor) -> Tensor:
        return self.trg_mask(self.trg_now)


class NoHistory(Hand):
    """Each target position sees itself only."""

    def look_ahead(self, t: int, device: torch.device) -> Tensor:
        return torch.eye(t, dtype=torch.bool, device=device)


class OwnDecoding(Hand):
    """encode and decode beside forward; decode forgets the factor sqrt(e)."""

    def encode(self, src: Tensor) -> Tensor:
        memory = self.embed(self.src_embedding, src)
        for block in self.encoder:
            memory = block(memory, self.src_mask(src))
        return memory

    def decode(self, trg: Tensor, memory: Tensor, src_mask: Tensor) -> Tensor:
        x = self.trg_embedding(trg) + self.positions(trg)
        for block in self.decoder:
            x = block(x, self.trg_mask(trg), memory, src_mask)
        return self.fc(x)

    make_src_mask = Hand.src_mask


FOREIGN: dict[str, tuple[Callable[[], nn.Module], set[str]]] = {
    "padding inverted in nn.Transformer": (PaddingInverted, {"mask-polarity"}),
    "the encoder's padding inverted": (SourcePaddingInverted, {"mask-polarity"}),
    "look-ahead inverted in nn.Transformer": (CausalInverted, {"future-leak"}),
    "no look-ahead in nn.Transformer": (NoCausal, {"future-leak"}),
    "no mask for the memory": (NoMemoryMask, {"padding-leak-source"}),
    "encoder over the batch": (EncoderOverTheBatch, {"batch-mixes"}),
    "positions of the batch": (PositionsOfTheBatch, {"positions-ignored", "company-changes-answers"}),
    "no positions": (NoPositions, {"positions-ignored"}),
    "cross-attention without mask": (CrossWithoutMask, {"padding-leak-source"}),
    "padding on the query axis": (PadOnQueries, {"pad-mask-on-query-axis"}),
    "the source's padding id in the target": (SourcePadInTarget, {"wrong-pad-id"}),
    "padding id written as 0": (HardCodedPad, {"wrong-pad-id"}),
    "one step ahead": (OneAhead, {"future-leak"}),
    "diagonal hidden": (DiagonalHidden, {"diagonal-hidden"}),
    "merged by view": (with_attention(ViewForTranspose), {"heads-merged-wrong"}),
    "split by view": (with_attention(SplitByView), {"heads-split-wrong"}),
    "divided by sqrt(d_model)": (with_attention(RootOfTheModel), {"wrong-scale"}),
    "not scaled": (with_attention(NoScale), {"wrong-scale"}),
    "softmax over queries": (with_attention(OverQueries), {"softmax-axis"}),
    "mask after softmax": (with_attention(MaskLate), {"mask-after-softmax"}),
    "fill near 0": (with_attention(SmallFill), {"mask-fill-too-small"}),
    "fill of minus infinity": (with_attention(MinusInfinity), {"empty-row-nan"}),
    "fill of -1e20": (with_attention(HugeFill), {"half-overflow"}),
    "projection of the queries skipped": (with_attention(SameProjection), {"parameters-without-gradient"}),
    "one projection for all heads": (with_attention(SharedByHeads), {"heads-share-projection", "wrong-scale"}),
    "unbiased norm": (with_norm(UnbiasedNorm), {"layer-norm-formula"}),
    "norm over time": (with_norm(NormOverTime), {"future-leak"}),
    "probabilities": (Probabilities, {"softmax-in-model"}),
    "an unused layer": (Unused, {"parameters-without-gradient"}),
    "squeezed": (Squeezed, {"batch-of-one"}),
    "dropout always": (DropoutAlways, {"random-in-eval"}),
    "batch norm": (BatchNormed, {"modes-differ"}),
    "cross-attention reads the target": (SourceForgotten, {"source-ignored"}),
    "tied at one": (TiedAtOne, {"first-loss"}),
    "table of positions too short": (Overflowing, {"length-error"}),
    "the target's mask in cross-attention": (TargetMaskOnSource, {"source-mask-in-cross-attention"}),
    "no history": (NoHistory, {"history-unseen"}),
    "decode without the factor": (OwnDecoding, {"decoding-differs"}),
}
