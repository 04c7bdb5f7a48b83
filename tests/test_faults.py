"""Proof 6: the mistakes of learn/zoo, planted on purpose, are caught, and the right model is not accused."""

from collections.abc import Callable, Iterator

import pytest

from glassformer.learn.zoo import FAULTS, Fault, plant
from glassformer.model.transformer import Transformer
from tests import properties
from tests.small import small_model

# Those that find most come first: the search ends at the first proof that fails.
PROOFS: list[Callable[[Transformer], float]] = [
    properties.torch_difference,
    properties.cache_effect,
    properties.entering_difference,
    properties.future_leak,
    properties.padding_effect,
    properties.batch_effect,
    properties.unreached_parameters,
    properties.half_precision_failure,
    properties.empty_source_failure,
    properties.chance_in_evaluation,
    properties.mode_difference,
    properties.blind_diagonal,
    properties.blind_source_words,
]
NORMS = ("post", "pre")

pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")


def failing_proofs(model: Transformer) -> Iterator[str]:
    return (proof.__name__ for proof in PROOFS if proof(model.eval()) > 1e-10)


def paper_model(norm: str = "post") -> Transformer:
    return small_model(positions="sinusoidal", scale_embeddings=True, dropout=0.1, norm=norm)


def model_for(fault: Fault) -> Transformer:
    """The paper's model; the one with pre-norm where the fault needs what only that has."""
    return next(model for model in map(paper_model, NORMS) if fault.needs.holds(model.config))


@pytest.mark.parametrize("norm", NORMS)
def test_the_right_model_passes_every_proof(norm: str) -> None:
    assert list(failing_proofs(paper_model(norm))) == []


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_caught(fault: Fault) -> None:
    model = plant(model_for(fault), fault.name)
    assert any(failing_proofs(model)), f"no proof sees: {fault.title}"
