"""Proof 1: the fused attention is the written-out one, forward and gradients."""

import math

import pytest
import torch
from torch import Tensor

from glassformer.model.attention import attention
from glassformer.model.fused import fused_attention, use_fused, use_written
from glassformer.model.masks import look_ahead_mask, padding_mask, target_mask
from tests.small import small_batch, small_model

N, H, D = 3, 2, 5
MASKS = ["none", "padding", "look-ahead", "target", "empty row"]


def make_mask(kind: str, query_len: int, key_len: int) -> Tensor:
    tokens = torch.ones(N, key_len, dtype=torch.long)
    tokens[1, key_len - 2 :] = 0
    if kind == "padding":
        return padding_mask(tokens, 0)
    if kind == "look-ahead":
        return look_ahead_mask(query_len, key_len, torch.device("cpu"))
    if kind == "target":
        return target_mask(tokens, 0, query_len)
    mask = torch.ones(N, 1, query_len, key_len, dtype=torch.bool)
    if kind == "empty row":
        mask[0, 0, -1] = False
        mask[2] = False
    return mask


def run(attend, tensors: list[Tensor], mask: Tensor, weights: Tensor) -> list[Tensor]:
    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    out = attend(*leaves, mask)
    (out * weights).sum().backward()
    return [out.detach(), *(leaf.grad for leaf in leaves)]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize(("query_len", "key_len"), [(7, 7), (1, 9), (3, 9)])
def test_fused_attention_equals_the_written_out_one_with_its_gradients(
    query_len: int, key_len: int, kind: str, dtype: torch.dtype, tolerance: float
) -> None:
    shapes = [(N, query_len, H, D), (N, key_len, H, D), (N, key_len, H, D)]
    tensors = [torch.randn(shape, dtype=dtype) for shape in shapes]
    mask = make_mask(kind, query_len, key_len)
    weights = torch.randn(N, query_len, H, D, dtype=dtype)
    for written, fused in zip(
        run(attention, tensors, mask, weights), run(fused_attention, tensors, mask, weights), strict=True
    ):
        assert torch.isfinite(written).all()
        torch.testing.assert_close(fused, written, rtol=0, atol=tolerance)


def test_attention_is_equation_1_of_the_paper_for_one_head() -> None:
    queries, keys, values = torch.randn(3, 1, 4, 1, D, dtype=torch.float64).unbind(0)
    expected = torch.zeros(4, D, dtype=torch.float64)
    for q in range(4):
        scores = [float(queries[0, q, 0] @ keys[0, k, 0]) / math.sqrt(D) for k in range(4)]
        total = sum(math.exp(score) for score in scores)
        for k in range(4):
            expected[q] += math.exp(scores[k]) / total * values[0, k, 0]
    out = attention(queries, keys, values, torch.ones(1, 1, 4, 4, dtype=torch.bool))
    torch.testing.assert_close(out[0, :, 0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("attend", [attention, fused_attention])
def test_a_query_with_no_key_gets_nothing_and_sends_no_gradient(attend) -> None:
    queries, keys, values = (torch.randn(1, 3, 2, D, dtype=torch.float64, requires_grad=True) for _ in range(3))
    mask = torch.ones(1, 1, 3, 3, dtype=torch.bool)
    mask[0, 0, 1] = False
    out = attend(queries, keys, values, mask)
    assert (out[0, 1] == 0).all()
    out.sum().backward()
    assert (queries.grad[0, 1] == 0).all()
    assert all(torch.isfinite(tensor.grad).all() for tensor in (queries, keys, values))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_hidden_keys_do_not_overflow_in_half_precision(dtype: torch.dtype) -> None:
    queries, keys, values = torch.randn(3, 1, 6, 2, D).to(dtype).unbind(0)
    out = attention(queries, keys, values, look_ahead_mask(6, 6, torch.device("cpu")))
    assert torch.isfinite(out).all()
    torch.testing.assert_close(out[:, 0], values[:, 0])


def test_use_fused_changes_the_kernel_and_nothing_else() -> None:
    model = small_model()
    src, trg = small_batch()
    names = list(model.state_dict())
    written = model(src, trg)
    fused = use_fused(model)(src, trg)
    assert list(model.state_dict()) == names
    assert not torch.equal(written, fused), "the kernel was not swapped"
    torch.testing.assert_close(fused, written, rtol=0, atol=1e-12)
    assert torch.equal(use_written(model)(src, trg), written)
