"""Checkpoints kept to look at how a model changed while it learned, and the curve of its loss beside them."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from glassformer.checkpoint import load, save
from glassformer.checkpoint.folder import remove_folder, step_folder, step_folders, step_of, sweep
from glassformer.train.callbacks import Callback, StepReport, StopReason

if TYPE_CHECKING:
    from glassformer.train.trainer import Trainer

LOOK = "look"


class KeepForLook(Callback):
    """Keeps about `count` models in FOLDER/look/step-*: the first before any update, the last after all of them.

    Model i of 0 to count - 1 is kept at the part (i / (count - 1))^2 of the run: densest at the start, where most
    changes. They hold weights and vocabularies, no training state, and stay when the run's checkpoints are thinned.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder / LOOK, count

    def on_start(self, trainer: "Trainer") -> None:
        """Drop the models of updates that a killed run lost; they are done again."""
        self.trainer, self.number = trainer, self._number(trainer.done)
        sweep(self.folder, "step-*")
        for lost in look_checkpoints(self.folder.parent):
            if (step_of(lost) or 0) > trainer.step:
                remove_folder(lost)
        if trainer.step == 0:
            self._keep(0)

    def on_step(self, report: StepReport) -> None:
        before, self.number = self.number, self._number(report.progress)
        if self.number > before:
            self._keep(report.step)

    def on_stop(self, reason: StopReason) -> None:
        """The last update's model, from its checkpoint: by now the Trainer's model may be an earlier, better one."""
        last = step_folder(self.folder, reason.step)
        if not reason.exit_code and not last.exists():
            save(last, *load(self.trainer.keeper.at(reason.step)))

    def _number(self, progress: float) -> int:
        """The newest of the models that are due when this part of the run is done."""
        return int((self.count - 1) * math.sqrt(progress))

    def _keep(self, step: int) -> None:
        keeper = self.trainer.keeper
        save(step_folder(self.folder, step), keeper.model, keeper.vocabularies, keeper.config)


def look_checkpoints(folder: Path) -> list[Path]:
    """The models that a run in `folder` kept to be looked at, oldest first; none where it kept none."""
    return step_folders(folder / LOOK)
