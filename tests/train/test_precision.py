"""In which numbers a model computes, by device and dtype."""

import pytest
import torch

from glassformer.train import precision
from glassformer.train.config import Precision
from glassformer.train.precision import autocast
from tests.small import small_batch, small_model


@pytest.mark.parametrize(
    ("weights", "wanted", "fast", "logits"),
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
    monkeypatch: pytest.MonkeyPatch, weights: torch.dtype, wanted: Precision, fast: bool, logits: torch.dtype
) -> None:
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: fast)
    model = small_model(dtype=weights)
    src, trg = small_batch()
    with autocast(model, wanted):
        assert model(src, trg[:, :-1]).dtype == logits


def test_a_device_we_know_nothing_of_computes_in_float32() -> None:
    assert not precision.has_fast_bfloat16(torch.device("mps"))


def test_this_cpu_is_asked_not_timed() -> None:
    flags = torch.cpu.get_capabilities()
    expected = bool(flags.get("avx512_bf16") or flags.get("amx_bf16"))
    assert precision.has_fast_bfloat16(torch.device("cpu")) == expected
