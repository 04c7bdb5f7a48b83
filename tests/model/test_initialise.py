import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from glassformer.model.config import base
from glassformer.model.transformer import Transformer

CHOICES = list(
    itertools.product(
        ("learned", "sinusoidal", "none"), ("post", "pre"), (False, True), ("none", "two-way", "three-way")
    )
)


def first_loss_over_ln_v(model: Transformer, vocab: int) -> float:
    src, trg = torch.randint(1, vocab, (32, 12)), torch.randint(1, vocab, (32, 13))
    with torch.no_grad():
        loss = F.cross_entropy(model(src, trg[:, :-1]).flatten(0, 1), trg[:, 1:].flatten())
    return float(loss) / math.log(vocab)


@pytest.mark.parametrize("vocab", [40, 8000])
@pytest.mark.parametrize(("positions", "norm", "scale", "tying"), CHOICES)
def test_the_first_loss_is_near_ln_v(positions: str, norm: str, scale: bool, tying: str, vocab: int) -> None:
    model = Transformer(
        vocab, vocab, 0, 0, embed_size=128, num_layers=2, heads=4,
        positions=positions, norm=norm, scale_embeddings=scale, tie_embeddings=tying,
    )  # fmt: skip
    assert first_loss_over_ln_v(model, vocab) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("vocab", [40, 8000])
@pytest.mark.parametrize("preset", [{}, base()], ids=["origin", "base"])
def test_the_first_loss_is_near_ln_v_at_full_size(preset: dict, vocab: int) -> None:
    assert first_loss_over_ln_v(Transformer(vocab, vocab, 0, 0, **preset), vocab) == pytest.approx(1, abs=0.05)


def test_a_tied_table_started_at_e_to_the_minus_half_would_be_over_confident() -> None:
    model = Transformer(8000, 8000, 0, 0, **base() | dict(num_layers=1))
    torch.nn.init.normal_(model.fc_out.weight, std=model.config.embed_size**-0.5)
    assert first_loss_over_ln_v(model, 8000) > 1.05
