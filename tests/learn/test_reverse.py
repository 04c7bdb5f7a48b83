"""The learner's Transformer proves itself: its training and its score."""

from torch import Tensor

from glassformer.learn.answers import make_optimizer, noam, train_step, transformer
from glassformer.learn.debug.decoding import up_to_end
from glassformer.learn.debug.task import END, PAD, reversals
from glassformer.learn.reverse import exact_match, train_to_reverse, written_greedily
from glassformer.learn.weights import tensors


def test_writing_ends_at_the_end_token() -> None:
    assert up_to_end([5, 6, END, 7, END]) == [5, 6, END]
    assert up_to_end([5, 6]) == [5, 6]


def test_a_perfect_writer_scores_1_and_a_copying_one_hardly_anything() -> None:
    def copied(src: Tensor) -> list[list[int]]:
        return [[*(token for token in row if token not in (END, PAD)), END] for row in src.tolist()]

    def turned(src: Tensor) -> list[list[int]]:
        return [[*reversed(row[:-1]), END, 9] for row in copied(src)]

    assert exact_match(turned) == 1
    assert exact_match(copied) < 0.1


def test_a_few_steps_train_the_learners_functions() -> None:
    said: list[str] = []
    weights = train_to_reverse(20, transformer, make_optimizer, train_step, noam, said.append)
    first, last = (float(line.split()[-1]) for line in (said[0], said[-1]))
    assert last < first
    assert not any(weight.requires_grad for weight in tensors(weights))
    src, _ = reversals(2, 6)
    assert len(written_greedily(transformer, weights, src)) == 2
