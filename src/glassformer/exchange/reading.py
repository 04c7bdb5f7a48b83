"""Tensors from a file that somebody else wrote: data only, never a program, and nothing half read.

safetensors is read as it is. A PyTorch file (.pt, .pth, .bin, ...) is opened by `torch.load(weights_only=True)`, which
builds tensors, numbers and dictionaries and refuses everything else, and only because the user named this very file.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glassformer.checkpoint.tensors import read_tensors as read_safetensors
from glassformer.errors import UserError, unknown_name

TORCH_FILES = (".pt", ".pth", ".bin", ".ckpt", ".zip", ".tar")
WEIGHTS_KEYS = ("model_state_dict", "state_dict", "model")  # where training scripts keep the weights
WRAPPERS = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before every name
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def read_tensors(path: Path, key: str | None = None) -> dict[str, Tensor]:
    """The tensors of one file by name, on the CPU.

    `key` opens a dictionary inside the file; without it the usual ones are tried. Raises UserError, naming the file,
    for one that is absent, cut, or no dictionary of tensors.
    """
    if not path.is_file():
        raise UserError(
            f"{path} is no file. Give the file of the weights itself: .safetensors, {', '.join(TORCH_FILES)}."
        )
    if path.suffix == ".safetensors":
        content: Any = _read_whole(read_safetensors, path)
    elif path.suffix in TORCH_FILES:
        content = _read_whole(_load, path)
    else:
        raise UserError(
            f"{path} ends with {path.suffix or 'nothing'!r}: weights are read from .safetensors, or from a file of "
            f"PyTorch ({', '.join(TORCH_FILES)}). Give it the name of what it is."
        )
    found = _without_wrapper(_opened(content, key, path))
    tensors = {name: tensor.detach() for name, tensor in found.items()}
    largest = path.stat().st_size
    for name, tensor in tensors.items():
        _check(name, tensor, path, largest)
    return tensors


def folder_and_file(path: Path, usual: str) -> tuple[Path, Path]:
    """A model's folder and the file of its weights, of which `path` is one; in a folder the file has its usual name."""
    return (path.parent, path) if path.is_file() else (path, path / usual)


def _read_whole(read: Any, path: Path) -> Any:
    try:
        with warnings.catch_warnings(action="ignore"):  # remarks on old formats are not for whom they would reach
            return read(path)
    except UserError:
        raise
    except Exception as error:  # what a broken file sets off is as various as what may be in it
        # PyTorch's own words advise to load it with weights_only=False, which would run what is in it.
        raise UserError(
            f"{path} cannot be read as weights ({type(error).__name__}): it is cut, damaged, or holds more than "
            "tensors, which is never opened here. Get it again, or ask its author for safetensors."
        ) from error


def _load(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


def _opened(content: Any, key: str | None, path: Path) -> dict[str, Tensor]:
    """The dictionary of tensors in what the file holds."""
    if not isinstance(content, Mapping):
        raise UserError(f"{path} holds a {type(content).__name__}, and not tensors by name: save model.state_dict().")
    if key is not None:
        if key not in content:
            raise unknown_name(f"--key of {path}", key, map(str, content))
        content = content[key]
    elif not _are_tensors(content):
        content = next((content[usual] for usual in WEIGHTS_KEYS if usual in content), content)
    if not isinstance(content, Mapping) or not content:
        raise UserError(f"{path} holds no tensors by name under that key: save model.state_dict().")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            names = ", ".join(map(str, list(content)[:6]))
            raise UserError(
                f"{path}: {str(name)[:80]!r} is a {type(value).__name__} and no tensor with a name. If the weights are "
                f"a dictionary inside, name it with --key; the file has {names[:200]}."
            )
    return dict(content)


def _are_tensors(content: Mapping[Any, Any]) -> bool:
    return all(isinstance(value, Tensor) for value in content.values())


def _without_wrapper(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for wrapper in WRAPPERS:
        if all(name.startswith(wrapper) for name in tensors):
            return _without_wrapper({name.removeprefix(wrapper): tensor for name, tensor in tensors.items()})
    return tensors


def _check(name: str, tensor: Tensor, path: Path, largest: int) -> None:
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        raise UserError(
            f"{path}: {name!r} is not an ordinary tensor ({tensor.layout}, {tensor.device}). Save it dense."
        )
    if not tensor.numel():
        raise UserError(f"{path}: {name!r} is empty: its shape is {list(tensor.shape)}. It is damaged.")
    if tensor.numel() * tensor.element_size() > largest:
        raise UserError(f"{path}: {name!r} claims {tensor.numel()} numbers, more than the file holds. It is damaged.")
    if (tensor.is_floating_point() or tensor.is_complex()) and tensor.dtype not in FLOATS:
        raise UserError(f"{path}: {name!r} has the dtype {tensor.dtype}. Save it as float32.")
