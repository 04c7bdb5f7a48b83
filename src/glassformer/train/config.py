"""How to train: every choice of a training run, with its default, in one place."""

from dataclasses import dataclass
from typing import Literal, get_args

from glassformer.errors import UserError

Schedule = Literal["noam", "inverse_sqrt", "cosine", "linear", "constant"]
Optimizer = Literal["adamw", "muon"]
Precision = Literal["auto", "float32", "bfloat16", "float64"]


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Every choice of a training run. Raises UserError, naming the field, its value, the rule and a way out."""

    batch_tokens: int = 4096  # budget of one micro-batch: sentences x tokens of the longer side, padding included
    accumulate: int = 1  # micro-batches of one process in one update
    max_steps: int | None = None  # stop after so many updates
    max_minutes: float | None = None  # stop after so much time, evaluation included; the schedule follows the clock
    optimizer: Optimizer = "adamw"  # or "muon": more learned by an update, which takes longer, see muon.py
    schedule: Schedule = "inverse_sqrt"  # how the learning rate moves, see schedules.py
    learning_rate: float = 1e-3  # the highest rate; for "noam" the factor before the paper's formula (the paper: 1)
    warmup_steps: int = 1000  # updates in which the rate climbs from 0
    label_smoothing: float = 0.1  # probability taken from the right token and spread over all (section 5.4)
    clip_norm: float = 1.0  # longest gradient; 0: never shortened
    weight_decay: float = 0.01  # of matrices; biases and norms never decay
    betas: tuple[float, float] = (0.9, 0.98)  # AdamW's (section 5.3)
    epsilon: float = 1e-9  # AdamW's (section 5.3)
    precision: Precision = "auto"  # auto: bfloat16 autocast where the device has it, see fast.py
    seed: int = 1  # of dropout
    save_every: int = 500  # updates between two checkpoints
    keep_checkpoints: int = 3  # the newest ones kept, beside the best
    keep_for_look: int = 0  # models kept over the whole run to look at, most of them early, see keep_for_look.py
    evaluate_every: int = 1000  # updates between two evaluations
    patience: int | None = None  # stop after so many evaluations without a better score
    average_last: int = 5  # checkpoints whose mean may become the final model (section 6.1); 0: the best one
    log_every: int = 10  # updates between two lines of metrics.jsonl

    def __post_init__(self) -> None:
        for name in (
            "batch_tokens", "accumulate", "max_steps", "max_minutes", "save_every", "keep_checkpoints",
            "evaluate_every", "patience", "log_every", "learning_rate", "epsilon",
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise UserError(f"{name}={value} must be above 0.")
        for name in ("warmup_steps", "clip_norm", "weight_decay", "average_last", "seed", "keep_for_look"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise UserError(f"{name}={getattr(self, name)} must be 0 or more.")
        if not 0 <= self.label_smoothing < 1:
            raise UserError(f"label_smoothing={self.label_smoothing} must be at least 0 and below 1. Try 0.1.")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise UserError(f"betas={self.betas} must be two numbers, at least 0 and below 1. Try (0.9, 0.98).")
        for name, kinds in (("optimizer", Optimizer), ("schedule", Schedule), ("precision", Precision)):
            if getattr(self, name) not in get_args(kinds):
                known = ", ".join(map(repr, get_args(kinds)))
                raise UserError(f"{name}={getattr(self, name)!r} is not one of {known}.")
