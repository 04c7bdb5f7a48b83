"""The Trainer in one process: what it keeps, when it stops, what it tells, and what it refuses."""

import json
import math
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch

from glassformer.checkpoint import load, read_config, read_weights
from glassformer.data import Vocabularies, Vocabulary
from glassformer.errors import UserError
from glassformer.model.transformer import Transformer
from glassformer.train import Callback, NotFiniteError, StepReport, StopReason, Trainer
from glassformer.train.state import dropout_seed
from tests.train.small_run import small_config, small_trainer, small_transformer, small_vocabularies, stream


class Recorder(Callback):
    def __init__(self) -> None:
        self.events: list[str] = []
        self.reports: list[StepReport] = []

    def on_start(self, trainer: Trainer) -> None:
        self.events.append(f"start {trainer.step}")

    def on_step(self, report: StepReport) -> None:
        self.events.append(f"step {report.step}")
        self.reports.append(report)

    def on_evaluate(self, step: int, scores: dict[str, float]) -> None:
        self.events.append(f"evaluate {step}")

    def on_save(self, step: int, folder: Path) -> None:
        self.events.append(f"save {step}")
        assert folder.name == f"step-{step:08}"

    def on_stop(self, reason: StopReason) -> None:
        self.events.append(f"stop {reason.kind}")

    def on_failure(self, error: BaseException) -> None:
        self.events.append(f"failure {type(error).__name__}")


def saved_steps(folder: Path) -> list[int]:
    return sorted(int(path.name.removeprefix("step-")) for path in (folder / "checkpoints").iterdir())


def scored_trainer(folder: Path, scores: list[float], direction: Any = "max", **choices: Any) -> Trainer:
    """A Trainer whose evaluations give these scores one after the other, one evaluation an update."""
    vocabularies = small_vocabularies()
    coming = iter(scores)
    config = small_config(**({"evaluate_every": 1, "save_every": 100, "average_last": 0} | choices))
    return Trainer(
        small_transformer(vocabularies), vocabularies, stream(vocabularies), config, folder=folder,
        evaluate=lambda model: {"bleu": next(coming)}, watch_score=("bleu", direction),
    )  # fmt: skip


def test_a_run_learns_and_leaves_a_model(tmp_path: Path) -> None:
    recorder = Recorder()
    reason = small_trainer(tmp_path, [recorder], dropout=0.0, max_steps=60, learning_rate=0.03).train()
    assert (reason.kind, reason.step, reason.folder, reason.exit_code) == ("max_steps", 60, tmp_path / "model", 0)
    assert recorder.reports[-1].loss < recorder.reports[0].loss - 0.5
    assert load(tmp_path).config == read_config(tmp_path / "model")
    assert not (tmp_path / "model" / "training.json").exists()


def test_callbacks_hear_of_everything_in_order(tmp_path: Path) -> None:
    recorder = Recorder()
    small_trainer(tmp_path, [recorder], max_steps=4, evaluate_every=2, save_every=3).train()
    assert recorder.events == [
        "start 0", "step 1", "step 2", "evaluate 2", "save 2", "step 3", "save 3", "step 4", "evaluate 4", "save 4",
        "stop max_steps",
    ]  # fmt: skip


def test_the_history_is_one_json_line_per_noted_update_and_evaluation(tmp_path: Path) -> None:
    recorder = Recorder()
    small_trainer(tmp_path, [recorder], max_steps=6, evaluate_every=4, log_every=2).train()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["step"], "scores" in line) for line in lines] == [
        (2, False), (4, False), (4, True), (6, False), (6, True)
    ]  # fmt: skip
    assert lines[0]["loss"] == recorder.reports[1].loss
    assert lines[2]["scores"].keys() == {"valid_loss"}


def test_the_newest_checkpoints_and_the_best_are_kept(tmp_path: Path) -> None:
    trainer = scored_trainer(tmp_path, [1, 5, *[2] * 10], save_every=1, keep_checkpoints=2, max_steps=8)
    reason = trainer.train()
    assert saved_steps(tmp_path) == [2, 7, 8]
    assert "the weights of step-00000002" in reason.message


