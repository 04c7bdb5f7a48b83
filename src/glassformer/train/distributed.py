"""One process or many: what torchrun says, and the few things the processes tell each other.

Start them with `TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 torchrun --nproc-per-node 2 --max-restarts 3 ...`; without that
variable a restart after a crash can hang while the group forms. Each process computes on its own micro-batches; DDP
sums the gradients.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from glassformer.errors import UserError
from glassformer.model.transformer import Transformer
from glassformer.train.loss import ModelLoss

PATIENCE = timedelta(minutes=20)  # for a silent process; the others wait that long while the first one evaluates


@dataclass(frozen=True)
class Processes:
    """Who we are among the processes of a run. Alone, every method is the identity."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0

    @classmethod
    def from_environment(cls) -> "Processes":
        """As torchrun set it; one process where it set nothing. Raises UserError for values that are no numbers."""
        try:
            values = [int(os.environ.get(name, start)) for name, start in
                      (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))]  # fmt: skip
        except ValueError as error:
            raise UserError(
                f"RANK, WORLD_SIZE or LOCAL_RANK: {error}. Let torchrun set them, or unset them."
            ) from error
        return cls(*values)

    @property
    def first(self) -> bool:
        """The one process that writes and speaks."""
        return self.rank == 0

    @contextmanager
    def joined(self, device: torch.device) -> Iterator[None]:
        """Form the group for as long as the block lasts: NCCL between GPUs, gloo between CPUs."""
        if self.world == 1:
            yield
            return
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
        try:
            yield
        finally:
            dist.destroy_process_group()

    def device(self, device: torch.device) -> torch.device:
        """This process's own GPU where there are many processes and the device is a GPU."""
        return torch.device("cuda", self.local_rank) if self.world > 1 and device.type == "cuda" else device

    def wrap(self, model: Transformer, device: torch.device) -> nn.Module:
        """What `train_step` takes: among many processes, the loss whose backward pass averages their gradients."""
        if self.world == 1:
            return model
        return DistributedDataParallel(ModelLoss(model), device_ids=[device] if device.type == "cuda" else None)

    def sum(self, *values: float, device: torch.device) -> list[float]:
        """Each value summed over the processes."""
        return self._reduce(values, device, dist.ReduceOp.SUM)

    def largest(self, *values: float, device: torch.device) -> list[float]:
        """The largest of each value over the processes."""
        return self._reduce(values, device, dist.ReduceOp.MAX)

    def _reduce(self, values: tuple[float, ...], device: torch.device, how: dist.ReduceOp.RedOpType) -> list[float]:
        if self.world == 1:
            return list(values)
        dtype = torch.float32 if device.type == "mps" else torch.float64
        shared = torch.tensor(values, dtype=dtype, device=device)
        dist.all_reduce(shared, how)
        numbers: list[float] = shared.tolist()
        return numbers


ALONE = Processes()


def restarted() -> bool:
    """Whether torchrun started these processes anew after one of them had died: the run then goes on by itself."""
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"


def without_sync(model: nn.Module, wanted: bool) -> AbstractContextManager[object]:
    """Keep gradients to ourselves for now: all micro-batches but the last accumulate locally."""
    return model.no_sync() if wanted and isinstance(model, DistributedDataParallel) else nullcontext()
