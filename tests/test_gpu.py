"""The same numbers on a GPU; skipped, saying so, where there is none."""

import pytest
import torch

from glassformer.decode import DecodingConfig, greedy
from glassformer.look import explain, watch
from glassformer.look.edits import zero_head
from glassformer.model.fused import use_fused
from glassformer.train import TrainingConfig, train_step
from glassformer.train.step import make_optimizer
from tests.small import PAD, VARIANTS, small_batch, small_model, variant_name

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine"),
]


@pytest.mark.parametrize("fused", [False, True], ids=["written", "fused"])
@pytest.mark.parametrize("choices", VARIANTS, ids=variant_name)
def test_the_gpu_gives_the_cpus_logits(choices: dict, fused: bool) -> None:
    model = small_model(**choices)
    src, trg = small_batch()
    expected = model(src, trg)
    model = model.cuda()
    if fused:
        use_fused(model)
    torch.testing.assert_close(model(src.cuda(), trg.cuda()).cpu(), expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_finite_on_a_gpu(dtype: torch.dtype) -> None:
    src, trg = small_batch()
    logits = use_fused(small_model().to("cuda", dtype))(src.cuda(), trg.cuda())
    assert torch.isfinite(logits[(trg != PAD).cuda()]).all()


def test_greedy_answers_are_the_cpus() -> None:
    model = small_model()
    src, _ = small_batch()
    config = DecodingConfig()
    on_cpu = [hypothesis.ids for hypothesis in greedy(model, src, 1, 2, config)]
    assert [hypothesis.ids for hypothesis in greedy(model.cuda(), src.cuda(), 1, 2, config)] == on_cpu


def test_a_watched_pass_has_its_values_on_the_gpu() -> None:
    model = small_model().cuda()
    src, trg = small_batch()
    with watch(model) as seen:
        model(src.cuda(), trg.cuda())
    assert seen["decoder.layers.0.cross_attention.attention"].value.is_cuda


def test_an_edit_and_an_explanation_on_the_gpu_are_the_cpus() -> None:
    src, trg = small_batch()
    name = "decoder.layers.0.cross_attention.attention"
    told = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        model = small_model().to(device)
        with watch(model, edit={name: zero_head(1)}) as seen:
            logits = model(src.to(device), trg.to(device))
        cell = explain(seen, "decoder.layers.0.cross_attention.energy", (0, 0, 1, 2))
        told.append((logits.cpu(), cell.total))
    torch.testing.assert_close(told[1][0], told[0][0], rtol=0, atol=1e-11)
    assert told[1][1] == pytest.approx(told[0][1], abs=1e-11)


def test_a_training_step_in_bfloat16_lowers_the_loss() -> None:
    from glassformer.data import make_batch

    model = use_fused(small_model(dtype=torch.float32).cuda())
    config = TrainingConfig(max_steps=20)
    optimizer = make_optimizer(model, config)
    batch = make_batch([[4, 5, 2], [6, 2]], [[1, 7, 8, 2], [1, 9, 2]], src_pad_id=PAD, trg_pad_id=PAD).to("cuda")
    losses = [train_step(model, optimizer, [batch], config, rate=1e-2, pad_idx=PAD).loss for _ in range(20)]
    assert losses[-1] < losses[0] / 2
