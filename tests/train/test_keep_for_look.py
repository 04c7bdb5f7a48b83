"""Models kept to look at how one learned: how many, which, through stops and resumes, and the curve beside them."""

import json
import math
from pathlib import Path

import pytest
import torch

from glassformer.checkpoint import load, read_weights, verify
from glassformer.errors import UserError
from glassformer.train import Callback, StepReport, Trainer, TrainingConfig, look_checkpoints, training_curve
from tests.train.small_run import small_trainer


def kept_steps(folder: Path) -> list[int]:
    return [int(kept.name.removeprefix("step-")) for kept in look_checkpoints(folder)]


class StopAt(Callback):
    """Breaks off as a kill would: nothing is saved, nothing is said."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, report: StepReport) -> None:
        if report.step == self.step:
            raise KeyboardInterrupt


def test_the_first_the_last_and_most_of_the_early_ones_are_kept(tmp_path: Path) -> None:
    small_trainer(tmp_path, max_steps=25, keep_for_look=6, save_every=100).train()
    assert kept_steps(tmp_path) == [0, 1, 4, 9, 16, 25]


def test_a_run_with_fewer_updates_than_models_keeps_each_once(tmp_path: Path) -> None:
    small_trainer(tmp_path, max_steps=5, keep_for_look=20).train()
    assert kept_steps(tmp_path) == [0, 1, 2, 3, 4, 5]


def test_a_run_by_the_clock_keeps_its_first_and_its_last(tmp_path: Path) -> None:
    reason = small_trainer(tmp_path, max_steps=None, max_minutes=0.005, keep_for_look=5).train()
    steps = kept_steps(tmp_path)
    assert (steps[0], steps[-1]) == (0, reason.step)
    assert len(steps) <= 6


@pytest.mark.parametrize("count", [1, 2])
def test_the_smallest_counts_keep_the_first_and_the_last(tmp_path: Path, count: int) -> None:
    small_trainer(tmp_path, max_steps=6, keep_for_look=count).train()
    assert kept_steps(tmp_path) == [0, 6]


def test_none_is_kept_unless_asked(tmp_path: Path) -> None:
    small_trainer(tmp_path, max_steps=2).train()
    assert look_checkpoints(tmp_path) == []
    assert not (tmp_path / "look").exists()


def test_less_than_none_is_refused() -> None:
    with pytest.raises(UserError, match="keep_for_look=-1 must be 0 or more"):
        TrainingConfig(max_steps=1, keep_for_look=-1)


def test_each_is_a_whole_checkpoint_without_training_state(tmp_path: Path) -> None:
    trainer = small_trainer(tmp_path, max_steps=9, keep_for_look=4)
    start = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    trainer.train()
    for kept in look_checkpoints(tmp_path):
        verify(kept)
        assert not (kept / "training.json").exists()
        assert load(kept).config == load(tmp_path).config
    first = read_weights(look_checkpoints(tmp_path)[0])
    assert all(torch.equal(tensor, start[name]) for name, tensor in first.items())


def test_the_last_is_of_the_last_update_though_the_final_model_is_of_another(tmp_path: Path) -> None:
    scores = iter([1.0, 9.0, 9.0])
    trainer = small_trainer(tmp_path, max_steps=3, keep_for_look=2, evaluate_every=1, average_last=0)
    trainer.evaluate = lambda model: {"valid_loss": next(scores)}
    assert "step-00000001" in trainer.train().message
    last, final = read_weights(look_checkpoints(tmp_path)[-1]), read_weights(tmp_path / "model")
    newest = read_weights(tmp_path / "checkpoints" / "step-00000003")
    assert all(torch.equal(tensor, newest[name]) for name, tensor in last.items())
    assert any(not torch.equal(tensor, final[name]) for name, tensor in last.items())


@pytest.mark.parametrize("broken_off", [2, 5, 8, 11])
def test_a_run_broken_off_and_resumed_keeps_the_same_models(tmp_path: Path, broken_off: int) -> None:
    choices = {"max_steps": 12, "keep_for_look": 6, "save_every": 6, "evaluate_every": 100}
    small_trainer(tmp_path / "undisturbed", **choices).train()
    folder = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        small_trainer(folder, [StopAt(broken_off)], **choices).train()
    again = small_trainer(folder, **choices)
    if broken_off > 6:
        again.resume()
    again.train()
    kept = look_checkpoints(folder)
    assert kept_steps(folder) == kept_steps(tmp_path / "undisturbed")
    for ours, theirs in zip(kept, look_checkpoints(tmp_path / "undisturbed"), strict=True):
        assert (ours / "model.safetensors").read_bytes() == (theirs / "model.safetensors").read_bytes()


def test_models_of_lost_updates_are_dropped_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        small_trainer(tmp_path, [StopAt(8)], max_steps=9, keep_for_look=10, save_every=6, evaluate_every=100).train()
    assert kept_steps(tmp_path)[-1] > 6

    class Seeing(Callback):
        def on_start(self, trainer: Trainer) -> None:
            assert kept_steps(tmp_path)[-1] == trainer.step == 6

    resumed = small_trainer(tmp_path, [Seeing()], max_steps=9, keep_for_look=10, save_every=6)
    resumed.resume()
    resumed.train()


def test_a_run_that_goes_on_to_a_later_end_keeps_more(tmp_path: Path) -> None:
    small_trainer(tmp_path, max_steps=4, keep_for_look=3).train()
    longer = small_trainer(tmp_path, max_steps=16, keep_for_look=3)
    longer.resume()
    longer.train()
    assert kept_steps(tmp_path) == [0, 1, 4, 16]


def test_the_curve_holds_every_noted_loss(tmp_path: Path) -> None:
    small_trainer(tmp_path, max_steps=6, log_every=2).train()
    curve = training_curve(tmp_path)
    assert [step for step, _ in curve] == [2, 4, 6]
    assert all(math.isfinite(loss) for _, loss in curve)


def test_a_long_curve_is_thinned_evenly_between_its_ends(tmp_path: Path) -> None:
    lines = [json.dumps({"step": step, "loss": 1 / step}) for step in range(1, 1002)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    steps = [step for step, _ in training_curve(tmp_path, most=11)]
    assert steps == [1, *range(101, 1001, 100), 1001]


def test_the_later_line_of_a_step_counts_and_broken_lines_do_not(tmp_path: Path) -> None:
    lines = ['{"step": 2, "loss": 2.0}', '{"step": 1, "loss": 3.0}', '{"step": 2, "scores": {}}', "[1]"]
    (tmp_path / "metrics.jsonl").write_text("\n".join([*lines, '{"step": 2, "loss": 1.5}', '{"step": 3, "lo']))
    assert training_curve(tmp_path) == [(1, 3.0), (2, 1.5)]
    assert training_curve(tmp_path / "nowhere") == []
