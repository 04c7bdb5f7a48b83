"""A training run in a process of its own, to be killed by tests: it says each step and resumes where it can."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from glassformer.checkpoint import newest_good
from glassformer.train import Callback, StepReport
from tests.train.small_run import small_trainer

# Forks from one process that has imported everything: each run starts in milliseconds.
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["glassformer.train", "glassformer.checkpoint"])


class Telling(Callback):
    """Sends each step's number; at `hold` it waits for a signal, says so, and waits for another."""

    def __init__(self, line: Connection, hold: int | None) -> None:
        self.line, self.hold = line, hold

    def on_step(self, report: StepReport) -> None:
        self.line.send(report.step)
        if report.step == self.hold:
            while signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
                self.line.poll(0.001)
            self.line.send("held")
            self.line.recv()


def train(folder: Path, line: Connection, hold: int | None, choices: dict[str, Any]) -> None:
    """Train in `folder`, from its newest checkpoint if there is one; exit as the command line would."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
    trainer = small_trainer(folder, [Telling(line, hold)], **choices)
    if newest_good(folder / "checkpoints"):
        trainer.resume()
    try:
        reason = trainer.train()
    except KeyboardInterrupt:
        os._exit(130)
    line.send(reason.message)
    sys.exit(reason.exit_code)


@contextmanager
def started(
    folder: Path, *, hold: int | None = None, **choices: Any
) -> Iterator[tuple[multiprocessing.process.BaseProcess, Connection]]:
    """The run as a process, and the line on which it tells its steps."""
    ours, theirs = FORKING.Pipe()
    process = FORKING.Process(target=train, args=(folder, theirs, hold, choices))
    process.start()
    theirs.close()
    try:
        yield process, ours
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()


def heard(line: Connection, wanted: object) -> bool:
    """Listen until `wanted` is said; False where the process ends without saying it."""
    try:
        while line.recv() != wanted:
            pass
    except EOFError:
        return False
    return True
