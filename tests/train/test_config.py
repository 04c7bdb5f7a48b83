"""Every choice of a training run is checked where it is made."""

import math
from typing import Any

import pytest

from glassformer.errors import UserError
from glassformer.train import TrainingConfig


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"batch_tokens": 0}, "batch_tokens=0 must be above 0"),
        ({"accumulate": -1}, "accumulate=-1 must be above 0"),
        ({"learning_rate": math.nan}, "learning_rate=nan must be above 0"),
        ({"learning_rate": math.inf}, "learning_rate=inf must be above 0"),
        ({"max_minutes": 0.0}, r"max_minutes=0\.0 must be above 0"),
        ({"warmup_steps": -1}, "warmup_steps=-1 must be 0 or more"),
        ({"clip_norm": -1.0}, r"clip_norm=-1\.0 must be 0 or more"),
        ({"label_smoothing": 1.0}, r"label_smoothing=1\.0 must be at least 0 and below 1"),
        ({"betas": (0.9, 1.0)}, "betas="),
        ({"schedule": "linera"}, "schedule='linera' is not one of 'noam'"),
        ({"precision": "int8"}, "precision='int8' is not one of 'auto'"),
    ],
)
def test_a_choice_that_cannot_be_is_refused_by_name(choice: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        TrainingConfig(**choice)


def test_the_defaults_are_a_choice_that_can_be() -> None:
    assert TrainingConfig() == TrainingConfig()
