"""Proof 5: embedding and positions against the paper's formula by themselves."""

import pytest
import torch

from glassformer.model.positions import SinusoidalPositions, sinusoids
from tests.properties import entering_difference, paper_position
from tests.small import small_batch, small_model


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
    assert entering_difference(model) < 1e-12


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
