"""The task on which the learner's Transformer proves itself: its sentences, its training, its score."""

import torch
from torch import Tensor

from glassformer.learn.answers import make_optimizer, noam, train_step, transformer
from glassformer.learn.reverse import (
    END,
    PAD,
    START,
    exact_match,
    reversed_sentences,
    train_to_reverse,
    up_to_the_end,
    written_greedily,
)
from glassformer.learn.weights import tensors


def test_a_target_is_its_source_from_the_end() -> None:
    src, trg = reversed_sentences(30, torch.Generator().manual_seed(5))
    for source, target in zip(src.tolist(), trg.tolist(), strict=True):
        symbols = [token for token in source if token != PAD]
        assert 3 <= len(symbols) <= 7
        assert [token for token in target if token != PAD] == [START, *symbols[::-1], END]


def test_writing_ends_at_the_end_token() -> None:
    assert up_to_the_end([5, 6, END, 7, END]) == [5, 6]
    assert up_to_the_end([5, 6]) == [5, 6]


def test_a_perfect_writer_scores_1_and_a_copying_one_hardly_anything() -> None:
    def copied(src: Tensor) -> list[list[int]]:
        return [[token for token in row if token != PAD] for row in src.tolist()]

    def turned(src: Tensor) -> list[list[int]]:
        return [[*reversed(row), END, 9] for row in copied(src)]

    assert exact_match(turned) == 1
    assert exact_match(copied) < 0.1


def test_a_few_steps_train_the_learners_functions() -> None:
    said: list[str] = []
    weights = train_to_reverse(20, transformer, make_optimizer, train_step, noam, said.append)
    first, last = (float(line.split()[-1]) for line in (said[0], said[-1]))
    assert last < first
    assert not any(weight.requires_grad for weight in tensors(weights))
    src, _ = reversed_sentences(2, torch.Generator().manual_seed(6))
    assert len(written_greedily(transformer, weights, src)) == 2
