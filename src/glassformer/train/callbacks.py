"""What the Trainer tells the world: override the methods you need."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from glassformer.train.trainer import Trainer

StopKind = Literal["max_steps", "max_minutes", "patience", "SIGTERM", "SIGINT"]
EXIT_CODES: dict[StopKind, int] = {"SIGTERM": 143, "SIGINT": 130}


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """One update: what the bar shows and metrics.jsonl keeps."""

    step: int  # updates done, this one included
    epoch: int  # passes over the data finished before its last batch
    loss: float  # label-smoothed, per real target token of all processes
    grad_norm: float  # before clipping
    learning_rate: float
    tokens: int  # real target tokens of this update, of all processes
    tokens_per_second: float  # real target tokens over the time of the last updates, evaluation and saving left out
    seconds: float  # of the whole run, earlier parts of a resumed one included
    seconds_left: float  # estimated from what this process has done, not from what an interrupted one did
    progress: float  # of the whole run, 0 to 1


@dataclass(frozen=True, kw_only=True)
class StopReason:
    """Why training stopped, what it left, and how to go on."""

    kind: StopKind
    step: int
    folder: Path  # the final model, or after a signal the checkpoint to go on from
    message: str

    @property
    def exit_code(self) -> int:
        """What a program should exit with: 0, or 128 + the signal's number."""
        return EXIT_CODES.get(self.kind, 0)


class Callback:
    """Called by the Trainer, in the first process only."""

    def on_start(self, trainer: "Trainer") -> None:
        """Before the first update; after `resume`, `trainer.step` is the step resumed from."""

    def on_step(self, report: StepReport) -> None:
        """After each update."""

    def on_evaluate(self, step: int, scores: dict[str, float]) -> None:
        """After each evaluation."""

    def on_save(self, step: int, folder: Path) -> None:
        """After each checkpoint, when it is whole."""

    def on_stop(self, reason: StopReason) -> None:
        """At the end, when everything is saved."""

    def on_failure(self, error: BaseException) -> None:
        """Instead of `on_stop`, when an exception ends the training: release what you hold. It goes on its way."""
