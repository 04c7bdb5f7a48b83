"""Proof 6: faults seeded on purpose are caught, and the right model is not accused."""

from collections.abc import Callable

import pytest

from glassformer.model.transformer import Transformer
from tests import properties
from tests.faults import FAULTS
from tests.small import small_model

PROOFS: list[Callable[[Transformer], float]] = [
    properties.future_leak,
    properties.blind_diagonal,
    properties.blind_source_words,
    properties.padding_effect,
    properties.batch_effect,
    properties.cache_effect,
    properties.entering_difference,
    properties.torch_difference,
]


def failing_proofs(model: Transformer) -> list[str]:
    return [proof.__name__ for proof in PROOFS if proof(model.eval()) > 1e-10]


def paper_model() -> Transformer:
    return small_model(positions="sinusoidal", scale_embeddings=True)


def test_the_right_model_passes_every_proof() -> None:
    assert failing_proofs(paper_model()) == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_seeded_fault_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = paper_model()
    FAULTS[name](model, monkeypatch)
    assert failing_proofs(model) != [], f"no proof sees: {name}"


def test_there_are_at_least_ten_faults() -> None:
    assert len(FAULTS) >= 10
