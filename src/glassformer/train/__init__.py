"""Training: the loss, the schedules, one step, and the Trainer that repeats it and survives what may happen."""

from glassformer.train.callbacks import Callback, StepReport, StopReason
from glassformer.train.config import TrainingConfig
from glassformer.train.keep_for_look import look_checkpoints
from glassformer.train.loss import label_smoothed_loss, validation_loss
from glassformer.train.metrics import training_curve
from glassformer.train.schedules import learning_rate
from glassformer.train.step import NotFiniteError, StepResult, train_step
from glassformer.train.trainer import Trainer

__all__ = [
    "Callback",
    "NotFiniteError",
    "StepReport",
    "StepResult",
    "StopReason",
    "Trainer",
    "TrainingConfig",
    "label_smoothed_loss",
    "learning_rate",
    "look_checkpoints",
    "train_step",
    "training_curve",
    "validation_loss",
]
