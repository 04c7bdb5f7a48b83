"""Right models of other people's making: the diagnosis must find nothing in them."""

import math
from typing import Any

import torch
from torch import Tensor, nn

PAD, SRC_VOCAB, TRG_VOCAB, WIDTH = 0, 17, 15, 16


def waves(length: int, width: int) -> Tensor:
    angle = torch.arange(length)[:, None] / 10000 ** (torch.arange(0, width, 2) / width)
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)


class TorchTransformer(nn.Module):
    """`torch.nn.Transformer` used rightly: embeddings, positions, and its three padding masks, True = blocked."""

    def __init__(self, batch_first: bool = True, norm_first: bool = False, **sizes: Any) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.src_pad_idx = self.trg_pad_idx = PAD
        self.src_words = nn.Embedding(SRC_VOCAB, WIDTH, padding_idx=PAD)
        self.trg_words = nn.Embedding(TRG_VOCAB, WIDTH, padding_idx=PAD)
        self.register_buffer("waves", waves(40, WIDTH))
        self.body = nn.Transformer(
            WIDTH,
            nhead=2,
            num_encoder_layers=2,
            num_decoder_layers=2,
            dim_feedforward=24,
            batch_first=batch_first,
            norm_first=norm_first,
            **sizes,
        )
        self.out = nn.Linear(WIDTH, TRG_VOCAB)

    def embed(self, table: nn.Embedding, tokens: Tensor) -> Tensor:
        words = table(tokens) * math.sqrt(WIDTH)
        if self.batch_first:
            return words + self.waves[: tokens.size(1)]
        return words + self.waves[: tokens.size(0), None]

    def masks(self, src: Tensor, trg: Tensor) -> dict[str, Tensor]:
        length = trg.size(1 if self.batch_first else 0)
        src_pads, trg_pads = (src == self.src_pad_idx), (trg == self.trg_pad_idx)
        if not self.batch_first:
            src_pads, trg_pads = src_pads.T, trg_pads.T
        return {
            "tgt_mask": torch.ones(length, length, dtype=torch.bool, device=trg.device).triu(1),
            "src_key_padding_mask": src_pads,
            "tgt_key_padding_mask": trg_pads,
            "memory_key_padding_mask": src_pads,
        }

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        source, target = self.embed(self.src_words, src), self.embed(self.trg_words, trg)
        return self.out(self.body(source, target, **self.masks(src, trg)))


class MasksFromOutside(TorchTransformer):
    """The same, with nn.Transformer's masks as arguments of its own."""

    def forward(  # type: ignore[override]
        self,
        src: Tensor,
        tgt: Tensor,
        tgt_mask: Tensor,
        src_key_padding_mask: Tensor,
        tgt_key_padding_mask: Tensor,
        memory_key_padding_mask: Tensor,
    ) -> Tensor:
        decoded = self.body(
            self.embed(self.src_words, src),
            self.embed(self.trg_words, tgt),
            tgt_mask=tgt_mask,
            src_key_padding_mask=src_key_padding_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
        )
        return self.out(decoded)


def bare(batch_first: bool = True, norm_first: bool = False) -> nn.Transformer:
    return nn.Transformer(
        WIDTH, 2, 2, 2, dim_feedforward=24, batch_first=batch_first, norm_first=norm_first, dropout=0.1
    )


def marian(**choices: Any) -> nn.Module:
    """Hugging Face's Marian with random weights: start = padding, scaled embeddings, tied tables."""
    from transformers import MarianConfig, MarianMTModel

    sizes: dict[str, Any] = dict(
        vocab_size=29,
        d_model=16,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=4,
        encoder_ffn_dim=24,
        decoder_ffn_dim=20,
        max_position_embeddings=32,
        pad_token_id=28,
        eos_token_id=0,
        bos_token_id=None,
        decoder_start_token_id=28,
        forced_eos_token_id=0,
        scale_embedding=True,
    )
    return MarianMTModel(MarianConfig(**(sizes | choices)))


