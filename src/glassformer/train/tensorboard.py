"""TensorBoard, as a callback; it needs the extra: pip install 'glassformer[tensorboard]'."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassformer.errors import UserError
from glassformer.train.callbacks import Callback, StepReport, StopReason

if TYPE_CHECKING:
    from glassformer.train.trainer import Trainer


class TensorBoard(Callback):
    """Writes the loss, the rate, the speed and every score where `tensorboard --logdir FOLDER` finds them.

    Raises UserError, when it is made, where the extra is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UserError("TensorBoard is not installed: pip install 'glassformer[tensorboard]'.") from error
        self.writer: Any = SummaryWriter(str(folder))
        self.every = 1

    def on_start(self, trainer: "Trainer") -> None:
        self.every = trainer.config.log_every

    def on_step(self, report: StepReport) -> None:
        if report.step % self.every == 0:
            for name in ("loss", "grad_norm", "learning_rate", "tokens_per_second"):
                self.writer.add_scalar(f"train/{name}", getattr(report, name), report.step)

    def on_evaluate(self, step: int, scores: dict[str, float]) -> None:
        for name, value in scores.items():
            self.writer.add_scalar(f"valid/{name}", value, step)
        self.writer.flush()

    def on_stop(self, reason: StopReason) -> None:
        self.writer.close()

    def on_failure(self, error: BaseException) -> None:
        self.writer.close()
