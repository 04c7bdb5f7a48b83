"""Glassformer: the Transformer, made of glass.

The public names below are the promise; everything else can be imported by its path and may change.
They are imported on first use, so that `import glassformer` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glassformer.checkpoint import load, save
    from glassformer.data import Vocabularies, Vocabulary, open_dataset
    from glassformer.decode import DecodingConfig, Translator
    from glassformer.errors import UserError
    from glassformer.look.watch import watch
    from glassformer.model.config import TransformerConfig, base, big, origin, tiny
    from glassformer.model.fused import use_fused
    from glassformer.model.transformer import Transformer
    from glassformer.train import Trainer, TrainingConfig

__version__ = "0.3.0"

__all__ = [
    "DecodingConfig",
    "Trainer",
    "TrainingConfig",
    "Transformer",
    "TransformerConfig",
    "Translator",
    "UserError",
    "Vocabularies",
    "Vocabulary",
    "base",
    "big",
    "load",
    "open_dataset",
    "origin",
    "save",
    "tiny",
    "use_fused",
    "watch",
]

_HOMES = {
    "DecodingConfig": "decode",
    "Trainer": "train",
    "TrainingConfig": "train",
    "Transformer": "model.transformer",
    "TransformerConfig": "model.config",
    "Translator": "decode",
    "UserError": "errors",
    "Vocabularies": "data",
    "Vocabulary": "data",
    "base": "model.config",
    "big": "model.config",
    "load": "checkpoint",
    "open_dataset": "data",
    "origin": "model.config",
    "save": "checkpoint",
    "tiny": "model.config",
    "use_fused": "model.fused",
    "watch": "look",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'glassformer' has no attribute {name!r}")
    return getattr(import_module(f"glassformer.{_HOMES[name]}"), name)
