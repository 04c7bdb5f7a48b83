"""The zoo: what every fault promises, and what some of them are. That each is caught stands in tests/test_faults.py."""

import re
from copy import deepcopy

import pytest
import torch
from torch import Tensor

from glassformer.decode import DecodingConfig, greedy
from glassformer.errors import UserError
from glassformer.learn.zoo import FAULTS, Fault, plant
from glassformer.model.cache import Cache
from glassformer.model.fused import use_fused
from glassformer.model.transformer import Transformer
from tests import properties
from tests.small import PAD, small_batch, small_model
from tests.test_faults import model_for, paper_model

each_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)


def answers(model: Transformer) -> list[Tensor]:
    """Scores of one pass, of decoding in two parts with a cache, and of an empty source; chance seeded."""
    torch.manual_seed(1)
    src, trg = small_batch()
    memory, src_mask, cache = model.encode(src), model.make_src_mask(src), Cache(len(model.decoder.layers))
    parts = [model.decode(part, memory, src_mask, cache) for part in trg.split([3, 3], dim=1)]
    return [model(src, trg), *parts, model(torch.full_like(src, PAD), trg)]


def same(some: list[Tensor], others: list[Tensor]) -> bool:
    return all(torch.allclose(a, b, rtol=0, atol=1e-10, equal_nan=True) for a, b in zip(some, others, strict=True))


@each_fault
def test_a_fault_keeps_parameters_and_their_names(fault: Fault) -> None:
    model = model_for(fault)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    parameters = [name for name, _ in model.named_parameters()]
    after = plant(model, fault.name).state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert [name for name, _ in model.named_parameters()] == parameters


@each_fault
def test_a_fault_stays_in_a_copy_which_has_weights_of_its_own(fault: Fault) -> None:
    model = plant(model_for(fault), fault.name)
    copy = deepcopy(model)
    before = answers(model)
    assert same(answers(copy), before)
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.mul_(0.5)
    assert same(answers(model), before)
    assert not same(answers(copy), before)


@each_fault
def test_a_fault_stays_when_the_fast_attention_is_chosen_and_when_it_is_planted_again(fault: Fault) -> None:
    model = plant(model_for(fault), fault.name)
    before = answers(model)
    assert same(answers(plant(use_fused(model), fault.name)), before)


@each_fault
def test_a_fault_has_all_that_there_is_to_say_of_it(fault: Fault) -> None:
    assert FAULTS[fault.name] is fault
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", fault.name)
    assert re.fullmatch(r"[A-Z].{20,}\.", fault.title)
    assert re.fullmatch(r"[A-Z].{40,}\.", fault.symptom)
    assert re.fullmatch(r"[\w.-]+/[\w.-]+#\d+|seen in .{5,}", fault.thread)
    assert fault.exercise in {f"{number:02}" for number in range(1, 21)}


def test_no_two_faults_say_the_same() -> None:
    assert len({fault.title for fault in FAULTS.values()}) == len(FAULTS)
    assert len({fault.symptom for fault in FAULTS.values()}) == len(FAULTS)


def test_no_fault_is_no_change() -> None:
    model = paper_model()
    before, classes = answers(model), [type(module) for module in model.modules()]
    assert plant(model, None) is model
    assert [type(module) for module in model.modules()] == classes
    assert same(answers(model), before)


def test_a_fault_in_one_model_is_in_no_other() -> None:
    other = paper_model()
    before = answers(other)
    for fault in FAULTS.values():
        plant(model_for(fault), fault.name)
    assert same(answers(other), before)


def test_two_faults_live_in_one_model() -> None:
    model = plant(plant(paper_model(), "scale-missing"), "no-look-ahead")
    assert properties.future_leak(model) > 0
    others = plant(paper_model(), "scale-missing").encoder
    assert [type(module).__name__ for module in model.encoder.modules()] == [type(m).__name__ for m in others.modules()]
    assert type(model.decoder.layers[0].self_attention).__name__ == "NoLookAheadScaleMissingMultiHeadAttention"


def test_an_unknown_fault_is_answered_with_near_names() -> None:
    with pytest.raises(UserError, match=r"unknown fault 'no-look-ahed'. Did you mean no-look-ahead"):
        plant(small_model(), "no-look-ahed")


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("embeddings-not-scaled", "scale_embeddings=True"),
        ("sines-then-cosines", "positions='sinusoidal'"),
        ("final-norm-missing", "final norms"),
        ("dropout-in-eval", "dropout above 0"),
    ],
)
def test_a_fault_that_would_change_nothing_is_refused(name: str, needed: str) -> None:
    with pytest.raises(UserError, match=f"'{name}' changes nothing in this model: it needs one with {needed}"):
        plant(small_model(), name)


@pytest.mark.parametrize(
    ("name", "place"),
    [("frozen-encoder", "encoder."), ("queries-not-projected", ".to_queries."), ("layers-share-weights", ".layers.1.")],
)
def test_what_a_fault_puts_out_of_reach_gets_no_gradient_and_all_else_does(name: str, place: str) -> None:
    model = plant(paper_model(), name)
    model(*small_batch()).square().sum().backward()
    without = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert without == {name for name, _ in model.named_parameters() if place in name}


def test_without_a_look_ahead_mask_padding_stays_closed() -> None:
    model = plant(small_model(), "no-look-ahead")
    assert properties.future_leak(model) > 0
    assert properties.padding_effect(model) < 1e-12


def test_without_a_look_ahead_mask_a_model_writes_as_it_would_with_it() -> None:
    (src, _), model = small_batch(), small_model()
    before = greedy(model, src, 1, 2, DecodingConfig())
    after = greedy(plant(model, "no-look-ahead"), src, 1, 2, DecodingConfig())
    assert [hypothesis.ids for hypothesis in after] == [hypothesis.ids for hypothesis in before]
    for one, other in zip(after, before, strict=True):
        assert one.token_log_probs == pytest.approx(other.token_log_probs, abs=1e-12)


@pytest.mark.parametrize("name", [fault.name for fault in FAULTS.values() if fault.kind == "decoding"])
def test_a_fault_of_decoding_is_not_there_in_training(name: str) -> None:
    model = paper_model().train()
    src, trg = small_batch()
    torch.manual_seed(1)
    before = model(src, trg)
    torch.manual_seed(1)
    assert torch.equal(plant(model, name)(src, trg), before)


@pytest.mark.parametrize("name", [fault.name for fault in FAULTS.values() if fault.kind == "leak"])
def test_a_leak_shows_the_future(name: str) -> None:
    assert properties.future_leak(plant(paper_model(), name)) > 0


@pytest.mark.parametrize("name", [fault.name for fault in FAULTS.values() if fault.kind == "padding"])
def test_a_fault_of_padding_makes_an_answer_depend_on_its_batch(name: str) -> None:
    assert properties.batch_effect(plant(paper_model(), name)) > 1e-6


@pytest.mark.parametrize("name", [fault.name for fault in FAULTS.values() if fault.kind == "breaks"])
def test_a_fault_that_breaks_computes_as_before_where_it_does_not(name: str) -> None:
    src, trg = small_batch()
    model = paper_model()
    before = model(src, trg)
    torch.testing.assert_close(plant(model, name)(src, trg), before, rtol=0, atol=1e-12)
