"""Everything that training knows beside the weights, as JSON and tensors, and back.

No state of a random generator is among it: the dropout of each update is seeded by (seed, step, process) alone, so
neither a resume nor an evaluation in between can change it.
"""

import hashlib
import math
import warnings
from dataclasses import asdict, dataclass, field
from typing import ClassVar

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError
from torch import nn

from glassformer.checkpoint import TrainingState
from glassformer.checkpoint.tensors import weights_of
from glassformer.errors import UserError

ADAMW_MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what it keeps of each parameter


@dataclass
class Progress:
    """How far a run has come."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    step: int = 0  # updates done
    seconds: float = 0.0  # time spent, evaluation and saving included
    evaluated_step: int = 0  # the step of the last evaluation
    best_step: int | None = None  # the step of the best evaluation
    best_score: float | None = None
    evaluations_without_better: int = 0
    batches: dict[str, int] = field(default_factory=dict)  # the position in the stream of batches
    machine: dict[str, str] = field(default_factory=dict)  # what exactness depends on

    def no_worse(self, score: float, less_is_better: bool) -> bool:
        """Whether `score` is a number and at least as good as the best so far."""
        best = score if self.best_score is None else self.best_score
        return math.isfinite(score) and (score <= best if less_is_better else score >= best)

    def note(self, score: float, less_is_better: bool) -> None:
        """Take down the score of an evaluation at this step."""
        no_worse = self.no_worse(score, less_is_better)
        better = no_worse and score != self.best_score
        if no_worse:  # of equal scores the later step's weights, which have learnt for longer
            self.best_step, self.best_score = self.step, score
        self.evaluated_step = self.step
        self.evaluations_without_better = 0 if better else self.evaluations_without_better + 1


def machine_facts(model: nn.Module, precision: str, processes: int) -> dict[str, str]:
    """What must stay as it is for a resumed run to give the same bits."""
    weight = next(model.parameters())
    gpu = torch.cuda.get_device_name(weight.device) if weight.is_cuda else ""
    return {
        "torch": torch.__version__,
        "device": f"{weight.device.type} {gpu}".strip(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
        "processes": str(processes),
        "dtype": str(weight.dtype).removeprefix("torch."),
        "precision": precision,
    }


def dropout_seed(seed: int, step: int, rank: int) -> int:
    """A seed of its own for each update and process."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {step} {rank}".encode(), digest_size=7).digest())


def pack(progress: Progress, model: nn.Module, optimizer: torch.optim.Optimizer) -> TrainingState:
    """The training state as a checkpoint keeps it."""
    tensors = {
        f"{moment}.{name}": optimizer.state[parameter][moment]
        for name, parameter in weights_of(model).items()
        for moment in optimizer.state.get(parameter, {})
    }
    return TrainingState(facts=asdict(progress), tensors=tensors)


def unpack(state: TrainingState, model: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Put the moments into the optimizer and give the progress. Raises UserError for another model or optimizer."""
    try:
        progress = TypeAdapter(Progress).validate_python(state.facts)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"training.json does not fit: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
    names = {id(tensor): name for name, tensor in weights_of(model).items()}
    order = [
        (names[id(parameter)], group.get("moments", ADAMW_MOMENTS))
        for group in optimizer.param_groups
        for parameter in group["params"]
    ]
    expected = {f"{moment}.{name}" for name, moments in order for moment in moments} if progress.step else set()
    if wrong := sorted(expected ^ set(state.tensors)):
        raise UserError(
            f"training.safetensors is of another model or optimizer: {wrong[0]} is missing or unknown. "
            "Go on with the settings that the run was begun with, such as its --optimizer and --learning-rate."
        )
    moments = {
        index: {moment: state.tensors[f"{moment}.{name}"] for moment in kept}
        for index, (name, kept) in enumerate(order)
        if expected
    }
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    return progress


def warn_unless_same(before: dict[str, str], now: dict[str, str]) -> None:
    """Warn where the machine differs from the one that wrote the checkpoint: training goes on, but not exactly."""
    differences = [
        f"{name} was {before.get(name)!r}, is {now[name]!r}" for name in now if before.get(name) != now[name]
    ]
    if differences:
        warnings.warn(
            f"training goes on, but not to the same bits as without the stop: {'; '.join(differences)}.", stacklevel=3
        )