@pytest.mark.parametrize(("direction", "best"), [("max", 3), ("min", 2)])
def test_the_final_model_is_the_best_checkpoint(tmp_path: Path, direction: str, best: int) -> None:
    trainer = scored_trainer(tmp_path, [4, 1, 9, math.nan, 4], direction, max_steps=5)
    trainer.train()
    weights = read_weights(tmp_path / "checkpoints" / f"step-{best:08}")
    for name, tensor in read_weights(tmp_path / "model").items():
        assert torch.equal(tensor, weights[name])
        assert torch.equal(tensor, trainer.model.state_dict()[name])


@pytest.mark.parametrize(
    ("score_of_mean", "chosen"), [(5, "the mean of the last 3"), (4, "the weights of step-00000002")]
)
def test_the_mean_of_the_last_checkpoints_is_taken_if_it_is_no_worse(
    tmp_path: Path, score_of_mean: float, chosen: str
) -> None:
    scores = [1, 5, 2, 2, score_of_mean]
    reason = scored_trainer(tmp_path, scores, save_every=1, average_last=3, max_steps=4).train()
    assert chosen in reason.message
    last = [read_weights(tmp_path / "checkpoints" / f"step-{step:08}") for step in (2, 3, 4)]
    if "mean" in chosen:
        for name, tensor in read_weights(tmp_path / "model").items():
            assert torch.allclose(tensor, sum(weights[name] for weights in last) / 3, atol=1e-7)  # type: ignore[arg-type]


def test_patience_counts_evaluations_without_a_better_score(tmp_path: Path) -> None:
    reason = scored_trainer(tmp_path, [3, 2, 4, 4, 1, 9], patience=2, max_steps=100).train()
    assert (reason.kind, reason.step) == ("patience", 5)
    assert "step-00000004" in reason.message, "of equal scores the later one"


def test_a_run_without_evaluation_ends_with_the_mean_of_its_last_checkpoints(tmp_path: Path) -> None:
    vocabularies = small_vocabularies()
    config = small_config(average_last=2, save_every=2, max_steps=6)
    model = small_transformer(vocabularies)
    reason = Trainer(model, vocabularies, stream(vocabularies), config, folder=tmp_path).train()
    assert "the mean of the last 2 checkpoints" in reason.message


def test_a_best_checkpoint_that_broke_is_replaced_by_the_newest_with_a_warning(tmp_path: Path) -> None:
    class Breaker(Callback):
        def on_step(self, report: StepReport) -> None:
            if report.step == 3:
                (tmp_path / "checkpoints" / "step-00000001" / "model.safetensors").unlink()

    trainer = scored_trainer(tmp_path, [9, 1, 1], max_steps=3)
    trainer.callbacks = [*trainer.callbacks, Breaker()]
    with pytest.warns(UserWarning, match="The newest checkpoint is taken instead of the best"):
        assert "step-00000003" in trainer.train().message


def test_the_mean_leaves_out_a_damaged_checkpoint(tmp_path: Path) -> None:
    class Breaker(Callback):
        def on_step(self, report: StepReport) -> None:
            if report.step == 4:
                (tmp_path / "checkpoints" / "step-00000003" / "model.safetensors").write_bytes(b"cut")

    trainer = scored_trainer(tmp_path, [1] * 5, save_every=1, average_last=3, max_steps=4)
    trainer.callbacks = [*trainer.callbacks, Breaker()]
    assert "the mean of the last 2 checkpoints" in trainer.train().message
    whole = [read_weights(tmp_path / "checkpoints" / f"step-{step:08}") for step in (2, 4)]
    for name, tensor in read_weights(tmp_path / "model").items():
        assert torch.allclose(tensor, torch.stack([weights[name] for weights in whole]).mean(dim=0), atol=1e-7)


