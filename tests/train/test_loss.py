"""The loss against the formula, and the validation loss."""

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from glassformer.data import make_batch
from glassformer.errors import UserError
from glassformer.look import watch
from glassformer.model.config import Tying
from glassformer.model.transformer import Transformer
from glassformer.train import label_smoothed_loss, loss, validation_loss
from glassformer.train.loss import ModelLoss, output_loss
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


def gradients(loss: torch.Tensor, model: Transformer) -> dict[str, torch.Tensor]:
    names, parameters = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(3 * loss, parameters, retain_graph=True), strict=True))


@pytest.mark.parametrize("tying", ["none", "three-way"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("chunk", [1, 3 * 11, 2**20], ids=["by row", "by three rows", "in one"])
def test_the_loss_in_chunks_and_its_gradients_are_those_of_all_logits_at_once(
    monkeypatch: pytest.MonkeyPatch, tying: Tying, smoothing: float, chunk: int
) -> None:
    monkeypatch.setattr(loss, "CPU_CHUNK", chunk)
    model, batch = small_model(tie_embeddings=tying, src_vocab_size=11), batches()[1]
    ours = ModelLoss(model)(batch, 0, smoothing)
    plain = label_smoothed_loss(model(batch.src, batch.trg_in), batch.trg_out, 0, smoothing)
    torch.testing.assert_close(ours, plain, rtol=1e-13, atol=0)
    expected = gradients(plain, model)
    for name, gradient in gradients(ours, model).items():
        torch.testing.assert_close(gradient, expected[name], rtol=0, atol=1e-12, msg=name)


def single_and_exact(offset: float) -> tuple[list[torch.Tensor], list[torch.Tensor], torch.Tensor]:
    """What 300 rows of logits for 1,000 words are made of, in float32 and float64, and targets."""
    single = [torch.randn(300, 16), torch.randn(1000, 16), torch.randn(1000) + offset]
    exact = [part.double().requires_grad_() for part in single]
    return [part.requires_grad_() for part in single], exact, torch.randint(1000, (300,))


def all_at_once(exact: list[torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
    return label_smoothed_loss(F.linear(*exact).unsqueeze(0), targets.unsqueeze(0), 0, 0.1)


def test_in_float32_the_loss_in_chunks_and_its_gradients_are_exact_to_a_millionth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loss, "CPU_CHUNK", 7 * 1000)
    single, exact, targets = single_and_exact(0)
    ours, plain = output_loss(*single, targets, 0, 0.1), all_at_once(exact, targets)
    assert ours.item() == pytest.approx(plain.item(), rel=1e-6)
    expected = torch.autograd.grad(plain, exact)
    for gradient, right in zip(torch.autograd.grad(ours, single), expected, strict=True):
        torch.testing.assert_close(gradient.double(), right, rtol=0, atol=1e-6 * right.abs().max().item())


def test_logits_that_are_all_large_cost_the_loss_no_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss, "CPU_CHUNK", 7 * 1000)
    single, exact, targets = single_and_exact(300)
    assert output_loss(*single, targets, 0, 0.1).item() == pytest.approx(all_at_once(exact, targets).item(), rel=1e-6)


def test_a_word_that_cannot_be_written_leaves_the_validation_loss_a_number() -> None:
    model, batch = small_model(), batches()[1]
    with torch.no_grad():
        model.fc_out.bias[0] = -math.inf  # padding's: no target that counts
    plain = label_smoothed_loss(model(batch.src, batch.trg_in), batch.trg_out, 0, 0.0)
    assert ModelLoss(model)(batch, 0, 0.0).item() == pytest.approx(plain.item(), rel=1e-12)


def test_the_largest_tensor_of_a_step_does_not_grow_with_tokens_times_vocabulary(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loss, "CPU_CHUNK", 4096)
    model = small_model(src_vocab_size=512, trg_vocab_size=512, max_length=64)
    tokens = 40 * [7] + [2]
    batch = make_batch([tokens] * 8, [[1, *tokens]] * 8, src_pad_id=0, trg_pad_id=0)
    assert largest(lambda: ModelLoss(model)(batch, 0, 0.1).backward()) < batch.trg_out.numel() * 512
    assert largest(lambda: model(batch.src, batch.trg_in)) >= batch.trg_out.numel() * 512


def largest(work: Callable[[], object]) -> int:
    """The number of elements of the largest tensor that any operation makes."""
    sizes = [0]

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            made = func(*args, **(kwargs or {}))
            sizes.extend(part.numel() for part in tree_leaves(made) if isinstance(part, torch.Tensor))
            return made

    with Sizes():
        work()
    return max(sizes)


def test_a_subclass_is_asked_for_its_own_logits() -> None:
    class Colder(Transformer):
        def forward(self, src: torch.Tensor, trg: torch.Tensor) -> torch.Tensor:
            return super().forward(src, trg) / 2

    model, batch = Colder(13, 11, 0, 0, 8, 1, 2, 2), batches()[1]
    expected = label_smoothed_loss(model(batch.src, batch.trg_in), batch.trg_out, 0, 0.1)
    assert ModelLoss(model)(batch, 0, 0.1).item() == pytest.approx(expected.item(), rel=1e-12)


def test_whoever_watches_a_loss_sees_its_logits() -> None:
    model, batch = small_model(), batches()[1]
    with watch(model) as seen:
        ModelLoss(model)(batch, 0, 0.1)
    assert seen["logits"].value.shape == (*batch.trg_out.shape, 11)


@pytest.mark.parametrize("kind", ["forward", "forward_pre", "full_backward", "full_backward_pre"])
def test_a_hook_on_the_output_layer_is_called(kind: str) -> None:
    model, batch, called = small_model(), batches()[1], []
    getattr(model.fc_out, f"register_{kind}_hook")(lambda *_: called.append(kind))
    ModelLoss(model)(batch, 0, 0.1).backward()
    assert called


def test_a_hook_on_the_model_is_called() -> None:
    model, batch, called = small_model(), batches()[1], []
    model.register_forward_hook(lambda *_: called.append("the model"))
    ModelLoss(model)(batch, 0, 0.1)
    assert called


def test_an_output_layer_without_a_bias_trains() -> None:
    model, batch = small_model(), batches()[1]
    model.fc_out = nn.Linear(model.fc_out.in_features, 11, bias=False, dtype=torch.float64)
    plain = label_smoothed_loss(model(batch.src, batch.trg_in), batch.trg_out, 0, 0.1)
    assert ModelLoss(model)(batch, 0, 0.1).item() == pytest.approx(plain.item(), rel=1e-12)


def test_under_autocast_the_weights_get_gradients_in_their_own_dtype() -> None:
    model, batch = small_model(dtype=torch.float32), batches()[1]
    with torch.autocast("cpu", torch.bfloat16):
        ours = ModelLoss(model)(batch, 0, 0.1)
        plain = label_smoothed_loss(model(batch.src, batch.trg_in), batch.trg_out, 0, 0.1)
    assert ours.dtype == torch.float32
    assert ours.item() == pytest.approx(plain.item(), rel=1e-6)
    expected = gradients(plain, model)
    digit = 2**-7 * max(gradient.abs().max().item() for gradient in expected.values())
    for name, gradient in gradients(ours, model).items():
        assert gradient.dtype == torch.float32
        torch.testing.assert_close(gradient, expected[name], rtol=2**-6, atol=digit)


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
