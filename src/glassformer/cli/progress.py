"""Training as people expect to see it: one live bar on a terminal, plain lines elsewhere."""

import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from glassformer.cli.common import duration
from glassformer.train import Callback, StepReport, StopReason, Trainer

PLAIN_EVERY = 10.0  # seconds between two plain lines


class TrainingBar(Callback):
    """Step, loss, tokens a second and time left; validation scores appear above the bar as they come."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = console.is_terminal
        self.last_line = 0.0
        self.task = TaskID(0)
        self.bar = Progress(
            TextColumn("training"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[words]}"),
            console=console,
            disable=not self.live,
        )

    def on_start(self, trainer: Trainer) -> None:
        if self.live:
            self.bar.start()
        self.task = self.bar.add_task("", total=1.0, words="")

    def on_step(self, report: StepReport) -> None:
        speed, left = f"{report.tokens_per_second:,.0f} tokens/s", duration(report.seconds_left)
        words = f"step {report.step}  loss {report.loss:.3f}  {speed}  {left} left"
        self.bar.update(self.task, completed=report.progress, words=words)
        if not self.live and time.monotonic() - self.last_line > PLAIN_EVERY:
            self.last_line = time.monotonic()
            self.console.print(words)

    def on_evaluate(self, step: int, scores: dict[str, float]) -> None:
        listed = "  ".join(f"{name} {value:.4g}" for name, value in scores.items())
        self.console.print(f"step {step}: {listed}")

    def on_save(self, step: int, folder: Path) -> None:
        if not self.live:
            self.console.print(f"step {step}: saved {folder}")

    def on_stop(self, reason: StopReason) -> None:
        self.bar.stop()

    def on_failure(self, error: BaseException) -> None:
        self.bar.stop()
