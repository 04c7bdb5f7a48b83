"""A tiny task to train on in tests: reverse a few symbols; the whole run takes a second."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from glassformer.data import EncodedPairs, TokenBatches, Vocabularies, Vocabulary, batches_in_order, encode_in_memory
from glassformer.model.transformer import Transformer
from glassformer.train import Callback, Trainer, TrainingConfig, validation_loss

PAIRS = [
    (" ".join(symbols), " ".join(reversed(symbols)))
    for symbols in ("abc", "cab", "dd", "bdca", "aab", "c", "dcba", "acd", "bb", "abcd", "da", "ccab", "bad", "db")
]


def small_vocabularies() -> Vocabularies:
    both = Vocabulary.train((side for pair in PAIRS for side in pair), kind="symbols")
    return Vocabularies(both, both)


def small_pairs(vocabularies: Vocabularies) -> EncodedPairs:
    return encode_in_memory(PAIRS, vocabularies, max_length=16)


def stream(vocabularies: Vocabularies, *, batch_tokens: int = 16, seed: int = 1) -> Callable[[int, int], TokenBatches]:
    """The factory of batches that a Trainer wants."""
    src, trg = vocabularies
    return lambda rank, world: TokenBatches(
        small_pairs(vocabularies), batch_tokens=batch_tokens, seed=seed, rank=rank, world=world,
        src_pad_id=src.pad_id, trg_pad_id=trg.pad_id,
    )  # fmt: skip


def small_transformer(vocabularies: Vocabularies, **choices: Any) -> Transformer:
    torch.manual_seed(0)
    sizes: dict[str, Any] = dict(
        embed_size=8, num_layers=1, heads=2, forward_expansion=2, max_length=16, tie_embeddings="two-way"
    )
    src, trg = vocabularies
    return Transformer(len(src), len(trg), src.pad_id, trg.pad_id, **(sizes | choices))


def small_config(**choices: Any) -> TrainingConfig:
    given: dict[str, Any] = dict(
        batch_tokens=16, accumulate=2, max_steps=12, warmup_steps=4, learning_rate=0.01, save_every=3,
        evaluate_every=4, precision="float32", log_every=1,
    )  # fmt: skip
    return TrainingConfig(**(given | choices))


def small_trainer(folder: Path, callbacks: Sequence[Callback] = (), dropout: float = 0.2, **choices: Any) -> Trainer:
    """A Trainer of a model with dropout, evaluated by its loss on the training pairs."""
    vocabularies = small_vocabularies()
    src, trg = vocabularies

    def evaluate(model: Transformer) -> dict[str, float]:
        ordered = batches_in_order(small_pairs(vocabularies), 32, src_pad_id=src.pad_id, trg_pad_id=trg.pad_id)
        return {"valid_loss": validation_loss(model, (batch for _, batch in ordered), precision="float32")}

    config = small_config(**choices)
    dtype = torch.float64 if config.precision == "float64" else None
    return Trainer(
        small_transformer(vocabularies, dropout=dropout, dtype=dtype), vocabularies, stream(vocabularies), config,
        folder=folder, evaluate=evaluate, callbacks=callbacks,
    )  # fmt: skip
