"""The mean of several checkpoints' weights: the paper's last step (section 6.1)."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from glassformer.checkpoint import read_weights


def average_weights(folders: Sequence[Path]) -> dict[str, Tensor]:
    """The mean of the weights in these checkpoints, one file at a time in memory, summed in float64."""
    sums: dict[str, Tensor] = {}
    for folder in folders:
        for name, tensor in read_weights(folder).items():
            sums[name] = sums.get(name, torch.zeros((), dtype=torch.float64)) + tensor.double()
    return {name: total / len(folders) for name, total in sums.items()}
