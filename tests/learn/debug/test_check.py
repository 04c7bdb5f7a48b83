"""Answers to the cases: right ones pass, and what is wrong is said, the name and the probe each by itself."""

import json

import pytest

from glassformer.errors import UserError
from glassformer.learn.debug.cases import CASES
from glassformer.learn.debug.check import check_answer, open_case
from glassformer.learn.debug.faults import AROUND, fault_names, fault_titles
from glassformer.learn.debug.systems import SYSTEMS
from glassformer.learn.debug.verdict import DebugVerdict
from glassformer.learn.zoo import FAULTS

SOLUTIONS = {number: case.solution for number, case in CASES.items() if case.solution}

# Other proofs that a learner may well find
RIGHT_PROBES = [
    ("D1", "(model(src, trg)[:, 0] - model(src, trg[:, :1])[:, 0]).abs().max() > 0.1"),
    ("D1", "not torch.equal(model(src, trg)[:, :3].argmax(-1), model(src, trg.flip(1))[:, :3].argmax(-1)) and "
           "not torch.allclose(model(src, trg)[:, :3], model(src, trg[:, :3]))"),
    ("D2", "torch.equal(model(src[:1], trg[:1]), model(src[1:2], trg[:1]))"),
    ("D3", "model(src, trg).min() >= 0"),
    ("D3", "model(src, trg).max() <= 1"),
    ("D4", "not torch.allclose(model(src[-1:], trg[-1:]), model(src[-1:, :4], trg[-1:]))"),
    ("D5", "model(torch.full_like(src, pad), trg).isnan().any() and not model(src[:-1], trg[:-1]).isnan().any()"),
    ("D6", "all(torch.allclose(cached(src, trg[:, :1].repeat(1, 3))[:, i], "
           "cached(src, trg[:, :1])[:, 0]) for i in range(3))"),
    ("D7", "loss(model(src, trg), torch.full_like(trg, end)).isnan()"),
    ("D7", "src[0, -1] == pad"),
    ("D8", "beam(src[:1], 4)[1] > log_prob(src[:1], beam(src[:1], 4)[0]) + 0.01"),
    ("D9a", "torch.allclose(attend(queries, keys, values, mask), torch.einsum('nhqk,nkhd->nqhd', torch.einsum("
            "'nqhd,nkhd->nhqk', queries, keys).masked_fill(~mask, -1e9).softmax(-1), values))"),
    ("D9b", "(reach(trg).diagonal(dim1=1, dim2=2) == 0).all()"),
    ("D9c", "loss(torch.zeros(1, 2, 13), torch.full((1, 2), pad)) > 2"),
    ("D9d", "(model(src, trg) != model(src, trg)).any()"),
]  # fmt: skip

# True of the system and not of a right one, but of others with the same symptom as well
SYMPTOMS = [
    ("D1", "greedy(src)[0] != trg[0, 1:].tolist()"),
    ("D2", "loss(model(src, trg[:, :-1]), trg[:, 1:]) > 2"),
    ("D3", "loss(model(src, trg[:, :-1]), trg[:, 1:]) > 1"),
    ("D4", "greedy(src)[-2:] != [greedy(row[row != pad].unsqueeze(0))[0] for row in src[-2:]]"),
    ("D5", "model(src, trg).isnan().any()"),
    ("D6", "not torch.allclose(cached(src, trg), model(src, trg))"),
    ("D7", "not any(end in answer for answer in greedy(src))"),
    ("D8", "beam(src[:1], 4).ids != greedy(src[:1])[0][:-1]"),
    ("D8", "any(log_prob(row.unsqueeze(0), beam(row.unsqueeze(0), 8).ids) < "
           "log_prob(row.unsqueeze(0), greedy(row.unsqueeze(0))[0][:-1]) - 0.01 for row in src[:2])"),
    ("D9a", "not torch.allclose(attend(queries, keys, values, mask).transpose(1, 2), F.scaled_dot_product_attention("
            "queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2), attn_mask=mask))"),
    ("D9c", "not torch.allclose(loss(model(src, trg), trg), loss(model(F.pad(src, (0, 1)), F.pad(trg, (0, 3))), "
            "F.pad(trg, (0, 3))))"),
    ("D9c", "not loss(model(src, trg), torch.full_like(trg, pad)).isnan()"),
]  # fmt: skip


@pytest.mark.parametrize("number", SOLUTIONS)
def test_every_solution_passes(number: str) -> None:
    solution = SOLUTIONS[number]
    verdict = check_answer(number, solution.name, solution.probe)
    assert verdict.outcome == "passed", verdict.messages


@pytest.mark.parametrize(("number", "probe"), RIGHT_PROBES)
def test_other_proofs_pass_too(number: str, probe: str) -> None:
    verdict = check_answer(number, SOLUTIONS[number].name, probe)
    assert verdict.outcome == "passed", verdict.messages


@pytest.mark.parametrize("number", SOLUTIONS)
def test_a_case_s_probe_is_false_of_a_right_system(number: str) -> None:
    opened = open_case(number)
    code = compile(SOLUTIONS[number].probe, "probe", "eval")
    assert eval(code, dict(opened.names))
    assert not eval(code, dict(opened.right_names))


@pytest.mark.parametrize(("number", "probe"), SYMPTOMS)
def test_a_probe_that_sees_the_symptom_alone_is_told_so(number: str, probe: str) -> None:
    verdict = check_answer(number, SOLUTIONS[number].name, probe)
    assert verdict.outcome == "wrong"
    assert verdict.messages[0] == "Name: right."
    assert "not yet why" in verdict.messages[1]


