"""metrics.jsonl: one line of JSON per noted update and per evaluation, the whole history of a run."""

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassformer.train.callbacks import Callback, StepReport

if TYPE_CHECKING:
    from glassformer.train.trainer import Trainer


METRICS = "metrics.jsonl"


class MetricsFile(Callback):
    """Appends to a file; lines of updates that a killed run lost and that are done again are dropped at the start."""

    def __init__(self, path: Path, every: int) -> None:
        self.path, self.every = path, every

    def on_start(self, trainer: "Trainer") -> None:
        progress = trainer.progress
        kept = [
            line
            for line in read_lines(self.path)
            if line["step"] <= (progress.evaluated_step if "scores" in line else progress.step)
        ]
        working = self.path.with_name(".tmp-" + self.path.name)
        working.write_text("".join(map(as_line, kept)), encoding="utf-8", newline="\n")
        working.replace(self.path)

    def on_step(self, report: StepReport) -> None:
        if report.step % self.every == 0:
            names = ("step", "epoch", "loss", "grad_norm", "learning_rate", "tokens", "tokens_per_second", "seconds")
            self._append({name: getattr(report, name) for name in names})

    def on_evaluate(self, step: int, scores: dict[str, float]) -> None:
        numbers = {name: value if math.isfinite(value) else None for name, value in scores.items()}  # JSON has no NaN
        self._append({"step": step, "scores": numbers})

    def _append(self, values: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(as_line(values))


def training_curve(folder: Path, most: int = 200) -> list[tuple[int, float]]:
    """(step, loss) of the updates noted by the run in `folder`: `most` of them (2 or more), evenly, both ends included.

    Of two lines for one step the later one counts. No points where the folder has no metrics.
    """
    noted = [line for line in read_lines(folder / METRICS) if isinstance(line.get("loss"), float)]
    points = sorted({line["step"]: line["loss"] for line in noted}.items())
    if len(points) <= most:
        return points
    return [points[round(number * (len(points) - 1) / (most - 1))] for number in range(most)]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines that can be read, each of a step: a kill may have cut the last one. None where there is no file."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    lines = []
    for line in text.split("\n"):
        with suppress(ValueError):
            lines.append(json.loads(line))
    return [line for line in lines if isinstance(line, dict) and isinstance(line.get("step"), int)]


def as_line(values: dict[str, Any]) -> str:
    return json.dumps(values) + "\n"
