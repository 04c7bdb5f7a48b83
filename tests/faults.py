"""Classic mistakes, planted from outside into a right model: the proofs must catch each of them.

A fault is a function of (model, monkeypatch): it replaces an attention, a mask or a method, never a line of ring 0.
Most of them leave the training loss as good as before, which is why properties and formulas are tested instead.
"""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, einsum

from glassformer.model import cache, masks, positions, transformer
from glassformer.model.attention import MultiHeadAttention, lowest
from glassformer.model.fused import use_attention
from glassformer.model.transformer import Transformer

Fault = Callable[[Transformer, pytest.MonkeyPatch], None]


def wrong_attention(
    *,
    scale: str = "right",
    softmax_dim: int = -1,
    mask_when: str = "before",
    fill: float | None = None,
    merge: str = "right",
) -> Fault:
    """An attention with one thing wrong."""

    def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        d, h = queries.size(-1), queries.size(-2)
        divisor = {"right": math.sqrt(d), "sqrt(embed_size)": math.sqrt(d * h), "none": 1.0, "d": float(d)}[scale]
        energy = einsum("nqhd,nkhd->nhqk", queries, keys) / divisor
        visible = ~mask if mask_when == "inverted" else mask
        if mask_when != "after":
            energy = energy.masked_fill(~visible, lowest(energy.dtype) if fill is None else fill)
        attention = energy.softmax(dim=softmax_dim).masked_fill(~visible, 0)
        heads_out = einsum("nhqk,nkhd->nhqd", attention, values)
        return heads_out.transpose(1, 2) if merge == "right" else heads_out.reshape(heads_out.transpose(1, 2).shape)

    return lambda model, _: use_attention(model, attend) and None


def wrong_target_mask(make: Callable[[Tensor, int], Tensor]) -> Fault:
    def fault(_: Transformer, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(transformer, "target_mask", lambda tokens, pad_idx, query_len: make(tokens, query_len))

    return fault


def no_causal_mask(tokens: Tensor, query_len: int) -> Tensor:
    return masks.padding_mask(tokens, 0).expand(-1, 1, query_len, -1)


def diagonal_hidden(tokens: Tensor, query_len: int) -> Tensor:
    right = masks.target_mask(tokens, 0, query_len)
    return right.tril(tokens.size(1) - query_len - 1)


def upside_down(tokens: Tensor, query_len: int) -> Tensor:
    return (
        masks.target_mask(tokens, 0, query_len).transpose(2, 3)
        if query_len == tokens.size(1)
        else no_causal_mask(tokens, query_len)
    )


def top_left(tokens: Tensor, query_len: int) -> Tensor:
    return masks.target_mask(tokens, 0, tokens.size(1))[:, :, :query_len]


def no_source_padding_mask(_: Transformer, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        transformer, "padding_mask", lambda tokens, pad_idx: torch.ones_like(tokens, dtype=torch.bool)[:, None, None]
    )


def positions_restart_with_the_cache(model: Transformer, patch: pytest.MonkeyPatch) -> None:
    right = model.decoder.positions.forward
    patch.setattr(model.decoder.positions, "forward", lambda embedded, start: right(embedded, 0))


def new_keys_go_first_in_the_cache(_: Transformer, patch: pytest.MonkeyPatch) -> None:
    def recall(
        self: cache.SelfAttentionCache, project: cache.Project, key: Tensor, value: Tensor
    ) -> tuple[Tensor, Tensor]:
        new = project(key, value)
        earlier = self.kept or (new[0][:, :0], new[1][:, :0])
        self.kept = torch.cat([new[0], earlier[0]], dim=1), torch.cat([new[1], earlier[1]], dim=1)
        return self.kept

    patch.setattr(cache.SelfAttentionCache, "recall", recall)


def memory_projected_from_the_first_token_only(_: Transformer, patch: pytest.MonkeyPatch) -> None:
    def recall(
        self: cache.CrossAttentionCache, project: cache.Project, key: Tensor, value: Tensor
    ) -> tuple[Tensor, Tensor]:
        self.kept = self.kept or project(key[:, :1].expand_as(key), value[:, :1].expand_as(value))
        return self.kept

    patch.setattr(cache.CrossAttentionCache, "recall", recall)


def embeddings_not_scaled(model: Transformer, _: pytest.MonkeyPatch) -> None:
    model.encoder.scale = model.decoder.scale = 1.0


def sines_then_cosines(_: Transformer, patch: pytest.MonkeyPatch) -> None:
    right = positions.sinusoids

    def halves(length: int, start: int, like: Tensor) -> Tensor:
        table = right(length, start, like)
        return torch.cat([table[:, 0::2], table[:, 1::2]], dim=1)

    patch.setattr(positions, "sinusoids", halves)


def cross_attention_reads_the_target(model: Transformer, patch: pytest.MonkeyPatch) -> None:
    for layer in model.decoder.layers:
        attention = layer.cross_attention

        def forward(query, key, value, mask, cache=None, attention=attention):  # type: ignore[no-untyped-def]
            causal = masks.look_ahead_mask(query.size(1), query.size(1), query.device)
            return MultiHeadAttention.forward(attention, query, query, query, causal, None)

        patch.setattr(attention, "forward", forward)


def values_are_the_keys(model: Transformer, patch: pytest.MonkeyPatch) -> None:
    for module in model.modules():
        if isinstance(module, MultiHeadAttention):
            patch.setattr(
                module,
                "keys_values",
                lambda key, value, m=module: (MultiHeadAttention.keys_values(m, key, value)[0],) * 2,
            )


FAULTS: dict[str, Fault] = {
    "scores divided by sqrt(embed_size), as in the origin": wrong_attention(scale="sqrt(embed_size)"),
    "scores not scaled": wrong_attention(scale="none"),
    "scores divided by d instead of sqrt(d)": wrong_attention(scale="d"),
    "softmax over the queries": wrong_attention(softmax_dim=-2),
    "mask applied after the softmax only": wrong_attention(mask_when="after"),
    "mask inverted": wrong_attention(mask_when="inverted"),
    "hidden energies filled with -1e-9 instead of -1e9": wrong_attention(fill=-1e-9),
    "heads merged without the transpose": wrong_attention(merge="wrong"),
    "no look-ahead mask": wrong_target_mask(no_causal_mask),
    "the diagonal hidden too": wrong_target_mask(diagonal_hidden),
    "look-ahead mask upside down": wrong_target_mask(upside_down),
    "look-ahead mask aligned top-left with a cache": wrong_target_mask(top_left),
    "no source padding mask": no_source_padding_mask,
    "positions restart at 0 with the cache": positions_restart_with_the_cache,
    "new keys put before the earlier ones in the cache": new_keys_go_first_in_the_cache,
    "the cache keeps the first source word only": memory_projected_from_the_first_token_only,
    "embeddings not multiplied by sqrt(embed_size)": embeddings_not_scaled,
    "sines and cosines in halves, not in turn": sines_then_cosines,
    "cross-attention reads the target": cross_attention_reads_the_target,
    "values are the keys": values_are_the_keys,
}
