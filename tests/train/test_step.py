"""One update: the large batch in small ones, clipping, decay, precision, and numbers that are not finite."""

import copy
import math
from collections.abc import Sequence

import pytest
import torch

from glassformer.data import Batch, make_batch
from glassformer.model.transformer import Transformer
from glassformer.train import NotFiniteError, StepResult, TrainingConfig, label_smoothed_loss, train_step
from glassformer.train.step import make_optimizer
from tests.small import small_model

PAIRS = [
    ([3, 4, 5, 2], [1, 5, 2]),
    ([6, 2], [1, 7, 8, 9, 4, 2]),
    ([5, 2], [1, 2]),
    ([9, 8, 7, 2], [1, 3, 3, 2]),
    ([4, 4, 2], [1, 6, 5, 2]),
]


def batch(*numbers: int) -> Batch:
    return make_batch(*zip(*(PAIRS[number] for number in numbers), strict=True), src_pad_id=0, trg_pad_id=0)


def step(model: Transformer, micro_batches: Sequence[Batch], **choices: object) -> StepResult:
    config = TrainingConfig(**({"precision": "float64"} | choices))  # type: ignore[arg-type]
    return train_step(model, make_optimizer(model, config), micro_batches, config, rate=0.01, pad_idx=0)


@pytest.mark.parametrize("parts", [[(0, 1), (2, 3, 4)], [(0,), (1,), (2,), (3,), (4,)], [(4, 1, 0, 3), (2,)]])
@pytest.mark.parametrize("clip_norm", [0.0, 0.3])
def test_micro_batches_are_one_large_batch(parts: list[tuple[int, ...]], clip_norm: float) -> None:
    whole = small_model()
    cut = copy.deepcopy(whole)
    # A bias of keys moves every energy of a row alike, so its gradient is 0 but for rounding, which Adam would divide
    # by itself; a large epsilon keeps that out of the comparison.
    large = step(whole, [batch(0, 1, 2, 3, 4)], clip_norm=clip_norm, epsilon=1e-3)
    small = step(cut, [batch(*part) for part in parts], clip_norm=clip_norm, epsilon=1e-3)
    assert small.tokens == large.tokens == 2 + 5 + 1 + 3 + 3
    assert small.loss == pytest.approx(large.loss, abs=1e-10)
    assert small.grad_norm == pytest.approx(large.grad_norm, abs=1e-10)
    for name, weight in whole.named_parameters():
        assert torch.allclose(weight, cut.state_dict()[name], rtol=0, atol=1e-10), name


def test_the_loss_reported_is_per_real_token() -> None:
    model = small_model()
    one = batch(0, 1, 2)
    expected = label_smoothed_loss(model(one.src, one.trg_in), one.trg_out, 0, 0.1).item() / 8
    assert step(model, [one]).loss == pytest.approx(expected, rel=1e-12)


def test_a_long_gradient_is_shortened_and_a_short_one_is_not() -> None:
    norms = {}
    for clip_norm in (0.0, 0.1, 1e6):
        model = small_model().requires_grad_()
        torch.manual_seed(1)
        result = step(model, [batch(0, 1)], clip_norm=clip_norm)
        after = math.sqrt(sum(float(p.grad.square().sum()) for p in model.parameters() if p.grad is not None))
        norms[clip_norm] = after / result.grad_norm
        if clip_norm == 0.1:
            assert after == pytest.approx(0.1, rel=1e-4)
    assert norms[0.0] == pytest.approx(1, rel=1e-12)
    assert norms[1e6] == pytest.approx(1, rel=1e-12)


def test_biases_and_norms_do_not_decay() -> None:
    model = small_model()
    config = TrainingConfig(weight_decay=0.5)
    decays = {
        id(parameter): group["weight_decay"]
        for group in make_optimizer(model, config).param_groups
        for parameter in group["params"]
    }
    for name, parameter in model.named_parameters():
        is_vector = name.endswith("bias") or ".norm." in name
        assert decays[id(parameter)] == (0.0 if is_vector else 0.5), name


def test_the_update_is_adamw_by_its_formula() -> None:
    model = small_model()
    weight, before = model.fc_out.weight, model.fc_out.weight.detach().clone()
    step(model, [batch(0)], clip_norm=0.0, weight_decay=0.5, betas=(0.9, 0.98), epsilon=1e-3)
    gradient = weight.grad
    assert gradient is not None
    expected = before * (1 - 0.01 * 0.5) - 0.01 * gradient / (
        gradient.abs() + 1e-3
    )  # first step: m / sqrt(v) = g / |g|
    assert torch.allclose(weight, expected, rtol=0, atol=1e-12)


def spoil(model: Transformer, name: str, value: float) -> None:
    with torch.no_grad():
        model.get_parameter(name).view(-1)[3] = value


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize(
    "name", ["encoder.word_embedding.weight", "decoder.layers.1.cross_attention.to_keys.weight", "fc_out.bias"]
)
def test_a_weight_that_is_not_finite_is_named_even_where_it_is_not_used(name: str, value: float) -> None:
    model = small_model()
    spoil(model, name, value)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(NotFiniteError, match=f"the weight {name} holds {value}"):
        step(model, [batch(1)])
    assert_unchanged(model, before)


@pytest.mark.parametrize("name", ["encoder.layers.0.self_attention.to_values.bias", "fc_out.weight"])
def test_a_gradient_that_is_not_finite_is_named_and_nothing_is_updated(name: str) -> None:
    model = small_model()
    model.get_parameter(name).register_hook(lambda gradient: gradient.index_fill(0, torch.tensor([1]), math.nan))
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(NotFiniteError, match=f"the gradient of {name} holds nan"):
        step(model, [batch(0), batch(1)])
    assert_unchanged(model, before)


def test_a_loss_that_is_not_finite_stops_before_the_update() -> None:
    model = small_model()
    model.fc_out.register_forward_hook(lambda module, arguments, logits: logits * math.inf)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(NotFiniteError, match="the loss is nan"):
        step(model, [batch(0)])
    assert_unchanged(model, before)


def assert_unchanged(model: Transformer, before: dict[str, torch.Tensor]) -> None:
    for name, weight in model.state_dict().items():
        assert torch.equal(weight.nan_to_num(), before[name].nan_to_num()), name