def test_a_folder_that_cannot_be_made_is_said_before_the_first_update(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be made: Not a directory"):
        small_trainer(tmp_path / "file").train()


def ticking(seconds: float) -> Iterator[float]:
    return (seconds * tick for tick in count())


def test_minutes_are_a_limit_and_the_schedule_follows_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ticking(1.0)
    monkeypatch.setattr("glassformer.train.trainer.monotonic", lambda: next(clock))
    recorder = Recorder()
    choices = dict(max_steps=None, max_minutes=1.0, schedule="linear", warmup_steps=0, learning_rate=0.01)
    reason = small_trainer(tmp_path, [recorder], **choices).train()
    assert reason.kind == "max_minutes"
    rates = [report.learning_rate for report in recorder.reports]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 0.0095
    assert rates[-1] < 0.001
    first, middle = recorder.reports[0], recorder.reports[len(recorder.reports) // 2]
    assert middle.seconds + middle.seconds_left == pytest.approx(60)
    assert middle.progress == pytest.approx(middle.seconds / 60)
    assert first.tokens_per_second == first.tokens / 2  # three looks at the clock: begin, seconds of the run, end


def test_a_resumed_run_tells_the_time_left_by_its_own_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for max_steps, tick in ((4, 100.0), (8, 1.0)):  # begun where the machine was busy, resumed where it is not
        clock, recorder = ticking(tick), Recorder()
        monkeypatch.setattr("glassformer.train.trainer.monotonic", lambda clock=clock: next(clock))
        trainer = small_trainer(tmp_path, [recorder], max_steps=max_steps)
        if max_steps == 8:
            trainer.resume()
        before = trainer.progress.seconds
        trainer.train()
    middle = recorder.reports[1]  # after two updates of this process, and two to go
    assert middle.step == 6
    assert middle.seconds_left == pytest.approx(middle.seconds - before)
    assert before > 10 * middle.seconds_left


def test_the_nearer_of_two_limits_counts(tmp_path: Path) -> None:
    assert small_trainer(tmp_path, max_steps=2, max_minutes=60.0).train().kind == "max_steps"


def test_a_loss_that_breaks_leaves_the_last_good_checkpoint_and_says_what_to_do(tmp_path: Path) -> None:
    trainer = small_trainer(tmp_path, save_every=2, max_steps=100)

    class Spoiler(Callback):
        def on_step(self, report: StepReport) -> None:
            if report.step == 5:
                with torch.no_grad():
                    trainer.model.fc_out.bias[1] = math.nan

    trainer.callbacks = [*trainer.callbacks, Spoiler()]
    with pytest.raises(NotFiniteError, match=r"update 6: the weight fc_out\.bias holds nan.*step-00000004"):
        trainer.train()
    assert max(saved_steps(tmp_path)) == 4
    assert load(tmp_path).model.fc_out.bias.isfinite().all()


def test_callbacks_hear_of_a_failure_instead_of_a_stop(tmp_path: Path) -> None:
    recorder = Recorder()
    trainer = scored_trainer(tmp_path, [])
    trainer.callbacks = [recorder]
    with pytest.raises(StopIteration):
        trainer.train()
    assert recorder.events == ["start 0", "step 1", "failure StopIteration"]


@pytest.mark.parametrize("rest", ["", '{"step": 3, "lo', "\0\0\0", "5\n[]\n{}"])
def test_lines_that_a_kill_cut_or_that_are_done_again_leave_the_history(tmp_path: Path, rest: str) -> None:
    small_trainer(tmp_path, max_steps=4).train()
    path = tmp_path / "metrics.jsonl"
    before = path.read_text(encoding="utf-8")
    path.write_text(before + '{"step": 5, "loss": 1.0}\n{"step": 5, "scores": {}}\n' + rest, encoding="utf-8")
    resumed = small_trainer(tmp_path, max_steps=4)
    resumed.resume()
    resumed.train()
    assert path.read_text(encoding="utf-8") == before


def test_a_score_that_is_no_number_is_null_in_the_history(tmp_path: Path) -> None:
    scored_trainer(tmp_path, [math.nan, 1.0], max_steps=2).train()
    text = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8")
    assert '"scores": {"bleu": null}' in text
    assert "NaN" not in text


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    trainer = small_trainer(tmp_path, save_every=5, evaluate_every=100)

    class Spoiler(Callback):
        def on_step(self, report: StepReport) -> None:
            if report.step == 5:
                with torch.no_grad():
                    trainer.model.fc_out.bias[1] = math.inf

    trainer.callbacks = [Spoiler()]
    with pytest.raises(NotFiniteError, match=r"the weight fc_out\.bias holds inf.*There is no checkpoint yet"):
        trainer.train()
    assert saved_steps(tmp_path) == []


def test_the_watched_score_must_be_among_the_scores(tmp_path: Path) -> None:
    vocabularies = small_vocabularies()
    trainer = Trainer(
        small_transformer(vocabularies), vocabularies, stream(vocabularies), small_config(evaluate_every=1),
        folder=tmp_path, evaluate=lambda model: {"bleu": 1.0}, watch_score=("blue", "max"),
    )  # fmt: skip
    with pytest.raises(UserError, match=r"unknown score to watch 'blue'\. Did you mean bleu"):
        trainer.train()


def test_a_run_must_have_an_end(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="say when to stop"):
        small_trainer(tmp_path, max_steps=None)


def test_a_vocabulary_that_does_not_fit_the_model_is_refused(tmp_path: Path) -> None:
    large = Vocabulary.train(["a b c d e f g h i"], kind="symbols")
    with pytest.raises(UserError, match="pieces and the model's"):
        Trainer(
            small_transformer(small_vocabularies()), Vocabularies(large, large), stream(small_vocabularies()),
            small_config(), folder=tmp_path,
        )  # fmt: skip


def test_a_folder_with_a_run_is_not_trained_over(tmp_path: Path) -> None:
    small_trainer(tmp_path, max_steps=3).train()
    with pytest.raises(UserError, match="holds a run already"):
        small_trainer(tmp_path).train()


def test_nothing_to_resume_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no whole checkpoint to go on from"):
        small_trainer(tmp_path).resume()


def test_the_full_disk_ends_the_run_with_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = small_trainer(tmp_path, save_every=2, evaluate_every=100)

    class Filler(Callback):
        def on_step(self, report: StepReport) -> None:
            if report.step == 4:
                monkeypatch.setattr(os, "fsync", no_room)

    def no_room(handle: int) -> None:
        raise OSError(28, "No space left on device")

    trainer.callbacks = [Filler()]
    with pytest.raises(UserError, match="step-00000004 could not be written: No space left on device"):
        trainer.train()
    monkeypatch.undo()
    assert saved_steps(tmp_path) == [2]


def test_evaluating_does_not_change_the_training(tmp_path: Path) -> None:
    def losses(evaluate_every: int) -> list[str]:
        recorder = Recorder()
        trainer = small_trainer(tmp_path / str(evaluate_every), [recorder], evaluate_every=evaluate_every)
        scored = trainer.evaluate
        trainer.evaluate = lambda model: dice_throwing(model) | (scored(model) if scored else {})
        trainer.train()
        return [report.loss.hex() for report in recorder.reports]

    def dice_throwing(model: Transformer) -> dict[str, float]:
        return {"dice": torch.rand(()).item()}

    assert losses(1) == losses(5)


def test_every_update_and_process_and_seed_has_dice_of_its_own(tmp_path: Path) -> None:
    seeds: list[int] = []

    class DiceWatcher(Callback):
        def on_step(self, report: StepReport) -> None:
            seeds.append(torch.initial_seed())

    small_trainer(tmp_path, [DiceWatcher()], max_steps=5, seed=3).train()
    assert seeds == [dropout_seed(3, step, rank=0) for step in range(5)]
    assert len({dropout_seed(seed, step, rank) for seed in range(9) for step in range(50) for rank in range(3)}) == 1350


def test_the_best_score_and_the_patience_survive_a_stop(tmp_path: Path) -> None:
    scored_trainer(tmp_path, [1, 9, 2], max_steps=3).train()
    resumed = scored_trainer(tmp_path, [3, 4, 5], patience=3, max_steps=100)
    resumed.resume()
    reason = resumed.train()
    assert (reason.kind, reason.step) == ("patience", 5)
    assert "step-00000002" in reason.message


def test_dropout_is_on_in_training(tmp_path: Path) -> None:
    recorders = [Recorder(), Recorder()]
    for recorder, dropout in zip(recorders, (0.0, 0.5), strict=True):
        small_trainer(tmp_path / str(dropout), [recorder], dropout=dropout, max_steps=1).train()
    assert recorders[0].reports[0].loss != recorders[1].reports[0].loss


def test_float64_runs_in_float64(tmp_path: Path) -> None:
    small_trainer(tmp_path, max_steps=1, precision="float64").train()
    assert load(tmp_path).model.fc_out.weight.dtype == torch.float64
