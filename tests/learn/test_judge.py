"""What the checker says of functions that are no known mistake, and when it claims nothing."""

import math
import re

import pytest
import torch
from torch import Tensor, einsum

from glassformer.learn.checker.candidates import candidates, claim
from glassformer.learn.checker.judge import Reading, judge
from glassformer.learn.checker.locate import shape_guess, which
from glassformer.learn.checker.measure import named_constant, temperature
from glassformer.learn.checker.observe import Behaviour, leaves, observe
from glassformer.learn.course import bank, find
from glassformer.learn.exercise import Part, Probe

ATTENTION = bank(find("02")).parts[0]
right = ATTENTION.wrong()


def scaled_by(factor: float):  # type: ignore[no-untyped-def]
    def attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        return right(queries * factor, keys, values)  # type: ignore[no-any-return]

    return attention


def test_a_known_mistake_is_named_with_both_formulas_and_a_small_example() -> None:
    verdict = judge(ATTENTION, ATTENTION.wrong("scale-without-root"), Reading(parameters=("queries", "keys", "values")))
    assert verdict.mistakes == ("scale-without-root",)
    assert verdict.yours == ("softmax(Q K^T / d) V",)
    assert verdict.asked.startswith("softmax(Q K^T / sqrt(d)) V")
    assert verdict.example[0] == "attention(queries, keys, values)"
    assert verdict.example[-2].startswith("  yours:")
    assert verdict.example[-1].startswith("  expected:")
    assert verdict.question.endswith("?")


def test_a_constant_nobody_listed_is_read_from_the_function() -> None:
    verdict = judge(ATTENTION, scaled_by(1.1))
    assert verdict.outcome == "wrong"
    assert verdict.mistakes == ()
    assert "not one of the known mistakes" in verdict.headline
    assert verdict.measured == ("your scores are multiplied by 0.275; expected 0.25 = 1/sqrt(d)",)
    assert len(verdict.held) == len(ATTENTION.properties)


def test_a_mistake_that_is_nearly_a_known_one_is_not_called_by_its_name() -> None:
    nearly = judge(ATTENTION, lambda q, k, v: ATTENTION.wrong("scale-missing")(q * (1 + 1e-6), k, v))
    assert nearly.mistakes == ()


def test_a_name_needs_the_next_candidate_a_hundred_times_further_away() -> None:
    known = candidates(ATTENTION)
    single, other = known.singles[:2]
    assert claim(known, single.behaviour, float32=False) is not None
    between = Behaviour(single.behaviour.structure, (single.behaviour.numbers + other.behaviour.numbers) / 2)
    assert claim(known, between, float32=False) is None
    assert claim(known, between, float32=True) is None


def test_swapped_axes_are_guessed() -> None:
    verdict = judge(ATTENTION, lambda q, k, v: right(q, k, v).transpose(1, 2))
    assert "axes 1 and 2 are swapped?" in verdict.headline
    assert "(n q h m)" in verdict.headline


@pytest.mark.parametrize(
    ("mine", "wanted", "guess"),
    [
        ((2, 3), (3, 2), "the last two axes are swapped?"),
        ((2, 3, 4), (4, 2, 3), "the same axes in another order?"),
        ((2, 3), (2, 1, 1, 3), "an axis of size 1 is missing (unsqueeze, or keepdim=True)?"),
        ((2, 1, 3), (2, 3), "an axis of size 1 too many?"),
        ((2, 3), (2, 3, 4), "an axis was summed away or indexed?"),
        ((2, 3), (5, 7), ""),
    ],
)
def test_what_a_wrong_shape_may_come_from(mine: tuple[int, ...], wanted: tuple[int, ...], guess: str) -> None:
    assert shape_guess(mine, wanted) == guess


def test_a_missing_return_is_said() -> None:
    assert "is a return missing?" in judge(ATTENTION, lambda q, k, v: None).headline


def test_integers_where_floats_are_expected_are_told_as_another_kind() -> None:
    assert "holds bool where float is expected" in judge(ATTENTION, lambda q, k, v: right(q, k, v) > 0).headline


