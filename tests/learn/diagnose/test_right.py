"""Right models: the diagnosis finds nothing in them, whoever wrote them, and hands them back as they were."""

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glassformer.learn.diagnose import Adapter, CannotCall, Report, diagnose
from glassformer.model.config import tiny
from glassformer.model.fused import use_fused
from glassformer.model.transformer import Transformer
from tests.learn.diagnose.right import RIGHT, Hand, MasksRequired, marian
from tests.small import VARIANTS, small_model, variant_name

SIZES: dict[str, Any] = dict(src_vocab_size=13, trg_vocab_size=11, src_pad_idx=0, trg_pad_idx=0)
SMALL: dict[str, Any] = dict(embed_size=12, num_layers=2, forward_expansion=2, heads=2, max_length=16)


def names(report: Report) -> list[str]:
    return [finding.name for finding in report.findings]


def expected(choices: dict[str, Any]) -> list[str]:
    return ["positions-ignored"] if choices["positions"] == "none" else []


@pytest.mark.parametrize("choices", VARIANTS, ids=variant_name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_our_own_model_is_right_except_that_no_positions_are_noticed(
    choices: dict[str, Any], dtype: torch.dtype
) -> None:
    report = diagnose(small_model(**choices, src_pad_idx=2).to(dtype))
    assert names(report) == expected(choices)
    # All else was really asked.
    assert {each.check for each in report.unchecked} == {"generate", "loss"}


@pytest.mark.parametrize("choices", VARIANTS, ids=variant_name)
def test_our_own_model_is_right_when_new_fused_and_without_a_target_padding_mask(choices: dict[str, Any]) -> None:
    model = use_fused(Transformer(**(SIZES | SMALL | choices | dict(trg_pad_idx=None))))
    assert names(diagnose(model)) == expected(choices)


@pytest.mark.parametrize(
    "choices",
    [
        tiny(),
        dict(num_layers=1, heads=1, embed_size=12),
        dict(embed_size=64, heads=8, num_layers=1, tie_embeddings="two-way"),
        SMALL | dict(src_vocab_size=11, tie_embeddings="three-way", scale_embeddings=True),
    ],
    ids=["tiny", "one layer, one head", "wide and tied", "one table"],
)
def test_our_own_model_is_right_in_other_sizes(choices: dict[str, Any]) -> None:
    assert names(diagnose(Transformer(**(SIZES | choices)))) == []


@pytest.mark.parametrize("trg_pad_idx", [0, None])
def test_start_as_padding_is_a_note_and_no_accusation(trg_pad_idx: int | None) -> None:
    report = diagnose(small_model(trg_pad_idx=trg_pad_idx), Adapter(start_idx=0, end_idx=1))
    assert names(report) == []
    assert ("start-is-padding" in {note.name for note in report.notes}) == (trg_pad_idx == 0)


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_right_models_of_others_are_right(name: str) -> None:
    report = diagnose(RIGHT[name]())
    assert names(report) == [], report.findings
    assert len(report.held) >= 18


@pytest.mark.peers
@pytest.mark.parametrize(
    "choices", [{}, dict(scale_embedding=False, vocab_size=23, pad_token_id=22, decoder_start_token_id=22)]
)
def test_marian_with_random_weights_is_right(choices: dict[str, Any]) -> None:
    report = diagnose(marian(**choices))
    assert names(report) == [], report.findings
    assert {"cache", "generate"} <= set(report.held)
    assert "start-is-padding" in {note.name for note in report.notes}


@pytest.mark.peers
def test_configurations_of_marian_that_disagree_are_found() -> None:
    model: Any = marian()
    model.generation_config.eos_token_id = 5
    report = diagnose(model)
    assert names(report) == ["special-ids"]
    assert "generation_config.eos_token_id is 5" in report.findings[0].witness


def test_the_place_of_the_norms_is_told() -> None:
    told = {
        norm: [note.text for note in diagnose(small_model(norm=norm)).notes if note.name == "norm-placement"]
        for norm in ("post", "pre")
    }
    assert "4 blocks are post-norm" in told["post"][0]
    assert "4 blocks are pre-norm" in told["pre"][0]
    assert "encoder.norm, decoder.norm" in told["pre"][0]


def test_masks_left_to_the_caller_are_asked_for_and_then_found_right() -> None:
    report = diagnose(MasksRequired())
    assert names(report) == []
    assert any(each.check == "future-leak" and "Adapter(call=" in each.why for each in report.unchecked)

    def call(model: nn.Module, src: Tensor, trg: Tensor) -> Tensor:
        scores: Tensor = model(src, trg, Hand.trg_mask(model, trg))  # type: ignore[arg-type]
        return scores

    assert "future and history of the target" in diagnose(MasksRequired(), Adapter(call=call)).held


def test_an_unknown_padding_id_is_found_by_what_the_model_hides() -> None:
    model = Hand()
    keeps = {"src_pad_idx": model.src_pad_idx, "trg_pad_idx": model.trg_pad_idx}
    del model.src_pad_idx, model.trg_pad_idx
    model.src_mask = lambda src: (src != keeps["src_pad_idx"])[:, None, None, :]  # type: ignore[method-assign]
    model.trg_mask = lambda trg: model.look_ahead(trg.size(1), trg.device)  # type: ignore[method-assign]
    report = diagnose(model)
    assert names(report) == []
    assert "padding of the source: 1 (the one id that changes nothing behind a source)" in report.called


def test_what_the_adapter_says_comes_first() -> None:
    report = diagnose(small_model(src_pad_idx=2), Adapter(src_pad_idx=3))
    assert names(report) == ["wrong-pad-id"]
    assert "id 2 changes nothing" in report.findings[0].witness


def test_a_generate_that_differs_from_one_pass_is_found() -> None:
    model = small_model()

    def greedy(model: Any, src: Tensor, worst: bool = False) -> Tensor:
        written = torch.full((src.size(0), 1), 1)
        for _ in range(4):
            scores = model(src, written)[:, -1]
            written = torch.cat([written, (scores.argmin if worst else scores.argmax)(dim=-1, keepdim=True)], dim=1)
        return written

    right = diagnose(model, Adapter(generate=greedy, start_idx=1))
    assert names(right) == []
    assert "generate" in right.held
    wrong = diagnose(model, Adapter(generate=lambda model, src: greedy(model, src, worst=True), start_idx=1))
    assert names(wrong) == ["decoding-differs"]


def snapshot(model: nn.Module) -> dict[str, Any]:
    return {
        "numbers": {name: value.clone() for name, value in model.state_dict().items()},
        "pointers": [p.data_ptr() for p in model.parameters()],
        "modes": [module.training for module in model.modules()],
        "gradients": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "rates": [module.p for module in model.modules() if isinstance(module, nn.Dropout)],
        "hooks": sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()),
        "random": torch.get_rng_state(),
        "dtype": torch.get_default_dtype(),
        "dropout": inspect.getsource(nn.functional.dropout),
    }


def assert_same(one: Any, other: Any) -> None:
    if isinstance(one, Tensor):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        assert one == other


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_model_and_the_random_state_are_left_as_they_were(dtype: torch.dtype) -> None:
    model = small_model(dropout=0.3).to(dtype).train()
    model.encoder.eval()
    src, trg = torch.randint(1, 11, (2, 4)), torch.randint(1, 11, (2, 3))
    model(src, trg).sum().backward()
    before = snapshot(model)
    diagnose(model)
    assert_same(before, snapshot(model))


def test_a_model_that_cannot_be_called_is_left_as_it_was_and_says_what_to_write() -> None:
    model = nn.Bilinear(3, 3, 2).train()
    before = snapshot(model)
    with pytest.raises(CannotCall, match=r"(?s)Tried:.*Adapter\(call=call"):
        diagnose(model)
    assert_same(before, snapshot(model))
