"""A recipe carried out: data opened, vocabularies made, pairs encoded, model built, trained and scored."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from inspect import signature
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from glassformer.data import (
    DataSet,
    EncodedPairs,
    TokenBatches,
    Vocabularies,
    Vocabulary,
    batches_in_order,
    encode_in_memory,
    encode_pairs,
    open_dataset,
)
from glassformer.data.download import Progress
from glassformer.errors import UserError
from glassformer.learn.zoo import plant
from glassformer.model.transformer import Transformer
from glassformer.runs.recipe import Recipe, as_dict
from glassformer.runs.scoring import LOWER_IS_BETTER, score_answers, score_model
from glassformer.train import Callback, Trainer, validation_loss


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A recipe with its data in memory-mapped arrays, ready to train."""

    recipe: Recipe
    dataset: DataSet
    vocabularies: Vocabularies
    train_pairs: EncodedPairs
    valid_pairs: EncodedPairs
    valid_references: list[tuple[str, list[str]]]  # those that are decoded and scored at each evaluation

    def build_model(self, device: torch.device | str = "cpu") -> Transformer:
        """A new model of the recipe's sizes, with its fault; raises UserError where they do not fit together."""
        src, trg = self.vocabularies
        dtype = torch.float64 if self.recipe.training.precision == "float64" else None
        torch.manual_seed(self.recipe.training.seed)
        try:
            model = Transformer(
                len(src), len(trg), src.pad_id, trg.pad_id, device=device, dtype=dtype, **self.recipe.model
            )
        except ValueError as error:
            raise UserError(str(error)) from error
        return plant(model, self.recipe.fault)

    @property
    def scores(self) -> tuple[str, ...]:
        return self.recipe.scores or self.dataset.metrics

    def batches(self, rank: int = 0, world: int = 1) -> TokenBatches:
        training, (src, trg) = self.recipe.training, self.vocabularies
        return TokenBatches(
            self.train_pairs, batch_tokens=training.batch_tokens, seed=training.seed,
            rank=rank, world=world, src_pad_id=src.pad_id, trg_pad_id=trg.pad_id,
        )  # fmt: skip

    def evaluate(self, model: Transformer) -> dict[str, float]:
        """Validation loss over all pairs, and the recipe's scores on its first validation sentences."""
        src, trg = self.vocabularies
        ordered = batches_in_order(
            self.valid_pairs,
            batch_tokens=self.recipe.training.batch_tokens,
            src_pad_id=src.pad_id,
            trg_pad_id=trg.pad_id,
        )
        loss = validation_loss(
            model, (batch for _, batch in ordered), precision=self.recipe.training.precision
        )  # fmt: skip
        scores = score_model(model, self.vocabularies, self.valid_references, self.scores, self.recipe.decoding)
        return {"valid_loss": loss} | {score.name: score.value for score in scores}

    def trainer(
        self,
        folder: Path,
        device: torch.device,
        callbacks: Sequence[Callback] = (),
        *,
        model: Transformer | None = None,
    ) -> Trainer:
        """A Trainer for this data, and for `model` where an experiment brings its own."""
        first_score = self.scores[0]
        return Trainer(
            model or self.build_model(device),
            self.vocabularies,
            self.batches,
            self.recipe.training,
            folder=folder,
            saved=self.saved_dicts(),
            evaluate=self.evaluate,
            watch_score=(first_score, "min" if first_score in LOWER_IS_BETTER else "max"),
            callbacks=callbacks,
        )

    def saved_dicts(self) -> dict[str, dict[str, Any]]:
        """What config.json keeps beside the model's sizes."""
        return {"data": self.dataset.identity, "decoding": asdict(self.recipe.decoding), "run": as_dict(self.recipe)}


def prepare(
    recipe: Recipe,
    *,
    cache_folder: Path,
    data_dir: Path | None = None,
    dataset: DataSet | None = None,
    vocabularies: Vocabularies | None = None,
    progress: Progress | None = None,
) -> Experiment:
    """Open the data set (downloading it where that is needed), learn its vocabularies, encode its pairs.

    Raises UserError for a score that does not exist or needs a library that is not installed.
    """
    dataset = dataset or open_dataset(recipe.data, data_dir=data_dir, progress=progress)
    score_answers(recipe.scores or dataset.metrics, ["a"], [["a"]])  # what is missing is said now, not after an hour
    vocabularies = vocabularies or learn_vocabularies(recipe, dataset)
    max_length = recipe.model.get("max_length", signature(Transformer).parameters["max_length"].default)
    train_pairs = encode_pairs(
        dataset.train, vocabularies, cache_folder=cache_folder, key=dataset.key("train"), max_length=max_length
    )
    return Experiment(
        recipe=recipe,
        dataset=dataset,
        vocabularies=vocabularies,
        train_pairs=train_pairs,
        valid_pairs=encode_in_memory(dataset.valid(), vocabularies, max_length=max_length),
        valid_references=readable(dataset.valid_references(), vocabularies.src, max_length)[: recipe.valid_sentences],
    )


def readable(
    references: list[tuple[str, list[str]]], vocabulary: Vocabulary, max_length: int
) -> list[tuple[str, list[str]]]:
    """Those whose source, with its </s>, a model of `max_length` reads."""
    sources = vocabulary.encode_batch([source for source, _ in references])
    return [each for each, ids in zip(references, sources, strict=True) if len(ids) < max_length]


def learn_vocabularies(recipe: Recipe, dataset: DataSet) -> Vocabularies:
    """One vocabulary for both sides or one for each, of the recipe's kinds or those that suit the data."""
    src_kind, trg_kind = recipe.src_kind or dataset.source_kind, recipe.trg_kind or dataset.target_kind
    if dataset.joint if recipe.joint is None else recipe.joint:
        both = Vocabulary.train(chain.from_iterable(dataset.train()), kind=src_kind, size=recipe.vocab_size)
        return Vocabularies(both, both)
    return Vocabularies(
        Vocabulary.train((source for source, _ in dataset.train()), kind=src_kind, size=recipe.vocab_size),
        Vocabulary.train((target for _, target in dataset.train()), kind=trg_kind, size=recipe.vocab_size),
    )
