"""The checkpoints of one run: written, found again, thinned out, and made into the final model."""

import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch

from glassformer.checkpoint import Config, newest_good, read_config, read_training, read_weights, save, verify
from glassformer.checkpoint.folder import remove_folder, step_folder, step_folders, sweep
from glassformer.checkpoint.tensors import put_weights
from glassformer.data.vocabulary import Vocabularies
from glassformer.errors import UserError
from glassformer.model.transformer import Transformer
from glassformer.train.averaging import average_weights
from glassformer.train.state import Progress, pack, unpack
from glassformer.train.step import check_weights_finite


class Keeper:
    """Keeps the run in `folder`: checkpoints/step-*, the newest `keep` and the best of them, and at the end model/."""

    def __init__(self, folder: Path, model: Transformer, vocabularies: Vocabularies, config: Config, keep: int) -> None:
        self.folder, self.checkpoints, self.final = folder, folder / "checkpoints", folder / "model"
        self.model, self.vocabularies, self.config, self.keep = model, vocabularies, config, keep
        self.saved_step: int | None = None  # of the newest checkpoint that belongs to this run

    def open(self) -> None:
        """Make the folder and clear what a killed process left.

        Raises UserError where another run lives in it, and where it cannot be made.
        """
        if self.saved_step is None and step_folders(self.checkpoints):
            raise UserError(f"{self.folder} holds a run already: resume it, or choose another folder.")
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"the run's folder {self.folder} cannot be made: {error.strerror}.") from error
        sweep(self.checkpoints, "step-*")
        sweep(self.folder, self.final.name)

    def at(self, step: int) -> Path:
        return step_folder(self.checkpoints, step)

    def save(self, progress: Progress, optimizer: torch.optim.Optimizer) -> Path:
        """Write the checkpoint of this step; then those that are no longer needed go."""
        check_weights_finite(self.model)
        folder = self.at(progress.step)
        save(folder, self.model, self.vocabularies, self.config, pack(progress, self.model, optimizer))
        self.saved_step = progress.step
        older = [other for other in step_folders(self.checkpoints) if other < folder]
        best = None if progress.best_step is None else self.at(progress.best_step)
        for old in older[: max(0, len(older) + 1 - self.keep)]:
            if old != best:
                remove_folder(old)
        return folder

    def restore(self, optimizer: torch.optim.Optimizer) -> Progress:
        """Put the newest whole checkpoint into the model and the optimizer; gives the progress it was written at.

        Raises UserError where there is none, or where it is of another model, optimizer or vocabulary.
        """
        newest = newest_good(self.checkpoints)
        if newest is None:
            raise UserError(f"{self.checkpoints} holds no whole checkpoint to go on from. Start without resume.")
        before, now = asdict(read_config(newest).model), asdict(self.model.config)
        for name in now:
            if before[name] != now[name]:
                raise UserError(f"{name}={now[name]!r}, but {newest} has {before[name]!r}: keep that, or start anew.")
        for name, content in self.vocabularies.files().items():
            if not (newest / name).exists() or (newest / name).read_text(encoding="utf-8") != content:
                raise UserError(f"{newest / name} is not the vocabulary of this run: use that one, or start anew.")
        put_weights(self.model, read_weights(newest), str(newest))
        progress = unpack(read_training(newest), self.model, optimizer)
        self.saved_step = progress.step
        return progress

    def finish(self, progress: Progress, average_last: int, no_worse: Callable[[], bool]) -> str:
        """Put the final weights into the model, write model/, and say what they are.

        They are the best checkpoint's (the last one's, where nothing was scored), or the mean of the last
        `average_last` checkpoints if, with it in the model, `no_worse()`.
        """
        recent = list(filter(is_whole, step_folders(self.checkpoints)))[-average_last:] if average_last > 1 else []
        if len(recent) > 1:
            put_weights(self.model, average_weights(recent), "the mean of the last checkpoints")
            if no_worse():
                save(self.final, self.model, self.vocabularies, self.config)
                return f"the mean of the last {len(recent)} checkpoints"
        best = self._whole(self.at(progress.step if progress.best_step is None else progress.best_step))
        put_weights(self.model, read_weights(best), str(best))
        save(self.final, self.model, self.vocabularies, self.config)
        return f"the weights of {best.name}"

    def _whole(self, best: Path) -> Path:
        try:
            verify(best)
        except UserError as error:
            warnings.warn(f"{error} The newest checkpoint is taken instead of the best.", stacklevel=2)
            return self.at(self.saved_step or 0)
        return best


def is_whole(folder: Path) -> bool:
    """Whether a checkpoint is as it was written."""
    try:
        verify(folder)
    except UserError:
        return False
    return True
