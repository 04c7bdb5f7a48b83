"""The bytes of CTranslate2's `model.bin`: a version, the name of a specification, named tensors and their aliases."""

import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from glassformer.errors import UserError

DTYPES = (torch.float32, torch.int8, torch.int16, torch.int32, torch.float16, torch.bfloat16)
DTYPE_OF_SIZE = {1: torch.int8, 2: torch.int16, 4: torch.float32}  # before version 4, which gives the size alone
INT16_SCALE = 1000.0  # of int16 weights that come without one


class Binary(NamedTuple):
    """What a `model.bin` holds: numbers, flags and texts are tensors as well."""

    version: int
    spec: str
    tensors: dict[str, Tensor]


class _Bytes:
    """Numbers and names from the bytes of a file, one after the other."""

    def __init__(self, path: Path) -> None:
        self.path, self.place = path, 0
        try:
            self.content = path.read_bytes()
        except OSError as error:
            raise UserError(
                f"{path} cannot be read: {error.strerror}. Give the folder of a CTranslate2 model."
            ) from error

    def take(self, size: int) -> bytes:
        taken = self.content[self.place : self.place + size]
        if len(taken) < size:
            raise UserError(
                f"{self.path} ends at byte {len(self.content)}, in the middle of what it announces: it was cut, or is "
                "no model of CTranslate2. Copy it again."
            )
        self.place += size
        return taken

    def number(self, kind: str) -> int:
        (number,) = struct.unpack(f"<{kind}", self.take(struct.calcsize(kind)))
        return int(number)

    def name(self) -> str:
        place = self.place
        try:
            return self.take(self.number("H")).rstrip(b"\0").decode("utf-8")
        except UnicodeDecodeError as error:
            raise UserError(
                f"{self.path} has no name at byte {place}, where one must be: it is damaged, or no model of "
                "CTranslate2. Copy it again."
            ) from error


def read_binary(path: Path) -> Binary:
    """All tensors, under each of their names. Raises UserError where the file is not whole, or something else."""
    file = _Bytes(path)
    version = file.number("I")
    if not 2 <= version <= 6:
        raise UserError(
            f"{path} says it has version {version} of the format; 2 to 6 are read. Check that it is a model.bin of "
            "CTranslate2, and convert an older model again."
        )
    spec, _ = file.name(), file.number("I")
    tensors: dict[str, Tensor] = {}
    for _ in range(file.number("I")):
        name = file.name()
        if name in tensors:
            raise UserError(f"{path} has {name!r} twice: it is damaged. Copy it again.")
        tensors[name] = _read_tensor(file, name, version)
    for _ in range(file.number("I") if version >= 3 else 0):
        alias, name = file.name(), file.name()
        for end in ("", "_scale"):
            if name + end in tensors:
                tensors[alias + end] = tensors[name + end]
    return Binary(version, spec, tensors)


def _read_tensor(file: _Bytes, name: str, version: int) -> Tensor:
    shape = [file.number("I") for _ in range(file.number("B"))]
    code = file.number("B")
    if version >= 4:
        dtype, size = (DTYPES[code] if code < len(DTYPES) else None), file.number("I")
    else:
        dtype, size = DTYPE_OF_SIZE.get(code), file.number("I") * code
    if dtype is None or size != math.prod(shape) * dtype.itemsize or size == 0:
        raise UserError(
            f"{file.path}: {name!r} has the shape {shape}, {size} bytes and the number type {code}, which do not go "
            "together: the file is damaged. Copy it again."
        )
    return torch.frombuffer(bytearray(file.take(size)), dtype=dtype).view(shape)


def dequantized(tensors: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Weights in float32, scales used up; each other tensor as it is."""
    result = {}
    for name, tensor in tensors.items():
        if not name.endswith("weight"):
            if not name.endswith("weight_scale"):
                result[name] = tensor.float() if tensor.is_floating_point() else tensor
            continue
        scale = tensors.get(f"{name}_scale")
        if tensor.is_floating_point():
            result[name] = tensor.float()
            continue
        if scale is None and tensor.dtype == torch.int16:
            scale = torch.tensor(INT16_SCALE)
        if scale is None or scale.shape not in ((), tensor.shape[:1]):
            raise UserError(
                f"{path}: {name!r} holds whole numbers {list(tensor.shape)}, and there is no {name + '_scale'!r} for "
                "each row. The file is damaged: copy it again."
            )
        result[name] = tensor.float() / scale.float().view(-1, *[1] * (tensor.dim() - 1))
    return result
