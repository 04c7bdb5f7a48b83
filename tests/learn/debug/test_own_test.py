"""D10: tests that are right pass, tests that miss a fault or accuse a right model are told which."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from glassformer.learn.debug import d10_solution, d10_task, own_test
from glassformer.learn.debug.d10_solution import same
from glassformer.learn.debug.own_test import PLANTED, check_test, subjects

Logits = Callable[[Tensor, Tensor], Tensor]

PROPERTIES: dict[str, Callable[..., bool]] = {
    "no-look-ahead": lambda model, cached, src, trg, pad: same(model(src, trg)[:, :3], model(src, trg[:, :3])),
    "no-source-padding-mask": lambda model, cached, src, trg, pad: same(
        model(src, trg), model(F.pad(src, (0, 2), value=pad), trg)
    ),
    "decoder-ignores-source": lambda model, cached, src, trg, pad: not same(model(src, trg), model(src.flip(0), trg)),
    "positions-ignored": lambda model, cached, src, trg, pad: not same(model(src, trg), model(src.flip(1), trg)),
    "positions-restart-with-cache": lambda model, cached, src, trg, pad: same(model(src, trg), cached(src, trg)),
}


def by_loops(model: Logits, cached: Logits, src: Tensor, trg: Tensor, pad: int) -> bool:
    """Another right test: sentence by sentence, by the largest difference, and with tokens exchanged instead of cut."""
    logits = model(src, trg)
    for row in range(len(src)):
        alone = model(src[row][src[row] != pad].unsqueeze(0), trg[row : row + 1])
        if (alone - logits[row : row + 1]).abs().max() > 1e-3:
            return False
    for step in range(1, trg.size(1)):
        changed = trg.clone()
        changed[:, step] = (changed[:, step] + 1) % 10 + 3
        if (model(src, changed)[:, :step] - logits[:, :step]).abs().max() > 1e-3:
            return False
    exchanged = src.clone()
    exchanged[:, [0, 1]] = src[:, [1, 0]]
    other = (src + 1).clamp(max=12)
    moved = [(model(each, trg) - logits).abs().max() > 1e-3 for each in (exchanged, other)]
    return bool(torch.stack(moved).all()) and (cached(src, trg) - logits).abs().max().item() < 1e-3


@pytest.mark.parametrize("accepts", [d10_solution.accepts, by_loops])
def test_a_right_test_passes(accepts: Callable[..., bool]) -> None:
    verdict = check_test(accepts)
    assert verdict.outcome == "passed", verdict.messages


def test_the_task_is_not_started() -> None:
    assert check_test(d10_task.accepts).outcome == "not started"


@pytest.mark.parametrize("left_out", PLANTED)
def test_a_test_without_one_property_misses_that_fault_and_hears_what_it_does(left_out: str) -> None:
    # A source that is ignored may be turned round as well; one token at a time, there is no future to see.
    seen_as_well = {"decoder-ignores-source": "positions-ignored", "no-look-ahead": "positions-restart-with-cache"}
    without = (left_out, seen_as_well.get(left_out))
    others = [holds for name, holds in PROPERTIES.items() if name not in without]
    verdict = check_test(lambda *arguments: all(holds(*arguments) for holds in others))
    assert verdict.outcome == "wrong"
    assert f"A model was accepted although {PLANTED[left_out]}." in verdict.messages
    assert left_out not in " ".join(verdict.messages)


def test_a_test_that_accepts_all_or_rejects_all_is_wrong() -> None:
    assert "Faults caught: 0 of 5" in check_test(lambda *_: True).messages[0]
    assert "rejected: 3 of 3" in check_test(lambda *_: False).messages[0]


def test_a_test_without_tolerance_hears_of_last_digits_and_of_the_model_it_accuses() -> None:
    verdict = check_test(lambda model, cached, src, trg, pad: torch.equal(model(src, trg), cached(src, trg)))
    assert verdict.outcome == "wrong"
    assert any("torch.nn.Transformer" in message for message in verdict.messages)
    assert "last digits" in verdict.messages[-1]


def test_a_test_that_stops_or_answers_something_else_is_told_so() -> None:
    def crashes(model: Logits, cached: Logits, src: Tensor, trg: Tensor, pad: int) -> bool:
        return bool(model(src, trg[0]).any())

    (message,) = check_test(crashes).messages
    assert f"in line {crashes.__code__.co_firstlineno + 1} with " in message
    assert "a int" in check_test(lambda *_: 1).messages[0]  # type: ignore[arg-type,return-value]


def test_three_are_right_and_five_are_not() -> None:
    models = list(subjects())
    assert [subject.right for subject in models].count(True) == 3
    assert len(models) == 8
    assert len({subject.about for subject in models}) == 8


@pytest.mark.parametrize("name", PLANTED)
def test_each_property_catches_its_fault_and_accuses_nobody(name: str) -> None:
    verdict = check_test(PROPERTIES[name])
    assert f"A model was accepted although {PLANTED[name]}." not in verdict.messages
    assert "Right models rejected: 0 of 3" in verdict.messages[0]


def test_the_learner_s_file_and_the_solution_ask_for_the_same_function() -> None:
    for text in (own_test.task(), own_test.solution()):
        assert "def accepts(model: Logits, cached: Logits, src: Tensor, trg: Tensor, pad: int) -> bool:" in text
