"""Faults of decoding with a cache. In training, and wherever a target is read in one pass, they change nothing."""

import torch
from torch import Tensor

from glassformer.learn.zoo.fault import Fault, cross, decoder_self, on
from glassformer.model.attention import MultiHeadAttention
from glassformer.model.cache import CrossAttentionCache, Project, SelfAttentionCache

AnyCache = SelfAttentionCache | CrossAttentionCache


class InPlaceOf(SelfAttentionCache):
    """Fills the caller's cache in another way."""

    def __init__(self, own: SelfAttentionCache) -> None:
        self.own = own

    @property
    def kept(self) -> tuple[Tensor, Tensor] | None:
        return self.own.kept

    @kept.setter
    def kept(self, keys_values: tuple[Tensor, Tensor] | None) -> None:
        self.own.kept = keys_values


class NewestFirst(InPlaceOf):
    def recall(self, project: Project, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        new_keys, new_values = project(key, value)
        earlier_keys, earlier_values = self.kept or (new_keys[:, :0], new_values[:, :0])
        keys = torch.cat([new_keys, earlier_keys], dim=1)
        values = torch.cat([new_values, earlier_values], dim=1)
        self.kept = keys, values
        return keys, values


class KeepsNewestFirst(MultiHeadAttention):
    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, cache: AnyCache | None = None) -> Tensor:
        return super().forward(query, key, value, mask, cache and NewestFirst(cache))


class KeepsNothing(MultiHeadAttention):
    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, cache: AnyCache | None = None) -> Tensor:
        return super().forward(query, key, value, mask[..., -key.size(1) :], None)


class KeepsFirstSourceWord(MultiHeadAttention):
    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, cache: AnyCache | None = None) -> Tensor:
        if cache:
            key, value = key[:, :1].expand_as(key), value[:, :1].expand_as(value)
        return super().forward(query, key, value, mask, cache)


FAULTS = (
    Fault(
        name="cache-newest-first",
        title="The cache puts new keys and values before the earlier ones.",
        plant=on(decoder_self, KeepsNewestFirst),
        symptom=(
            "None as long as tokens come one at a time: keys carry their positions, and their order does not "
            "matter. Several new tokens at once are given the mask of others."
        ),
        thread="seen in no thread that we know",
        exercise="17",
        kind="decoding",
    ),
    Fault(
        name="cache-keeps-nothing",
        title="The cache is never read: while writing, each word sees itself alone.",
        plant=on(decoder_self, KeepsNothing),
        symptom=(
            "Training and scoring are right; while writing, each word sees itself and the source alone, and the "
            "answers repeat or lose their place."
        ),
        thread="huggingface/transformers#30108",
        exercise="17",
        kind="decoding",
    ),
    Fault(
        name="cache-first-source-word",
        title="The cache keeps the first source word in place of all of them.",
        plant=on(cross, KeepsFirstSourceWord),
        symptom=(
            "Training and scoring are right; while writing, the decoder knows one word of the source: the answers "
            "are about it alone."
        ),
        thread="seen in huggingface/transformers#46111, where a window was kept of the source",
        exercise="17",
        kind="decoding",
    ),
)
