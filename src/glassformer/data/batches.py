"""Encoded pairs to padded batches: sentences of like length together, so that little of the work is padding.

A batch has a budget of tokens, not a number of sentences: n x max(s, t) <= batch_tokens, with the widths the model
computes on (a source with </s>, a target without its last token). For training, the pairs are cut into blocks, the
blocks shuffled, 16 of them make a pool, a pool is sorted by length with a little noise, cut into batches, and the
batches shuffled: an epoch needs one pool in memory. The position in this stream is four numbers, so training can go
on exactly where it stopped.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glassformer.data.encode import Array, EncodedPairs
from glassformer.errors import UserError

BLOCKS_PER_POOL = 16
NOISE = 1.0  # tokens; enough that an epoch's batches differ from the last one's, too little to cost padding


@dataclass(frozen=True)
class Batch:
    """n sentence pairs, filled up with padding: `src` (n, s) ends with </s>, `trg` (n, t+1) has <s> and </s>."""

    src: Tensor
    trg: Tensor
    real_tokens: int  # targets to predict that are not padding

    @property
    def trg_in(self) -> Tensor:
        """(n, t) what the decoder reads."""
        return self.trg[:, :-1]

    @property
    def trg_out(self) -> Tensor:
        """(n, t) what each of its positions is asked for: the next token."""
        return self.trg[:, 1:]

    def to(self, device: torch.device | str) -> "Batch":
        if torch.device(device).type != "cuda":
            return replace(self, src=self.src.to(device), trg=self.trg.to(device))
        # Pinned memory lets the copy run while the GPU still works on the batch before.
        src, trg = (tokens.pin_memory().to(device, non_blocking=True) for tokens in (self.src, self.trg))
        return replace(self, src=src, trg=trg)


def make_batch(
    sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], *, src_pad_id: int, trg_pad_id: int
) -> Batch:
    """A batch from lists of ids: sources with </s>, targets with <s> and </s>.

    Raises UserError for a source of only padding: attention would have nothing to attend to.
    """
    src, trg = _pad_lists(sources, src_pad_id), _pad_lists(targets, trg_pad_id)
    return _batch(src, trg, sum(len(target) - 1 for target in targets), src_pad_id)


def batches_in_order(
    pairs: EncodedPairs, batch_tokens: int, *, src_pad_id: int, trg_pad_id: int
) -> Iterator[tuple[Tensor, Batch]]:
    """Every pair once, from short to long: (which pairs, their batch). A pair above the budget makes its own batch."""
    src_lengths, trg_lengths = pairs.src_lengths, pairs.trg_lengths
    longer = np.maximum(src_lengths, trg_lengths)
    order = np.lexsort((src_lengths - trg_lengths, longer))
    for rows in _cut(order, longer, batch_tokens):
        yield torch.from_numpy(rows), _gather(pairs, rows, src_pad_id, trg_pad_id)


class TokenBatches:
    """An endless stream of training batches, the same on every process; process `rank` of `world` takes its share.

    Every process takes one batch of each `world` consecutive ones, so that all make the same number of steps.
    Raises UserError when the longest pair does not fit the budget.
    """

    def __init__(
        self,
        pairs: EncodedPairs,
        *,
        batch_tokens: int,
        seed: int,
        src_pad_id: int,
        trg_pad_id: int,
        rank: int = 0,
        world: int = 1,
        pool: int = 65536,
    ) -> None:
        if pairs.counts.longest > batch_tokens:
            raise UserError(
                f"batch_tokens={batch_tokens} cannot hold the longest pair of {pairs.counts.longest} tokens. "
                f"Take batch_tokens={pairs.counts.longest} or more, or a smaller max_length."
            )
        self.pairs, self.batch_tokens = pairs, batch_tokens
        self.src_pad_id, self.trg_pad_id = src_pad_id, trg_pad_id
        self.rank, self.world = rank, world
        self.block = max(1, pool // BLOCKS_PER_POOL)
        self.pools = -(-len(pairs) // (self.block * BLOCKS_PER_POOL))
        self.seed, self.epoch, self._pool, self._batch = seed, 0, 0, 0
        self._estimate: int | None = None

    def state(self) -> dict[str, int]:
        """The position after the batch handed out last, for `restore`; JSON."""
        return {"seed": self.seed, "epoch": self.epoch, "pool": self._pool, "batch": self._batch}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go to a position that `state` gave; the next `iter` starts there."""
        self.seed, self.epoch = int(state["seed"]), int(state["epoch"])
        self._pool, self._batch = int(state["pool"]), int(state["batch"])

    @property
    def batches_per_epoch(self) -> int:
        """Batches of one process in one epoch: measured on the first pool, the others taken to be like it."""
        if self._estimate is None:
            pairs, cuts = self._plan(self.epoch, 0)
            self._estimate = max(1, round(len(cuts) * len(self.pairs) / len(pairs) / self.world))
        return self._estimate

    def __iter__(self) -> Iterator[Batch]:
        stream = self._stream()
        while True:
            share = [next(stream) for _ in range(self.world)]
            pairs, rows, (self.epoch, self._pool, self._batch) = *share[self.rank][:2], share[-1][2]
            yield _gather(pairs, rows, self.src_pad_id, self.trg_pad_id)

    def _stream(self) -> Iterator[tuple[EncodedPairs, Array, tuple[int, int, int]]]:
        """All processes' batches from the present position on: (the pool, its rows, the position after it)."""
        epoch, pool, batch = self.epoch, self._pool, self._batch
        while True:
            pairs, cuts = self._plan(epoch, pool)
            for number in range(batch, len(cuts)):
                yield pairs, cuts[number], (epoch, pool, number + 1)
            pool, batch = pool + 1, 0
            if pool == self.pools:
                epoch, pool = epoch + 1, 0

    def _plan(self, epoch: int, pool: int) -> tuple[EncodedPairs, list[Array]]:
        """One pool in memory, and its batches as rows of it: a function of seed, epoch and pool alone."""
        blocks = np.random.default_rng([self.seed, epoch]).permutation(-(-len(self.pairs) // self.block))
        chosen = blocks[pool * BLOCKS_PER_POOL : (pool + 1) * BLOCKS_PER_POOL]
        starts = [int(block) * self.block for block in chosen]
        pairs = self.pairs.blocks([(start, min(start + self.block, len(self.pairs))) for start in starts])
        draw = np.random.default_rng([self.seed, epoch, pool])
        src_lengths, trg_lengths = pairs.src_lengths, pairs.trg_lengths
        longer = np.maximum(src_lengths, trg_lengths)
        order = np.lexsort((src_lengths - trg_lengths + NOISE * draw.random(len(pairs)), longer))
        cuts = _cut(order, longer, self.batch_tokens)
        return pairs, [cuts[number] for number in draw.permutation(len(cuts))]


def padded_over_useful(batches: Iterable[Batch], *, src_pad_id: int) -> float:
    """Tokens computed on, n x (s + t) summed over the batches, for each real token of both sides: 1 is perfect."""
    padded = useful = 0
    for batch in batches:
        padded += batch.src.numel() + batch.trg_in.numel()
        useful += int((batch.src != src_pad_id).sum()) + batch.real_tokens
    return padded / useful


def _cut(order: Array, lengths: Array, budget: int) -> list[Array]:
    """Cut `order` into runs whose number x greatest length stays within the budget; at least one row each."""
    cuts, start = [], 0
    while start < len(order):
        window = order[start : start + max(1, budget // int(lengths[order[start]]))]
        cost = np.maximum.accumulate(lengths[window]) * np.arange(1, len(window) + 1)
        count = max(1, int(np.searchsorted(cost, budget, side="right")))
        cuts.append(order[start : start + count])
        start += count
    return cuts


def _gather(pairs: EncodedPairs, rows: Array, src_pad_id: int, trg_pad_id: int) -> Batch:
    src, _ = _pad_rows(pairs.src_tokens, pairs.src_offsets, rows, src_pad_id)
    trg, total = _pad_rows(pairs.trg_tokens, pairs.trg_offsets, rows, trg_pad_id)
    return _batch(src, trg, total - len(rows), src_pad_id)


def _pad_rows(tokens: Array, offsets: Array, rows: Array, pad_id: int) -> tuple[Tensor, int]:
    starts = np.asarray(offsets[rows])
    lengths = np.asarray(offsets[rows + 1]) - starts
    columns = np.arange(lengths.max())
    real = columns < lengths[:, None]
    padded = np.full(real.shape, pad_id, np.int64)
    padded[real] = tokens[(starts[:, None] + columns)[real]]
    return torch.from_numpy(padded), int(lengths.sum())


def _pad_lists(lists: Sequence[Sequence[int]], pad_id: int) -> Tensor:
    width = max(map(len, lists), default=0)
    return torch.tensor([[*ids, *[pad_id] * (width - len(ids))] for ids in lists], dtype=torch.int64)


def _batch(src: Tensor, trg: Tensor, real_tokens: int, src_pad_id: int) -> Batch:
    if src.numel() == 0 or bool((src == src_pad_id).all(dim=1).any()):
        raise UserError("a source holds nothing but padding: there is nothing to attend to. Leave such sentences out.")
    return Batch(src, trg, real_tokens)
