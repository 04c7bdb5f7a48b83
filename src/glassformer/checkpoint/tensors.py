"""Tensors in safetensors files, and a model's weights by name: a tied table is one tensor with one name."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from glassformer.errors import UserError


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """The model's own tensors by name (not copied), each once: what shares its storage shares the first name."""
    named: dict[int, tuple[str, Tensor]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        named.setdefault(id(tensor), (name, tensor))
    return dict(named.values())


@torch.no_grad()
def put_weights(model: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Copy `weights` into the model. Raises UserError unless names and shapes are exactly the model's."""
    own = weights_of(model)
    check_weights({name: list(tensor.shape) for name, tensor in own.items()}, weights, source)
    for name, tensor in own.items():
        tensor.copy_(weights[name])


def check_weights(shapes: Mapping[str, list[int]], weights: Mapping[str, Tensor], source: str) -> None:
    """Raise UserError, naming the first of each kind, where names or shapes differ from what the model needs."""
    problems = [
        _first("missing", [name for name in shapes if name not in weights]),
        _first("unexpected", [name for name in weights if name not in shapes]),
        _first(
            "of another shape",
            [
                f"{name} ({list(weights[name].shape)} in the file, {shape} in the model)"
                for name, shape in shapes.items()
                if name in weights and list(weights[name].shape) != shape
            ],
        ),
    ]
    if any(problems):
        raise UserError(
            f"{source} does not fit its config.json: {'; '.join(filter(None, problems))}. "
            "Weights and config must come from one `save`."
        )


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a file, on the CPU. Raises UserError for a file that is no safetensors."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no mapping
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is not a safetensors file that can be read: {error}.") from error


def _first(kind: str, names: list[str]) -> str:
    if not names:
        return ""
    rest = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{kind}: {names[0]}{rest}"
