"""The layers of the figure: feed-forward, add & norm, and the two blocks made of them (sections 3.1 and 3.3)."""

from collections.abc import Callable

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from glassformer.model.attention import MultiHeadAttention
from glassformer.model.cache import LayerCache

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu, "silu": F.silu}
NO_CACHE = LayerCache(None, None)

Sublayer = Callable[[Tensor], Tensor]


class FeedForward(nn.Module):
    """max(0, x W_1 + b_1) W_2 + b_2, the same for each position (equation 2; f is the paper's d_ff)."""

    def __init__(self, embed_size: int, forward_size: int, activation: str) -> None:
        super().__init__()
        self.fc_in = nn.Linear(embed_size, forward_size)
        self.activation = ACTIVATIONS[activation]
        self.fc_out = nn.Linear(forward_size, embed_size)

    def forward(self, x: Float[Tensor, "n t e"]) -> Float[Tensor, "n t e"]:
        hidden = self.activation(self.fc_in(x))
        out = self.fc_out(hidden)
        return out


class PostNorm(nn.Module):
    """Add & norm as in the paper: LayerNorm(x + Sublayer(x)); dropout on the sublayer's output (section 5.4).

    The origin dropped out after the norm.
    """

    def __init__(self, embed_size: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embed_size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "n t e"], sublayer: Sublayer) -> Float[Tensor, "n t e"]:
        branch = self.dropout(sublayer(x))
        residual_sum = x + branch
        out = self.norm(residual_sum)
        return out


class PreNorm(nn.Module):
    """Norm & add: x + Sublayer(LayerNorm(x)). Trains without warm-up; needs a final norm after the stack."""

    def __init__(self, embed_size: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embed_size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "n t e"], sublayer: Sublayer) -> Float[Tensor, "n t e"]:
        normed = self.norm(x)
        branch = self.dropout(sublayer(normed))
        residual_sum = x + branch
        return residual_sum


RESIDUALS = {"post": PostNorm, "pre": PreNorm}


class EncoderBlock(nn.Module):
    """The left box of figure 1: self-attention, then feed-forward, each with its residual."""

    def __init__(
        self, embed_size: int, heads: int, forward_size: int, dropout: float, norm: str, activation: str
    ) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(embed_size, heads)
        self.feed_forward = FeedForward(embed_size, forward_size, activation)
        self.self_attention_residual = RESIDUALS[norm](embed_size, dropout)
        self.feed_forward_residual = RESIDUALS[norm](embed_size, dropout)

    def forward(self, x: Float[Tensor, "n s e"], src_mask: Bool[Tensor, "n 1 1 s"]) -> Float[Tensor, "n s e"]:
        attended = self.self_attention_residual(x, lambda y: self.self_attention(y, y, y, src_mask))
        out = self.feed_forward_residual(attended, self.feed_forward)
        return out


class DecoderBlock(nn.Module):
    """The right box of figure 1: self-attention, cross-attention to the encoder's memory, feed-forward."""

    def __init__(
        self, embed_size: int, heads: int, forward_size: int, dropout: float, norm: str, activation: str
    ) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(embed_size, heads)
        self.cross_attention = MultiHeadAttention(embed_size, heads)
        self.feed_forward = FeedForward(embed_size, forward_size, activation)
        self.self_attention_residual = RESIDUALS[norm](embed_size, dropout)
        self.cross_attention_residual = RESIDUALS[norm](embed_size, dropout)
        self.feed_forward_residual = RESIDUALS[norm](embed_size, dropout)

    def forward(
        self,
        x: Float[Tensor, "n t e"],
        memory: Float[Tensor, "n s e"],
        trg_mask: Bool[Tensor, "n 1 t k"],
        src_mask: Bool[Tensor, "n 1 1 s"],
        cache: LayerCache = NO_CACHE,
    ) -> Float[Tensor, "n t e"]:
        attended = self.self_attention_residual(
            x, lambda y: self.self_attention(y, y, y, trg_mask, cache.self_attention)
        )
        informed = self.cross_attention_residual(
            attended, lambda y: self.cross_attention(y, memory, memory, src_mask, cache.cross_attention)
        )
        out = self.feed_forward_residual(informed, self.feed_forward)
        return out
