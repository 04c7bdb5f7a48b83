"""config.json: the model's sizes, and what one must know to use and to judge it."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter

from glassformer.checkpoint.border import STRICT, as_json, read_json
from glassformer.checkpoint.folder import FORMAT, check_format
from glassformer.model.config import TransformerConfig

CONFIG = "config.json"


@dataclass(frozen=True, kw_only=True)
class Config:
    """What config.json says. The three dictionaries hold plain JSON values; their owners read them."""

    model: TransformerConfig
    data: dict[str, Any]  # the identity of the data set and its split
    decoding: dict[str, Any]  # a DecodingConfig: forbidden ids, beam, ...
    run: dict[str, Any]  # the recipe the model was trained by

    def to_json(self) -> str:
        return as_json({"format": FORMAT} | asdict(self))


@dataclass(frozen=True, kw_only=True)
class _Stored(Config):
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    format: int


def read_config(folder: str | os.PathLike[str]) -> Config:
    """The config.json of a checkpoint. Raises UserError for unknown keys, wrong types and another format."""
    path = Path(folder) / CONFIG
    stored = read_json(path, TypeAdapter(_Stored))
    check_format(path, stored.format)
    return Config(model=stored.model, data=stored.data, decoding=stored.decoding, run=stored.run)
