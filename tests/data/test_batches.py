"""Batches: every pair once an epoch, within the budget, little padding, and the same stream after a stop or on many."""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from glassformer.data.batches import Batch, TokenBatches, batches_in_order, make_batch, padded_over_useful
from glassformer.data.encode import EncodedPairs, encode_in_memory
from glassformer.data.named import open_dataset
from glassformer.data.vocabulary import Vocabularies, Vocabulary
from glassformer.errors import UserError

SYMBOLS = Vocabulary.train([" ".join(map(str, range(1000)))], kind="symbols", size=2000)
BOTH = Vocabularies(SYMBOLS, SYMBOLS)
BUDGET = 60


def numbered(count: int) -> EncodedPairs:
    """Pair i is recognised by its first source symbol; lengths vary on both sides."""
    draw = np.random.default_rng(0)
    lengths = draw.integers(1, 12, (count, 2)).tolist()
    texts = [(" ".join([str(i), *["0"] * (s - 1)]), " ".join(["1"] * t)) for i, (s, t) in enumerate(lengths)]
    return encode_in_memory(texts, BOTH, max_length=50)


PAIRS = numbered(500)


def stream(
    pairs: EncodedPairs = PAIRS, *, seed: int = 1, rank: int = 0, world: int = 1, pool: int = 64
) -> TokenBatches:
    return TokenBatches(
        pairs, batch_tokens=BUDGET, seed=seed, src_pad_id=0, trg_pad_id=0, rank=rank, world=world, pool=pool
    )


def names(batch: Batch) -> list[int]:
    return [int(SYMBOLS.piece(int(number))) for number in batch.src[:, 0]]


def epoch(batches: TokenBatches) -> list[Batch]:
    found, here = [], batches.epoch
    for batch in batches:
        found.append(batch)
        if sum(len(each.src) for each in found) == len(batches.pairs):
            assert batches.epoch == here
            return found
    raise AssertionError("the stream never ends")


def same(first: Batch, second: Batch) -> bool:
    return torch.equal(first.src, second.src) and torch.equal(first.trg, second.trg)


@pytest.mark.parametrize("pool", [16, 64, 65536])
def test_an_epoch_holds_every_pair_once(pool: int) -> None:
    seen = sorted(name for batch in epoch(stream(pool=pool)) for name in names(batch))
    assert seen == list(range(500))


def test_each_row_is_its_pair_with_padding_behind() -> None:
    for batch in epoch(stream()):
        for name, src, trg in zip(names(batch), batch.src.tolist(), batch.trg.tolist(), strict=True):
            expected_src, expected_trg = PAIRS.pair(name)
            assert src == expected_src + [0] * (len(src) - len(expected_src))
            assert trg == expected_trg + [0] * (len(trg) - len(expected_trg))


def test_every_batch_stays_within_the_budget_and_is_no_wider_than_needed() -> None:
    for batch in epoch(stream()):
        assert len(batch.src) * max(batch.src.size(1), batch.trg_in.size(1)) <= BUDGET
        assert (batch.src != 0).any(dim=0).all()
        assert (batch.trg != 0).any(dim=0).all()


def test_real_tokens_are_the_targets_that_are_not_padding() -> None:
    for batch in epoch(stream()):
        assert batch.real_tokens == int((batch.trg_out != 0).sum())


def test_epochs_and_seeds_differ_and_the_same_seed_repeats() -> None:
    def order(seed: int, skip: int = 0) -> list[list[int]]:
        return [names(batch) for batch in islice(stream(seed=seed), skip, skip + 60)]

    batches = len(epoch(stream()))
    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(1) != order(1, skip=batches)


@pytest.mark.parametrize("stop", [0, 1, 7, 40, 100, 233])
def test_a_stream_goes_on_exactly_where_its_state_was_taken(stop: int) -> None:
    undisturbed = list(islice(stream(), stop + 150))
    stopped = stream()
    list(islice(stopped, stop))
    state = json.loads(json.dumps(stopped.state()))
    resumed = stream(seed=99)
    resumed.restore(state)
    assert all(same(*pair) for pair in zip(islice(resumed, 150), undisturbed[stop:], strict=True))


