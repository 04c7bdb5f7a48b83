"""In which numbers a model computes, and with which attention, by device, dtype and length."""

import pytest
import torch
from torch import Tensor

from glassformer.data import make_batch
from glassformer.model.attention import attention
from glassformer.model.fused import fused_attention, use_attention
from glassformer.train import TrainingConfig, fast, train_step
from glassformer.train.config import Precision
from glassformer.train.fast import autocast
from glassformer.train.step import make_optimizer
from tests.small import small_batch, small_model


@pytest.mark.parametrize(
    ("weights", "wanted", "has", "logits"),
    [
        (torch.float32, "auto", True, torch.bfloat16),
        (torch.float32, "auto", False, torch.float32),
        (torch.float32, "float32", True, torch.float32),
        (torch.float32, "bfloat16", False, torch.bfloat16),
        (torch.float64, "auto", True, torch.float64),
        (torch.float64, "float64", True, torch.float64),
        (torch.bfloat16, "float32", True, torch.bfloat16),
    ],
)
def test_precision_follows_the_device_and_the_weights(
    monkeypatch: pytest.MonkeyPatch, weights: torch.dtype, wanted: Precision, has: bool, logits: torch.dtype
) -> None:
    monkeypatch.setattr(fast, "has_fast_bfloat16", lambda device: has)
    model = small_model(dtype=weights)
    src, trg = small_batch()
    with autocast(model, wanted):
        assert model(src, trg[:, :-1]).dtype == logits


def test_a_device_we_know_nothing_of_computes_in_float32() -> None:
    assert not fast.has_fast_bfloat16(torch.device("mps"))


def test_this_cpu_is_asked_not_timed() -> None:
    flags = torch.cpu.get_capabilities()
    expected = bool(flags.get("avx512_bf16") or flags.get("amx_bf16"))
    assert fast.has_fast_bfloat16(torch.device("cpu")) == expected


@pytest.mark.parametrize(
    ("dtype", "keys", "threads", "chosen"),
    [
        (torch.bfloat16, 255, 1, "written"),
        (torch.bfloat16, 256, 1, "fused"),
        (torch.float32, 4, 1, "fused"),
        (torch.float32, 19, 2, "written"),
        (torch.float32, 20, 2, "fused"),
        (torch.float64, 19, 1, "fused"),
    ],
)
def test_few_keys_in_bfloat16_or_with_several_threads_are_written_out_and_all_else_is_fused(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, keys: int, threads: int, chosen: str
) -> None:
    asked = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    for name, attend in (("attention", attention), ("fused_attention", fused_attention)):
        monkeypatch.setattr(
            fast, name, lambda *tensors, name=name, attend=attend: [asked.append(name), attend(*tensors)][1]
        )
    many = torch.randn(1, keys, 2, 4, dtype=dtype)
    fast.faster_attention(many[:, :3], many, many, torch.ones(1, 1, 3, keys, dtype=torch.bool))
    assert asked == [{"written": "attention", "fused": "fused_attention"}[chosen]]


def test_a_step_leaves_the_attention_as_it_was_and_never_replaces_somebody_elses() -> None:
    asked = []

    def mine(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        asked.append(len(queries))
        return attention(queries, keys, values, mask)

    batch = make_batch([[3, 4, 2]], [[1, 5, 2]], src_pad_id=0, trg_pad_id=0)
    config = TrainingConfig(max_steps=1)
    model = small_model()
    train_step(model, make_optimizer(model, config), [batch], config, rate=0.01, pad_idx=0)
    assert {layer.self_attention.attend for layer in model.decoder.layers} == {attention}
    use_attention(model, mine)
    train_step(model, make_optimizer(model, config), [batch], config, rate=0.01, pad_idx=0)
    assert asked
    assert {layer.self_attention.attend for layer in model.decoder.layers} == {mine}