def test_not_a_number_is_said_with_the_probes_it_comes_from() -> None:
    def nan_for_one_query(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        out = right(queries, keys, values)
        return out * math.nan if queries.size(1) == 1 else out  # type: ignore[no-any-return]

    verdict = judge(ATTENTION, nan_for_one_query)
    assert "answers NaN on: one sentence, one query" in verdict.headline


def test_changing_an_argument_in_place_is_said() -> None:
    def attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        out = right(queries, keys, values)
        queries.mul_(2)
        return out  # type: ignore[no-any-return]

    assert "changes its arguments in place" in judge(ATTENTION, attention).headline


def test_two_answers_to_one_question_are_said() -> None:
    verdict = judge(ATTENTION, lambda q, k, v: torch.nn.functional.dropout(right(q, k, v), 0.5))
    assert "in two ways" in verdict.headline


def test_a_crash_is_told_by_its_error_and_probe() -> None:
    verdict = judge(ATTENTION, lambda q, k, v: einsum("nqhd,nkhd->nhqk", q, v))
    assert "stops with RuntimeError" in verdict.headline
    assert "on 'all sizes different'" in verdict.details


def test_a_function_that_raises_not_implemented_is_not_started() -> None:
    def attention(*arguments: Tensor) -> Tensor:
        raise NotImplementedError

    assert judge(ATTENTION, attention).outcome == "not started"


def test_float32_is_right_to_its_digits_and_said() -> None:
    verdict = judge(ATTENTION, lambda q, k, v: right(q.float(), k.float(), v.float()))
    assert verdict.outcome == "passed"
    assert re.fullmatch(r"right to [67] digits: some of it is computed in float32", verdict.notes[0])


def test_a_float32_constant_in_float64_work_is_right() -> None:
    def attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        energy = einsum("nqhd,nkhd->nhqk", queries, keys) / torch.sqrt(torch.tensor(queries.size(-1)))
        return einsum("nhqk,nkhm->nqhm", energy.softmax(-1), values)

    assert judge(ATTENTION, attention).outcome == "passed"


@pytest.mark.parametrize("mistake", [mistake.name for mistake in ATTENTION.mistakes])
def test_mistakes_made_in_float32_are_still_named(mistake: str) -> None:
    wrong = ATTENTION.wrong(mistake)
    assert judge(ATTENTION, lambda q, k, v: wrong(q.float(), k.float(), v.float())).mistakes == (mistake,)


def test_an_unknown_mistake_is_located() -> None:
    def odd_channels_doubled(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        out = right(queries, keys, values).clone()
        out[..., 1::2] *= 2
        return out  # type: ignore[no-any-return]

    assert "  only value channel 1, 3, 5 ... (the odd ones)" in judge(ATTENTION, odd_channels_doubled).where


@pytest.mark.parametrize(
    ("along", "said"),
    [
        ([True, True], ""),
        ([False, True, False, True], "1, 3, 5 ... (the odd ones)"),
        ([True, False, True], "0, 2, 4 ... (the even ones)"),
        ([False, True, True], "other than 0"),
        ([False, False, True, True], "2 and later"),
        ([False, True, False], "1"),
    ],
)
def test_where_along_an_axis(along: list[bool], said: str) -> None:
    assert which(along) == said


def test_constants_get_the_formula_that_they_are() -> None:
    assert named_constant(0.0625, {"d": 16}) == "1/d"
    assert named_constant(0.25, {"d": 16}) == "1/sqrt(d)"
    assert named_constant(0.3, {"d": 16}) == ""


def test_the_temperature_of_a_softmax_is_read_exactly_and_nothing_else_has_one() -> None:
    scores = torch.randn(3, 5, dtype=torch.float64)
    assert temperature((0.3 * scores).softmax(-1), scores) == pytest.approx(0.3)
    assert temperature(torch.rand(3, 5, dtype=torch.float64), scores) is None


def test_answers_are_taken_apart_however_they_are_nested() -> None:
    answer = {"logits": torch.zeros(2, 3), "steps": [1, 2.5], "done": (True, None)}
    assert [(leaf.path, leaf.kind) for leaf in leaves(answer)] == [
        ("['logits']", "float"),
        ("['steps'][0]", "int"),
        ("['steps'][1]", "float"),
        ("['done'][0]", "bool"),
        ("['done'][1]", "NoneType None"),
    ]


def test_a_probe_hands_over_copies() -> None:
    mine = torch.zeros(2)
    probe = Probe(label="", arguments=(mine,))
    seen = observe(lambda x: x.add_(1), probe)
    assert seen.spoilt
    assert torch.equal(mine, torch.zeros(2))


def test_the_reference_itself_must_not_fail() -> None:
    def broken(wrong: frozenset[str], x: Tensor) -> Tensor:
        raise KeyError("in the bank")

    part = Part(
        function="f", asked="", result="", reference=broken, mistakes=(), examples=list,
        probes=lambda: [Probe(label="", arguments=(torch.zeros(1),))],
    )  # fmt: skip
    with pytest.raises(KeyError):
        candidates(part)
