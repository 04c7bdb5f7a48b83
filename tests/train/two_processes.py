"""What each process of a distributed test runs: `... -m tests.train.two_processes FOLDER MAX_STEPS SAVE_EVERY`."""

import os
import sys
from pathlib import Path

import torch

from glassformer.checkpoint import newest_good
from glassformer.train import Callback, StepReport
from tests.train.small_run import small_trainer

CHOICES = dict(precision="float64", dropout=0.0, epsilon=1e-3, evaluate_every=3)


class Saying(Callback):
    def on_step(self, report: StepReport) -> None:
        say(f"step {report.step}")


def say(words: str) -> None:
    sys.stdout.write(words + "\n")  # one write: lines of two processes must not mix
    sys.stdout.flush()


def main(folder: Path, max_steps: int, save_every: int) -> None:
    torch.set_num_threads(1)
    trainer = small_trainer(folder, [Saying()], accumulate=2, max_steps=max_steps, save_every=save_every, **CHOICES)
    say(f"rank {trainer.processes.rank} has pid {os.getpid()}")
    if newest_good(folder / "checkpoints"):
        trainer.resume()
    reason = trainer.train()
    say(f"rank {trainer.processes.rank}: {reason.kind} {reason.step}")
    sys.exit(reason.exit_code)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
