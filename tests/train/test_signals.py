"""SIGTERM and Ctrl-C: the step is finished and saved, and a second Ctrl-C exits at once."""

import os
import signal
import threading
from pathlib import Path

import pytest

from glassformer.checkpoint import newest_good
from glassformer.train import Callback, Trainer
from glassformer.train.signals import StopSignals
from tests.train.small_run import small_trainer
from tests.train.test_resume import CHOICES, assert_same_run
from tests.train.victim import heard, started


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_lets_the_step_be_finished_and_saved(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with started(tmp_path, max_steps=10**6) as (process, line):
        assert heard(line, 3)
        os.kill(process.pid or 0, number)
        message = line.recv()
        last = 3
        while isinstance(message, int):
            last, message = message, line.recv()
        process.join()
        assert process.exitcode == code
    assert message.startswith(f"{number.name}: stopped after step {last}, saved in {tmp_path}")
    assert "Go on from there with resume (--resume)" in message
    newest = newest_good(tmp_path / "checkpoints")
    assert newest == tmp_path / "checkpoints" / f"step-{last:08}"
    assert not (tmp_path / "model").exists()


def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    with started(tmp_path / "stopped", **CHOICES) as (process, line):
        assert heard(line, 5)
        os.kill(process.pid or 0, signal.SIGTERM)
        process.join()
    with started(tmp_path / "stopped", **CHOICES) as (process, line):
        while heard(line, None):
            pass
        process.join()
        assert process.exitcode == 0
    with started(tmp_path / "undisturbed", **CHOICES) as (process, line):
        while heard(line, None):
            pass
        process.join()
    assert_same_run(tmp_path / "stopped", tmp_path / "undisturbed")


def test_a_signal_before_the_first_update_is_saved_too(tmp_path: Path) -> None:
    class Early(Callback):
        def on_start(self, trainer: Trainer) -> None:
            signal.raise_signal(signal.SIGTERM)

    reason = small_trainer(tmp_path / "early", [Early()], **CHOICES).train()
    assert (reason.kind, reason.step) == ("SIGTERM", 0)
    resumed = small_trainer(tmp_path / "early", **CHOICES)
    resumed.resume()
    resumed.train()
    small_trainer(tmp_path / "undisturbed", **CHOICES).train()
    assert_same_run(tmp_path / "early", tmp_path / "undisturbed")


def test_a_second_ctrl_c_exits_at_once(tmp_path: Path) -> None:
    with started(tmp_path, hold=3) as (process, line):
        assert heard(line, 3)
        os.kill(process.pid or 0, signal.SIGINT)
        assert heard(line, "held")  # the first one has arrived, and the step goes on
        os.kill(process.pid or 0, signal.SIGINT)
        process.join()
        assert process.exitcode == 130


def test_handlers_are_as_before_afterwards() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with StopSignals() as signals:
        assert signals.received is None
        signal.raise_signal(signal.SIGTERM)
        assert signals.received == "SIGTERM"
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_with_several_processes_later_signals_are_ignored() -> None:
    with StopSignals(patient=True) as signals:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert signals.received == "SIGINT"


def test_training_works_outside_the_main_thread(tmp_path: Path) -> None:
    reasons = []
    thread = threading.Thread(target=lambda: reasons.append(small_trainer(tmp_path, max_steps=2).train()))
    thread.start()
    thread.join()
    assert reasons[0].kind == "max_steps"
