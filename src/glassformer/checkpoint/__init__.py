"""Checkpoints: one folder of JSON and safetensors that is whole or absent, and whose every byte is checked."""

from glassformer.checkpoint.config import Config, read_config
from glassformer.checkpoint.folder import newest_good, verify
from glassformer.checkpoint.named import find_model, shipped
from glassformer.checkpoint.store import Loaded, TrainingState, load, read_training, read_weights, save

__all__ = [
    "Config",
    "Loaded",
    "TrainingState",
    "find_model",
    "load",
    "newest_good",
    "read_config",
    "read_training",
    "read_weights",
    "save",
    "shipped",
    "verify",
]
