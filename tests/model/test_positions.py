"""Proof 5: embedding and positions against the paper's formula by themselves."""

import math

import pytest
import torch

from glassformer.model.positions import SinusoidalPositions, sinusoids
from tests.small import small_batch, small_model


def paper_position(pos: int, channel: int, embed_size: int) -> float:
    angle = pos / 10000 ** (2 * (channel // 2) / embed_size)
    return math.sin(angle) if channel % 2 == 0 else math.cos(angle)


def test_sinusoids_are_the_papers_formula() -> None:
    table = sinusoids(50, 0, torch.empty(1, 1, 8, dtype=torch.float64))
    for pos in range(50):
        for channel in range(8):
            assert float(table[pos, channel]) == pytest.approx(paper_position(pos, channel, 8), abs=1e-12)


def test_sinusoids_can_start_anywhere() -> None:
    like = torch.empty(1, 1, 8, dtype=torch.float64)
    assert torch.equal(sinusoids(10, 0, like)[7:], sinusoids(3, 7, like))


@pytest.mark.parametrize("scale_embeddings", [True, False])
def test_what_enters_the_stack_is_embedding_times_sqrt_e_plus_position(scale_embeddings: bool) -> None:
    model = small_model(positions="sinusoidal", scale_embeddings=scale_embeddings)
    src, _ = small_batch()
    entered = []
    model.encoder.dropout.register_forward_hook(lambda module, args, output: entered.append(output))
    model.encode(src)
    weight = model.encoder.word_embedding.weight.detach()
    for n, pos in ((0, 0), (0, 6), (2, 3)):
        for channel in range(12):
            word = float(weight[src[n, pos], channel]) * (math.sqrt(12) if scale_embeddings else 1)
            expected = word + paper_position(pos, channel, 12)
            assert entered[0][n, pos, channel].item() == pytest.approx(expected, abs=1e-12)


def test_learned_positions_are_rows_of_their_table() -> None:
    model = small_model(positions="learned")
    embedded = torch.randn(2, 3, 12, dtype=torch.float64)
    positioned = model.decoder.positions(embedded, 4)
    torch.testing.assert_close(positioned - embedded, model.decoder.positions.table.weight[4:7].expand(2, 3, 12))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_positions_are_rounded_once_not_computed_in_half(dtype: torch.dtype) -> None:
    positions = SinusoidalPositions(2000, 8)
    exact = positions(torch.zeros(1, 2000, 8, dtype=torch.float64), 0)
    half = positions(torch.zeros(1, 2000, 8, dtype=dtype), 0)
    torch.testing.assert_close(half.double(), exact, rtol=0, atol=torch.finfo(dtype).eps)


def test_without_positions_the_encoder_reads_a_bag_of_words() -> None:
    src, _ = small_batch(sentences=1)
    order = torch.randperm(src.size(1))
    bag = small_model(positions="none")
    torch.testing.assert_close(bag.encode(src[:, order]), bag.encode(src)[:, order], rtol=0, atol=1e-12)
    ordered = small_model(positions="learned")
    assert (ordered.encode(src[:, order]) - ordered.encode(src)[:, order]).abs().max() > 0.1