@pytest.mark.parametrize("world", [2, 3])
def test_processes_share_one_stream_without_overlap_and_agree_on_the_position(world: int) -> None:
    alone = list(islice(stream(), 40 * world))
    processes = [stream(rank=rank, world=world) for rank in range(world)]
    shares = [list(islice(process, 40)) for process in processes]
    dealt = [share[step] for step in range(40) for share in shares]
    assert all(same(*pair) for pair in zip(dealt, alone, strict=True))
    assert len({json.dumps(process.state()) for process in processes}) == 1


def test_batches_per_epoch_is_exact_for_one_pool_and_close_for_many() -> None:
    one = stream(pool=65536)
    assert one.batches_per_epoch == len(epoch(one))
    many = stream(pool=64)
    assert many.batches_per_epoch == pytest.approx(len(epoch(stream(pool=64))), rel=0.2)


def test_a_pair_that_exceeds_the_budget_is_refused_before_training() -> None:
    with pytest.raises(
        UserError, match=f"batch_tokens=5 cannot hold the longest pair of {PAIRS.counts.longest} tokens"
    ):
        TokenBatches(PAIRS, batch_tokens=5, seed=0, src_pad_id=0, trg_pad_id=0)


def test_in_order_gives_every_pair_once_and_says_which() -> None:
    seen: list[Tensor] = []
    for rows, batch in batches_in_order(PAIRS, BUDGET, src_pad_id=0, trg_pad_id=0):
        assert names(batch) == rows.tolist()
        seen.append(rows)
    assert sorted(torch.cat(seen).tolist()) == list(range(500))


def test_in_order_a_pair_above_the_budget_makes_its_own_batch() -> None:
    sizes = [len(rows) for rows, _ in batches_in_order(PAIRS, 1, src_pad_id=0, trg_pad_id=0)]
    assert sizes == [1] * 500


def test_a_batch_from_lists_is_padded_and_shifts_the_target() -> None:
    batch = make_batch([[5, 2], [6, 7, 2]], [[1, 8, 9, 2], [1, 2]], src_pad_id=0, trg_pad_id=3)
    assert batch.src.tolist() == [[5, 2, 0], [6, 7, 2]]
    assert batch.trg_in.tolist() == [[1, 8, 9], [1, 2, 3]]
    assert batch.trg_out.tolist() == [[8, 9, 2], [2, 3, 3]]
    assert batch.real_tokens == 4
    assert same(batch.to("cpu"), batch)


@pytest.mark.parametrize("sources", [[[5, 2], []], [[5, 2], [0, 0]], [[], []], []])
def test_a_source_of_only_padding_is_refused_when_the_batch_is_made(sources: list[list[int]]) -> None:
    with pytest.raises(UserError, match="nothing but padding"):
        make_batch(sources, [[1, 2]] * len(sources), src_pad_id=0, trg_pad_id=0)


def test_padded_over_useful_counts_both_sides() -> None:
    batch = make_batch([[5, 2], [6, 7, 8, 2]], [[1, 8, 2], [1, 2]], src_pad_id=0, trg_pad_id=0)
    assert padded_over_useful([batch], src_pad_id=0) == 2 * (4 + 2) / (6 + 3)


def test_padding_costs_at_most_a_twentieth_on_multi30k(shared_data: Path) -> None:
    data = open_dataset("multi30k-de-en", data_dir=shared_data)
    vocabulary = Vocabulary.train((text for pair in data.train() for text in pair), kind="bpe", size=8000)
    pairs = encode_in_memory(data.train(), Vocabularies(vocabulary, vocabulary), max_length=100)
    assert len(pairs) == 29_000
    batches = TokenBatches(pairs, batch_tokens=4096, seed=1, src_pad_id=0, trg_pad_id=0)
    assert padded_over_useful(epoch(batches), src_pad_id=0) <= 1.1