class HandAttention(nn.Module):
    """Attention as many write it: w_q, w_k, w_v, w_o, (n, h, q, d), a mask in which True = may attend."""

    def __init__(self, width: int = WIDTH, heads: int = 4) -> None:
        super().__init__()
        self.n_heads = heads
        self.w_q, self.w_k, self.w_v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.w_o = nn.Linear(width, width)

    def split(self, x: Tensor) -> Tensor:
        return x.view(x.size(0), x.size(1), self.n_heads, -1).transpose(1, 2)

    def merge(self, heads_out: Tensor) -> Tensor:
        n, h, q, d = heads_out.shape
        return heads_out.transpose(1, 2).reshape(n, q, h * d)

    def weights(self, energy: Tensor, mask: Tensor) -> Tensor:
        return energy.masked_fill(mask == 0, torch.finfo(energy.dtype).min).softmax(dim=-1)

    def scale(self, q: Tensor) -> float:
        return 1 / math.sqrt(q.size(-1))

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.split(self.w_q(query)), self.split(self.w_k(memory)), self.split(self.w_v(memory))
        energy = q @ k.transpose(-2, -1) * self.scale(q)
        return self.w_o(self.merge(self.weights(energy, mask) @ v))


class HandNorm(nn.Module):
    """LayerNorm by hand."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.eps = 1e-5

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(dim=-1, keepdim=True)
        return self.gain * centred / (centred.square().mean(dim=-1, keepdim=True) + self.eps).sqrt() + self.bias


class HandBlock(nn.Module):
    def __init__(self, attention: type[nn.Module], norm: type[nn.Module], crosses: bool) -> None:
        super().__init__()
        self.attention = attention()
        self.cross = attention() if crosses else None
        self.feed = nn.Sequential(nn.Linear(WIDTH, 24), nn.ReLU(), nn.Dropout(0.1), nn.Linear(24, WIDTH))
        self.norms = nn.ModuleList(norm() for _ in range(3 if crosses else 2))
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor, mask: Tensor, memory: Tensor | None = None, seen: Tensor | None = None) -> Tensor:
        x = self.norms[0](x + self.dropout(self.attention(x, x, mask)))
        if self.cross is not None:
            x = self.norms[1](x + self.dropout(self.cross(x, memory, seen)))
        return self.norms[-1](x + self.dropout(self.feed(x)))


class Hand(nn.Module):
    """A whole encoder-decoder by hand: post-norm, sinusoids or a learned table, its own masks, two padding ids."""

    attention: type[nn.Module] = HandAttention
    norm: type[nn.Module] = HandNorm

    def __init__(self, learned: bool = False) -> None:
        super().__init__()
        self.src_pad_idx, self.trg_pad_idx = 1, 2
        self.max_length = 20
        self.src_embedding, self.trg_embedding = nn.Embedding(SRC_VOCAB, WIDTH), nn.Embedding(TRG_VOCAB, WIDTH)
        self.table = nn.Embedding(self.max_length, WIDTH) if learned else None
        self.encoder = nn.ModuleList(HandBlock(self.attention, self.norm, crosses=False) for _ in range(2))
        self.decoder = nn.ModuleList(HandBlock(self.attention, self.norm, crosses=True) for _ in range(2))
        self.fc = nn.Linear(WIDTH, TRG_VOCAB)

    def positions(self, tokens: Tensor) -> Tensor:
        if self.table is not None:
            return self.table(torch.arange(tokens.size(1), device=tokens.device))
        return waves(tokens.size(1), WIDTH).to(self.fc.weight)

    def embed(self, table: nn.Embedding, tokens: Tensor) -> Tensor:
        return table(tokens) * math.sqrt(WIDTH) + self.positions(tokens)

    def src_mask(self, src: Tensor) -> Tensor:
        return (src != self.src_pad_idx)[:, None, None, :]

    def look_ahead(self, t: int, device: torch.device) -> Tensor:
        return torch.ones(t, t, dtype=torch.bool, device=device).tril()

    def trg_mask(self, trg: Tensor) -> Tensor:
        words = (trg != self.trg_pad_idx)[:, None, None, :]
        return words & self.look_ahead(trg.size(1), trg.device)

    def cross_mask(self, src: Tensor) -> Tensor:
        return self.src_mask(src)

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        memory = self.embed(self.src_embedding, src)
        for block in self.encoder:
            memory = block(memory, self.src_mask(src))
        x = self.embed(self.trg_embedding, trg)
        for block in self.decoder:
            x = block(x, self.trg_mask(trg), memory, self.cross_mask(src))
        return self.fc(x)


class Answering(Hand):
    """Answers (scores, attention), as some tutorials do."""

    def forward(self, src: Tensor, trg: Tensor) -> Any:  # type: ignore[override]
        return super().forward(src, trg), torch.zeros(src.size(0), 4, trg.size(1), src.size(1))


class Flattened(Hand):
    """Answers (n * t, v), ready for the loss."""

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        return super().forward(src, trg).flatten(0, 1)


class LogProbabilities(Hand):
    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        return super().forward(src, trg).log_softmax(dim=-1)


class Shifting(Hand):
    """Drops the last target token by itself."""

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        return super().forward(src, trg[:, :-1])


class TargetFirst(Hand):
    def forward(self, trg: Tensor, src: Tensor) -> Tensor:
        return super().forward(src, trg)


class LengthFirst(Hand):
    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        return super().forward(src.T, trg.T).transpose(0, 1)


class OptionalMasks(Hand):
    """Makes its masks unless it is given them."""

    def forward(
        self, src: Tensor, trg: Tensor, src_mask: Tensor | None = None, trg_mask: Tensor | None = None
    ) -> Tensor:
        return super().forward(src, trg)


class MasksRequired(Hand):
    """Leaves the look-ahead mask to its caller: only an Adapter can tell how."""

    def trg_mask(self, trg: Tensor) -> Tensor:
        return self.given

    def forward(self, src: Tensor, trg: Tensor, trg_mask: Tensor | None = None) -> Tensor:
        everyone = torch.ones(1, 1, trg.size(1), trg.size(1), dtype=torch.bool)
        self.given = everyone if trg_mask is None else trg_mask
        return super().forward(src, trg)


class Rotary(HandAttention):
    """Order by turning queries and keys, in self-attention only; the rest as before."""

    def turn(self, x: Tensor) -> Tensor:
        d = x.size(-1)
        angle = torch.arange(x.size(2)).to(x)[:, None] / 100 ** (torch.arange(0, d, 2).to(x) / d)
        one, two = x[..., 0::2], x[..., 1::2]
        turned = torch.stack([one * angle.cos() - two * angle.sin(), one * angle.sin() + two * angle.cos()], dim=-1)
        return turned.flatten(-2)

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.split(self.w_q(query)), self.split(self.w_k(memory)), self.split(self.w_v(memory))
        if query is memory:
            q, k = self.turn(q), self.turn(k)
        return self.w_o(self.merge(self.weights(q @ k.transpose(-2, -1) * self.scale(q), mask) @ v))


class RootMeanSquare(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return self.gain * x / (x.square().mean(dim=-1, keepdim=True) + 1e-6).sqrt()


class Modern(Hand):
    """Rotary positions instead of absolute ones, root-mean-square norms."""

    attention = Rotary
    norm = RootMeanSquare

    def positions(self, tokens: Tensor) -> Tensor:
        return torch.zeros(tokens.size(1), WIDTH).to(self.fc.weight)


class ScaledByTensor(HandAttention):
    """The root as a float32 tensor that is no buffer; channels dealt to heads in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.root = torch.sqrt(torch.FloatTensor([WIDTH // 4]))

    def split(self, x: Tensor) -> Tensor:
        return x.view(x.size(0), x.size(1), -1, self.n_heads).permute(0, 3, 1, 2)

    def merge(self, heads_out: Tensor) -> Tensor:
        return heads_out.permute(0, 2, 3, 1).flatten(2)

    def scale(self, q: Tensor) -> Any:
        return 1 / self.root


class Interleaved(Hand):
    attention = ScaledByTensor


class SingleOnly(Hand):
    """A float32 written into the forward: double precision is not possible."""

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        scores = super().forward(src, trg)
        return torch.matmul(scores, torch.eye(TRG_VOCAB, dtype=torch.float32))


class ZeroBranches(Hand):
    """Each branch begins at 0 times what it computes."""

    def __init__(self) -> None:
        super().__init__()
        for block in [*self.encoder, *self.decoder]:
            nn.init.zeros_(block.attention.w_o.weight)
            nn.init.zeros_(block.feed[3].weight)


RIGHT: dict[str, Any] = {
    "by hand": Hand,
    "by hand, learned positions": lambda: Hand(learned=True),
    "answers a tuple": Answering,
    "answers flat": Flattened,
    "answers log-probabilities": LogProbabilities,
    "shifts by itself": Shifting,
    "target first": TargetFirst,
    "length first": LengthFirst,
    "optional masks": OptionalMasks,
    "rotary, root-mean-square": Modern,
    "heads interleaved": Interleaved,
    "single precision only": SingleOnly,
    "branches begin at zero": ZeroBranches,
}
RIGHT |= {
    f"{kind.__name__}, {'batch' if batch_first else 'length'} first, {'pre' if norm_first else 'post'}-norm": (
        lambda kind=kind, batch_first=batch_first, norm_first=norm_first: kind(batch_first, norm_first)
    )
    for kind in (TorchTransformer, MasksFromOutside, bare)
    for batch_first in (True, False)
    for norm_first in (True, False)
}
