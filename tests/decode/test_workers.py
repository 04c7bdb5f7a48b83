import os
import signal
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch

from glassformer.data import Vocabularies, Vocabulary
from glassformer.decode import DecodingConfig, Translator
from glassformer.decode.workers import Setting, Workers, fastest
from glassformer.errors import UserError
from tests.decode.peaked import peaked_model

WORDS = "abcdefghij"
BLOCKS = [["a b c"], ["", "d e", "f g h i j"], ["c"], ["b a", "j"]]


class Strange(Translator):
    """A Translator that meets what can go wrong."""

    def hypotheses(self, texts: Any, first: int = 0) -> Any:
        if "dies" in texts:
            os.kill(os.getpid(), signal.SIGKILL)
        if "breaks" in texts:
            raise ZeroDivisionError("broken")
        return super().hypotheses(texts, first)


def make(**choices: Any) -> Translator:
    torch.manual_seed(4)
    vocabulary = Vocabulary.train(list(WORDS), kind="symbols", size=20)
    vocabularies = Vocabularies(vocabulary, vocabulary)
    model = peaked_model(src_vocab_size=len(vocabulary), trg_vocab_size=len(vocabulary))
    return Strange(model, vocabularies, DecodingConfig(max_ratio=1.0, max_extra=2, **choices))


def never() -> Translator:
    raise UserError("no such model")


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(partial(make, beam=2, n_best=2), 2) as pool:
        yield pool


def test_answers_come_in_order_and_are_those_of_one_process(workers: Workers) -> None:
    here = make(beam=2, n_best=2)
    assert list(workers.hypotheses(BLOCKS)) == [here.hypotheses(block) for block in BLOCKS]
    assert list(workers.hypotheses([])) == []


def test_blocks_are_read_as_they_are_needed(workers: Workers) -> None:
    read = []

    def endless() -> Iterator[list[str]]:
        while True:
            read.append(1)
            yield ["a b"]

    answers = workers.hypotheses(endless())
    assert next(answers) == next(answers)
    assert len(read) <= 10
    answers.close()
    assert [len(found) for found in workers.hypotheses(BLOCKS)] == [1, 3, 1, 2]  # answers to the others are not ours


def test_what_the_user_did_wrong_is_said_in_its_place_and_the_workers_live_on(workers: Workers) -> None:
    answers = workers.hypotheses([["a"], ["a " * 40], ["b"]])
    next(answers)
    with pytest.raises(UserError, match=r"text 2 .* has 41 tokens"):
        next(answers)
    with pytest.raises(RuntimeError, match=r"(?s)ZeroDivisionError.*in a worker process.*hypotheses"):
        list(workers.hypotheses([["breaks"]]))
    assert len(list(workers.hypotheses([["a"]]))) == 1


def test_an_input_that_breaks_off_is_answered_up_to_there(workers: Workers) -> None:
    def broken() -> Iterator[list[str]]:
        yield ["a"]
        yield ["b"]
        raise UserError("line 3 is not UTF-8")

    answers = workers.hypotheses(broken())
    assert [len(next(answers)), len(next(answers))] == [1, 1]
    with pytest.raises(UserError, match="line 3"):
        next(answers)


def test_a_worker_that_dies_is_said_after_the_answers_before_it_and_leaving_ends_the_others() -> None:
    processes = []

    def die_and_leave() -> None:
        with Workers(make, 2) as workers:
            processes.extend(workers.processes.values())
            answers = workers.hypotheses([["a"], ["dies"], ["b"]])
            assert len(next(answers)) == 1
            with pytest.raises(UserError, match=r"ended before its answers came \(exit code -9\)"):
                next(answers)
            assert sum(process.is_alive() for process in processes) == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die_and_leave()
    assert not any(process.is_alive() for process in processes)


@pytest.mark.slow
def test_samples_are_those_of_one_process_and_a_model_that_cannot_be_made_is_said() -> None:
    with Workers(partial(make, sample=True, seed=3), 2) as workers:
        here, texts = make(sample=True, seed=3), [text for block in BLOCKS for text in block]
        drawn = [found[0].text for block in workers.hypotheses(BLOCKS, 5) for found in block]
        assert drawn == [found[0].text for found in here.hypotheses(texts, 5)]
    with Workers(never, 1) as workers, pytest.raises(UserError, match="no such model"):
        list(workers.hypotheses([["a"]]))


@pytest.mark.parametrize(("workers", "threads"), [(0, 1), (1, 0)])
def test_there_is_at_least_one_of_each(workers: int, threads: int) -> None:
    with pytest.raises(UserError, match="=0 is too small"):
        Workers(make, workers, threads)


@pytest.mark.slow
def test_every_way_to_use_the_cores_is_measured() -> None:
    measured = fastest(make, ["a b", "c"], 2)
    assert set(measured) == {Setting(1, 2), Setting(2, 1)}
    assert list(measured.values()) == sorted(measured.values(), reverse=True)
    assert all(value > 0 for value in measured.values())
