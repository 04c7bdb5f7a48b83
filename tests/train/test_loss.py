"""The loss against the formula, and the validation loss."""

import math

import pytest
import torch
import torch.nn.functional as F

from glassformer.data import make_batch
from glassformer.errors import UserError
from glassformer.train import label_smoothed_loss, loss, validation_loss
from tests.small import small_model


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_the_loss_is_the_cross_entropy_with_the_smoothed_target(smoothing: float) -> None:
    logits, targets = torch.randn(3, 5, 7, dtype=torch.float64), torch.randint(1, 7, (3, 5))
    targets[2, 3:] = 0
    total = 0.0
    for row, target in zip(logits.flatten(0, 1), targets.flatten().tolist(), strict=True):
        asked = [smoothing / 7 + (1 - smoothing) * (token == target) for token in range(7)]
        log_normaliser = math.log(sum(math.exp(value) for value in row.tolist()))
        if target != 0:
            total -= sum(p * (value - log_normaliser) for p, value in zip(asked, row.tolist(), strict=True))
    loss = label_smoothed_loss(logits, targets, pad_idx=0, smoothing=smoothing)
    assert loss.item() == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("chunk", [1, 7 * 11, 2**20])
def test_the_loss_and_its_gradient_are_torchs(monkeypatch: pytest.MonkeyPatch, smoothing: float, chunk: int) -> None:
    monkeypatch.setattr(loss, "CPU_CHUNK", chunk)
    logits = torch.randn(30, 3, 11, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(0, 11, (30, 3))
    theirs = F.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=0, label_smoothing=smoothing, reduction="sum"
    )
    ours = label_smoothed_loss(logits, targets, pad_idx=0, smoothing=smoothing)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=0)
    (expected,) = torch.autograd.grad(3 * theirs, logits)
    (gradient,) = torch.autograd.grad(3 * ours, logits)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-12)


def test_padding_counts_for_nothing() -> None:
    logits, targets = torch.randn(2, 4, 5, dtype=torch.float64), torch.randint(1, 5, (2, 4))
    padded_logits = torch.cat([logits, torch.randn(2, 3, 5, dtype=torch.float64)], dim=1)
    padded_targets = torch.cat([targets, torch.zeros(2, 3, dtype=torch.int64)], dim=1)
    expected = label_smoothed_loss(logits, targets, 0, 0.1)
    assert label_smoothed_loss(padded_logits, padded_targets, 0, 0.1).item() == pytest.approx(
        expected.item(), rel=1e-14
    )


def test_half_precision_logits_are_summed_in_float32() -> None:
    logits, targets = torch.randn(40, 30, 11, dtype=torch.bfloat16), torch.randint(1, 11, (40, 30))
    loss = label_smoothed_loss(logits, targets, 0, 0.1)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(label_smoothed_loss(logits.double(), targets, 0, 0.1).item(), rel=1e-5)


def test_the_gradient_has_the_dtype_of_the_logits() -> None:
    logits = torch.randn(4, 6, 9, dtype=torch.bfloat16, requires_grad=True)
    targets = torch.randint(1, 9, (4, 6))
    (gradient,) = torch.autograd.grad(label_smoothed_loss(logits, targets, 0, 0.1), logits)
    exact = logits.detach().double().requires_grad_()
    (expected,) = torch.autograd.grad(label_smoothed_loss(exact, targets, 0, 0.1), exact)
    assert gradient.dtype == torch.bfloat16
    assert torch.allclose(gradient.double(), expected, rtol=2**-8, atol=1e-6)


def batches() -> list:  # type: ignore[type-arg]
    pairs = [([3, 4, 2], [1, 5, 2]), ([6, 2], [1, 7, 8, 9, 2]), ([5, 2], [1, 2])]
    return [make_batch(*zip(*part, strict=True), src_pad_id=0, trg_pad_id=0) for part in (pairs[:1], pairs[1:])]


def test_the_validation_loss_is_the_mean_over_real_tokens_without_dropout() -> None:
    model = small_model(dropout=0.5).train()
    total = sum(
        label_smoothed_loss(model.eval()(batch.src, batch.trg_in), batch.trg_out, 0, 0.0).item() for batch in batches()
    )
    model.train()
    assert validation_loss(model, batches()) == pytest.approx(total / 7, rel=1e-14)
    assert model.training


def test_a_model_without_a_target_padding_id_needs_one_named() -> None:
    model = small_model(trg_pad_idx=None)
    with pytest.raises(UserError, match="name the id"):
        validation_loss(model, batches())
    assert validation_loss(model, batches(), pad_idx=0) > 0


def test_no_validation_sentence_is_an_error() -> None:
    with pytest.raises(UserError, match="no validation sentence"):
        validation_loss(small_model(), [])
