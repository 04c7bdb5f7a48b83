"""`save` and `load`: a model with its vocabularies and its config, as one folder."""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import TypeAdapter
from torch import Tensor

from glassformer.checkpoint.border import as_json, read_json
from glassformer.checkpoint.config import CONFIG, Config, read_config
from glassformer.checkpoint.folder import MANIFEST, PICKLES, newest_good, refuse_pickle, verify, write_folder
from glassformer.checkpoint.named import find_model, shipped
from glassformer.checkpoint.tensors import check_weights, put_weights, read_tensors, weights_of, write_tensors
from glassformer.data.vocabulary import Vocabularies
from glassformer.errors import UserError
from glassformer.model.config import TransformerConfig
from glassformer.model.transformer import Transformer

WEIGHTS = "model.safetensors"
FACTS, STATE = "training.json", "training.safetensors"


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """What training needs to go on exactly where it was: numbers and words as JSON, and tensors."""

    facts: dict[str, Any]
    tensors: dict[str, Tensor]


class Loaded(NamedTuple):
    """A model ready for use, in evaluation mode, and what belongs to it."""

    model: Transformer
    vocabularies: Vocabularies
    config: Config


def save(
    folder: str | os.PathLike[str],
    model: Transformer,
    vocabularies: Vocabularies,
    config: Config,
    training: TrainingState | None = None,
) -> None:
    """Write a checkpoint: all of it or nothing, in place of the one that was there.

    Raises UserError when it cannot be written, or when the folder holds anything but a checkpoint.
    """
    vocabularies.check(config.model.src_vocab_size, config.model.trg_vocab_size)
    files: dict[str, Callable[[Path], object]] = {
        CONFIG: partial(_write_text, config.to_json()),
        WEIGHTS: partial(_write_tensors, weights_of(model)),
        **{name: partial(_write_text, content) for name, content in vocabularies.files().items()},
    }
    if training is not None:
        files[FACTS] = partial(_write_text, as_json(training.facts))
        files[STATE] = partial(_write_tensors, training.tensors)
    write_folder(Path(folder), files)


def load(
    path: str | os.PathLike[str], *, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
) -> Loaded:
    """Open a checkpoint, or a run's folder: its `model/` if that is whole, else its newest good checkpoint.

    A word without a slash that is no folder here is the name of a model that ships: `load("pronounce")`.
    Every byte is checked first. `dtype` is the one the weights were saved in unless you name another; but weights
    kept in half precision are computed with in float32. Raises UserError that names the file and what is wrong with it.
    """
    folder = _checkpoint_in(find_model(path))
    verify(folder)
    config = read_config(folder)
    vocabularies = Vocabularies.load(folder)
    vocabularies.check(config.model.src_vocab_size, config.model.trg_vocab_size)
    weights = read_weights(folder)
    _check_before_building(config.model, weights, folder)
    stored = next(iter(weights.values())).dtype
    with torch.random.fork_rng(devices=[]):  # the random start is thrown away: it must not move the caller's dice
        model = Transformer.from_config(config.model, dtype=dtype or torch.promote_types(stored, torch.float32))
    put_weights(model, weights, str(folder / WEIGHTS))
    return Loaded(model.to(device).eval(), vocabularies, config)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint by name."""
    return read_tensors(folder / WEIGHTS)


def read_training(folder: Path) -> TrainingState:
    """The training state of a checkpoint. Raises UserError where it has none: a finished model cannot be resumed."""
    if not (folder / FACTS).is_file():
        raise UserError(f"{folder} has no {FACTS}: it is a finished model. Resume from a checkpoint of its run.")
    facts = read_json(folder / FACTS, TypeAdapter(dict[str, Any]))
    return TrainingState(facts=facts, tensors=read_tensors(folder / STATE))


def _checkpoint_in(path: Path) -> Path:
    """The folder that is meant by `path`."""
    if path.suffix in PICKLES:
        refuse_pickle(path)
    if not path.is_dir():
        what = "is a file: give the folder it lies in" if path.exists() else "is not there. Check the name"
        raise UserError(f"{path} {what}.")
    if (path / MANIFEST).exists():
        return path
    if (path / "model").is_dir():
        try:
            verify(path / "model")
        except UserError as error:
            warnings.warn(f"{error} The newest checkpoint of the run is taken.", stacklevel=3)
        else:
            return path / "model"
    newest = newest_good(path / "checkpoints")
    if newest is None:
        pickles = [file for file in path.iterdir() if file.suffix in PICKLES]
        if pickles:
            refuse_pickle(pickles[0])
        raise UserError(
            f"{path} holds no whole checkpoint: there is no {MANIFEST}, no model/ and no good checkpoints/step-*. "
            "Give the folder of a model or of a training run."
            + (f" The model {path.name} that ships is {shipped()[path.name]}." if path.name in shipped() else "")
        )
    return newest


def _check_before_building(config: TransformerConfig, weights: dict[str, Tensor], folder: Path) -> None:
    """Compare names and shapes first, so that no config, however large, makes the program allocate."""
    layers = config.encoder.layers + config.decoder.layers
    if layers > len(weights):
        raise UserError(f"{folder / CONFIG} asks for {layers} layers; {WEIGHTS} has {len(weights)} tensors in all.")
    with torch.device("meta"):  # shapes without memory
        shapes = {name: list(t.shape) for name, t in weights_of(Transformer.from_config(config, device="meta")).items()}
    check_weights(shapes, weights, str(folder / WEIGHTS))


def _write_text(content: str, path: Path) -> None:
    path.write_text(content, encoding="utf-8", newline="\n")


def _write_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    write_tensors(path, tensors)
