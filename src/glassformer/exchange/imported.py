"""What every importer gives back, and what all of them share: taking tensors by name, and building one of ours.

An importer takes each tensor of the source once, saying what becomes of it. What is missing, left over or of another
shape is refused by its own name, so that nothing is ignored and nothing guessed.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor

from glassformer.checkpoint.tensors import put_weights, weights_of
from glassformer.data import Vocabularies
from glassformer.errors import UserError, unknown_name
from glassformer.model.config import Tying
from glassformer.model.transformer import Transformer


@dataclass(frozen=True)
class Imported:
    """A model that came from somebody else's file, in evaluation mode on the CPU, and what is known about the way."""

    model: Transformer
    vocabularies: Vocabularies
    names: dict[str, str]  # their tensor -> ours, or what became of it: a line each
    notes: list[str]  # what differs from the source, and with which effect
    decoding: dict[str, Any] = field(default_factory=dict)  # fields of a DecodingConfig that the source states
    measured: str = ""  # what was compared with the source's own formulas, and the largest difference; "": nothing


class Source:
    """The tensors of a source, each taken once by its name. `names` keeps what became of each.

    Half precision is raised to float32 here, so that what is computed on the way is not rounded to it. Those named in
    `leave` are as if they were not there; raises UserError for one that is not.
    """

    def __init__(self, tensors: Mapping[str, Tensor], where: str, leave: Collection[str] = ()) -> None:
        for name in leave:
            if name not in tensors:
                raise unknown_name(f"tensor of {where} in --leave", name, tensors)
        self.where = where
        self.names = dict.fromkeys(leave, "left out, as --leave says")
        self.tensors = {name: _raised(tensor) for name, tensor in tensors.items() if name not in leave}

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def take(self, name: str, becomes: str, *shape: int) -> Tensor:
        """The tensor `name`. Raises UserError where it is missing, broken, or has another shape than the one given."""
        tensor = self._find(name, becomes)
        if shape and tuple(tensor.shape) != shape:
            raise UserError(
                f"{self.where}: {name!r} has the shape {list(tensor.shape)}, and the model needs {list(shape)} "
                f"for {becomes}. Check the sizes and the options, or take another file."
            )
        if not tensor.isfinite().all():
            raise UserError(f"{self.where}: {name!r} holds NaN or infinity: the weights are broken. Take another file.")
        self.names[name] = f"{self.names[name]} and {becomes}" if name in self.names else becomes
        return tensor

    def _find(self, name: str, becomes: str) -> Tensor:
        if name not in self.tensors:
            near = get_close_matches(name, [other for other in self.tensors if other not in self.names], n=1)
            raise UserError(
                f"{self.where} has no tensor {name!r}, which {becomes} is made of."
                + (f" It has {near[0]!r}." if near else "")
                + " Is it the file of a whole model, of this kind?"
            )
        return self.tensors[name]

    def size(self, name: str, becomes: str, dims: int = 2) -> tuple[int, ...]:
        """The sizes of a tensor that the model's are read from, without taking it."""
        tensor = self._find(name, becomes)
        if tensor.dim() != dims or not tensor.numel():
            raise UserError(
                f"{self.where}: {name!r} has the shape {list(tensor.shape)}, and {becomes} needs {dims} axes. "
                "Is it the file of a model of this kind?"
            )
        return tuple(tensor.shape)

    def layers(self, prefix: str) -> int:
        """How many layers there are under `prefix`: `prefix`0, `prefix`1, ..."""
        return len({name.removeprefix(prefix).split(".")[0] for name in self if name.startswith(prefix)})

    def leave(self, name: str, why: str) -> None:
        """Note that a tensor is not needed, and why."""
        self.names[name] = f"not needed: {why}"

    def finish(self) -> dict[str, str]:
        """What became of each tensor. Raises UserError where one was never asked for."""
        left = [name for name in self.tensors if name not in self.names]
        if left:
            rest = f" and {len(left) - 1} more" if len(left) > 1 else ""
            raise UserError(
                f"{self.where} has the tensor {left[0]!r}{rest}, for which this model has no place. "
                "What it computes would be lost. If you know that it computes nothing, as the buffer of a mask may, "
                f"leave it out: --leave {left[0]}."
            )
        return self.names


def _raised(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def ask_all(reasons: Mapping[str, str]) -> UserError:
    """The error for what weights cannot say: option -> why they do not tell it."""
    asked = "; ".join(f"{option} ({why})" for option, why in reasons.items())
    return UserError(f"the file does not say everything. Look it up where the model was made, and give {asked}.")


def tying(weights: Mapping[str, Tensor]) -> Tying:
    """Which tables are one, by our names: those that hold the same numbers."""
    out, src, trg = (
        weights[f"{name}.weight"] for name in ("fc_out", "encoder.word_embedding", "decoder.word_embedding")
    )
    if not torch.equal(trg, out):
        return "none"
    return "three-way" if torch.equal(src, out) else "two-way"


def build(sizes: Mapping[str, Any], weights: Mapping[str, Tensor], where: str) -> Transformer:
    """A Transformer of these sizes with these weights, by our names; a tied table is given once, or equal each time.

    Sizes that are left out are the constructor's defaults. Raises UserError where the sizes do not go
    together, and where names, shapes or numbers are not the model's.
    """
    layers = max(sizes["num_layers"], sizes.get("decoder_layers") or 0)
    if layers > len(weights):
        raise UserError(f"{where} asks for {layers} layers, and has {len(weights)} tensors in all.")
    try:
        with torch.device("meta"):  # shapes without memory, so that no sizes, however large, make it allocate
            skeleton = Transformer(**sizes, device="meta")
    except ValueError as error:
        raise UserError(f"{where}: {error}") from error
    check(skeleton, weights, where)
    dtype = torch.promote_types(next(iter(weights.values())).dtype, torch.float32)
    with torch.random.fork_rng(devices=[]):  # the random start is thrown away: it must not move the caller's dice
        model = Transformer.from_config(skeleton.config, dtype=dtype)
    put_weights(model, {name: weights[name] for name in weights_of(model)}, where)
    return model.eval()


def check(skeleton: Transformer, weights: Mapping[str, Tensor], where: str) -> None:
    """Raise UserError unless these are the model's tensors: every one, no other, of its shape, of finite numbers."""
    shared = skeleton.state_dict()
    for name, own in weights_of(skeleton).items():
        if name not in weights:
            raise UserError(f"{where} gives nothing for {name}: the model would stay random there.")
        if weights[name].shape != own.shape:
            raise UserError(
                f"{where} gives the shape {list(weights[name].shape)} for {name}, and the model needs "
                f"{list(own.shape)}. Check the sizes and the options."
            )
    for name, tensor in weights.items():
        if name not in shared:
            raise UserError(f"{where} gives {name}, which the model does not have.")
        if not tensor.isfinite().all():
            raise UserError(f"{where}: {name} holds what is not a number. The weights are broken: take another file.")
