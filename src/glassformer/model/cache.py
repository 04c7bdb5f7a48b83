"""Keys and values kept while decoding, so that each step computes its new token only.

The cache is an object of the caller's, passed down; no module remembers anything.
Not in the paper: decoding without it gives the same numbers and does the work of every earlier step again.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Project = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class SelfAttentionCache:
    """Keys and values (n, k, h, d) of the target tokens so far; each step appends those of its new tokens."""

    def __init__(self) -> None:
        self.kept: tuple[Tensor, Tensor] | None = None

    def recall(self, project: Project, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        new_keys, new_values = project(key, value)
        earlier_keys, earlier_values = self.kept or (new_keys[:, :0], new_values[:, :0])
        keys = torch.cat([earlier_keys, new_keys], dim=1)
        values = torch.cat([earlier_values, new_values], dim=1)
        self.kept = keys, values
        return keys, values

    def select(self, rows: Tensor) -> None:
        self.kept = self.kept and (self.kept[0].index_select(0, rows), self.kept[1].index_select(0, rows))


class CrossAttentionCache(SelfAttentionCache):
    """Keys and values (n, s, h, d) of the memory, which never changes: projected once per sentence."""

    def recall(self, project: Project, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        keys, values = self.kept or project(key, value)
        self.kept = keys, values
        return keys, values


class LayerCache(NamedTuple):
    """What one decoder layer keeps; None where nothing is kept."""

    self_attention: SelfAttentionCache | None
    cross_attention: CrossAttentionCache | None


class Cache:
    """What a whole decoder keeps for a batch: the target tokens so far, and a LayerCache per layer."""

    def __init__(self, num_layers: int) -> None:
        self.layers = [LayerCache(SelfAttentionCache(), CrossAttentionCache()) for _ in range(num_layers)]
        self.tokens: Tensor | None = None

    @property
    def length(self) -> int:
        """How many target tokens it has seen."""
        return 0 if self.tokens is None else self.tokens.size(1)

    def extend(self, trg: Tensor) -> Tensor:
        """All target tokens (n, k) so far, the new ones (n, t) included."""
        tokens = trg if self.tokens is None else torch.cat([self.tokens, trg], dim=1)
        self.tokens = tokens
        return tokens

    def select(self, rows: Tensor) -> None:
        """Keep these rows of the batch, in this order: finished sentences leave, beams follow their parents."""
        self.tokens = None if self.tokens is None else self.tokens.index_select(0, rows)
        for layer in self.layers:
            for part in layer:
                if part is not None:
                    part.select(rows)
