"""A small model with its vocabularies, saved once a test."""

from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from glassformer.checkpoint import Config, TrainingState, save
from glassformer.data import Vocabularies, Vocabulary
from glassformer.model.transformer import Transformer


class Saved(NamedTuple):
    folder: Path
    model: Transformer
    vocabularies: Vocabularies
    config: Config


def small_model(tie: str = "none", **choices: object) -> tuple[Transformer, Vocabularies]:
    both = Vocabulary.train(["a b c"], kind="symbols")
    sizes = dict(embed_size=4, num_layers=1, heads=2, forward_expansion=1, max_length=8)
    model = Transformer(len(both), len(both), both.pad_id, both.pad_id, tie_embeddings=tie, **(sizes | choices))
    return model, Vocabularies(both, both)


def config_of(model: Transformer) -> Config:
    return Config(model=model.config, data={"name": "naïve ☃"}, decoding={"beam": 4, "forbidden_ids": [0, 1]}, run={})


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    model, vocabularies = small_model()
    config = config_of(model)
    state = TrainingState(facts={"step": 3}, tensors={"moment": torch.arange(5.0), "dice": torch.arange(9).byte()})
    save(tmp_path / "saved", model, vocabularies, config, state)
    return Saved(tmp_path / "saved", model, vocabularies, config)