@pytest.mark.parametrize("number", SOLUTIONS)
def test_the_names_of_all_other_faults_are_wrong_and_the_probe_is_judged_all_the_same(number: str) -> None:
    case = CASES[number]
    other = next(name for name in fault_names() if name not in (SOLUTIONS[number].name, *case.synonyms))
    verdict = check_answer(number, other, SOLUTIONS[number].probe)
    assert verdict.outcome == "wrong"
    assert "another fault" in verdict.messages[0]
    assert verdict.messages[1].startswith("Probe: right.")
    assert SOLUTIONS[number].name not in " ".join(verdict.messages)


@pytest.mark.parametrize("name", ["No_Look Ahead", "no-causal-mask", "  no look-ahead "])
def test_a_name_is_read_with_other_dashes_and_as_a_synonym(name: str) -> None:
    assert check_answer("D1", name, SOLUTIONS["D1"].probe).outcome == "passed"


def test_a_misspelt_name_gets_near_ones_and_an_unknown_one_the_list() -> None:
    assert "no-look-ahead" in check_answer("D2", "no-lok-ahead", "True").messages[0]
    assert "list of names" in check_answer("D2", "zzz", "True").messages[0]


def test_no_answer_at_all_is_not_started() -> None:
    verdict = check_answer("D1", " ", "")
    assert verdict == DebugVerdict("not started", (CASES["D1"].ask,))


def test_half_an_answer_says_which_half_is_missing() -> None:
    name_alone, probe_alone = check_answer("D1", "no-look-ahead", ""), check_answer("D1", "", SOLUTIONS["D1"].probe)
    assert (name_alone.outcome, probe_alone.outcome) == ("wrong", "wrong")
    assert name_alone.messages[1].startswith("Probe: missing")
    assert probe_alone.messages[0].startswith("Name: missing")


@pytest.mark.parametrize(
    ("probe", "says"),
    [
        ("True", "also True for a right system"),
        ("False", "False for this system"),
        ("torch.allclose(model(src, trg)[:, :4], model(src, trg[:, :4]))", "`not`"),
        ("model(src, trg).isnan()", "a tensor of torch.bool and shape (8, 9, 13). A probe answers once"),
        ("model(src, trg)", "compare it"),
        ("1", "1, a int. A probe answers True or False"),
        ("1 / 0", "1 / 0 stops with ZeroDivisionError: division by zero"),
        ("model(src)", "stops with TypeError"),
        ("sauce(src, trg)", "stops with NameError: name 'sauce' is not defined"),
        ("a = 3", "is not one expression"),
        ("model(src, trg", "is not one expression"),
        ("open('x')", "name 'open' is not defined"),
        ("__import__('os')", "__import__ is out of bounds"),
        ("model.__closure__", "__closure__ is out of bounds"),
    ],
)
def test_a_probe_that_proves_nothing_is_told_why(probe: str, says: str) -> None:
    verdict = check_answer("D1", "no-look-ahead", probe)
    assert verdict.outcome == "wrong"
    assert says in verdict.messages[1]
    assert "Traceback" not in verdict.messages[1]


def test_a_probe_that_stops_in_a_right_system_alone_is_told_where() -> None:
    verdict = check_answer("D3", "softmax-twice", "model(src, trg).max() < 1 or [][0]")
    assert "on a right system" in verdict.messages[1]
    assert "IndexError" in verdict.messages[1]


def test_a_probe_that_writes_into_its_tensors_spoils_nothing_for_the_next_one() -> None:
    check_answer("D1", "no-look-ahead", "trg.fill_(0).any()")
    assert check_answer("D1", "no-look-ahead", SOLUTIONS["D1"].probe).outcome == "passed"


def test_a_name_may_be_given_to_a_part_within_the_expression() -> None:
    probe = "(one := model(src, trg)) is not None and not torch.allclose(one[:, :4], model(src, trg[:, :4]))"
    assert check_answer("D1", "no-look-ahead", probe).outcome == "passed"


@pytest.mark.parametrize("number", SOLUTIONS)
def test_no_right_system_is_accused_and_no_other_case_s_fault_is_taken_for_this_one(number: str) -> None:
    opened = {other: open_case(other) for other in SYSTEMS if set(CASES[other].names) >= set(CASES[number].names)}
    code = compile(SOLUTIONS[number].probe, "probe", "eval")
    if number in ("D1", "D4"):  # they ask for a difference: NaN differs from itself, and so does what is random
        del opened["D5"], opened["D9d"]
    for other, each in opened.items():
        if other != number:
            assert not eval(code, dict(each.names)), other


def test_functions_take_their_arguments_by_name_too() -> None:
    names = open_case("D8").names
    assert names["beam"](src=names["src"][:1], width=2) == names["beam"](names["src"][:1], 2)
    logits = names["model"](src=names["src"], trg=names["trg"])
    assert names["loss"](logits=logits, targets=names["trg"]) == names["loss"](logits, names["trg"])


def test_a_verdict_survives_json() -> None:
    verdict = check_answer("D1", "no-look-ahead", "1 / 0")
    assert DebugVerdict.from_dict(json.loads(json.dumps(verdict.to_dict()))) == verdict


def test_d10_has_no_system_to_open() -> None:
    with pytest.raises(UserError, match="asks for a test"):
        open_case("D10")


def test_the_console_has_the_names_of_the_banner_and_no_others() -> None:
    for number in SYSTEMS:
        opened = open_case(number)
        assert set(opened.names) == set(opened.right_names) == set(CASES[number].names)
        assert all(thing.__doc__ for name, thing in opened.names.items() if name in ("model", "loss", "greedy"))


def test_every_name_that_can_be_answered_has_a_sentence_and_the_list_is_in_order() -> None:
    titles = fault_titles()
    assert list(titles) == sorted(titles) == list(fault_names())
    assert all(title.endswith(".") for title in titles.values())
    assert set(AROUND).isdisjoint(FAULTS)
