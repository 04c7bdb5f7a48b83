"""The schedules against their formulas."""

import math

import pytest

from glassformer.train import TrainingConfig, learning_rate
from glassformer.train.config import Schedule

STEPS = [1, 2, 50, 100, 101, 5000]


def rate(schedule: Schedule, step: int, progress: float = 0.0, peak: float = 2.0, warmup: int = 100) -> float:
    config = TrainingConfig(schedule=schedule, learning_rate=peak, warmup_steps=warmup)
    return learning_rate(config, step, progress, embed_size=512)


@pytest.mark.parametrize("step", STEPS)
def test_noam_is_the_papers_equation(step: int) -> None:
    assert rate("noam", step) == pytest.approx(2 * 512**-0.5 * min(step**-0.5, step * 100**-1.5), rel=1e-12)


@pytest.mark.parametrize("step", STEPS)
def test_inverse_sqrt_climbs_to_its_peak_and_falls_like_one_over_the_root(step: int) -> None:
    assert rate("inverse_sqrt", step) == pytest.approx(2 * (step / 100 if step < 100 else math.sqrt(100 / step)))


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_cosine_and_linear_go_from_the_peak_to_nothing_as_the_run_proceeds(schedule: Schedule) -> None:
    assert rate(schedule, 100, 0.0) == pytest.approx(2)
    assert rate(schedule, 100, 0.5) == pytest.approx(1)
    assert rate(schedule, 100, 1.0) == pytest.approx(0, abs=1e-12)
    assert rate(schedule, 50, 0.5) == pytest.approx(0.5)


def test_cosine_falls_slowly_first() -> None:
    assert rate("cosine", 100, 0.25) == pytest.approx(1 + math.cos(math.pi / 4))


def test_constant_stays() -> None:
    assert [rate("constant", step, 0.9) for step in (25, 100, 10**6)] == [0.5, 2, 2]


@pytest.mark.parametrize("schedule", Schedule.__args__)
def test_without_warm_up_the_first_update_has_the_whole_rate(schedule: Schedule) -> None:
    factor = 512**-0.5 if schedule == "noam" else 1
    assert rate(schedule, 1, warmup=0) == pytest.approx(2 * factor)
