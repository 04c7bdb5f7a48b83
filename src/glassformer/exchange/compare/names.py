"""Which side of a comparison a user's word means."""

import os
from collections.abc import Callable

import torch

from glassformer.checkpoint import load, shipped
from glassformer.errors import UserError, unknown_name
from glassformer.exchange.compare.references import OriginCode, TorchCode
from glassformer.exchange.compare.sides import Ours
from glassformer.model.config import base, big, origin, tiny
from glassformer.model.transformer import Transformer

PRESETS = {"origin": origin, "base": base, "big": big, "tiny": tiny}
REFERENCES = {"torch": TorchCode, "origin-code": OriginCode}
VOCAB_SIZE = 37_000  # the paper's, of a preset


def find_sides(
    a: str,
    b: str,
    *,
    src_vocab_size: int | None = None,
    trg_vocab_size: int | None = None,
    open_model: Callable[[str], Transformer] = lambda word: load(word).model,
) -> tuple[Ours, Ours]:
    """The sides that two words mean: a trained model, a preset, or other people's code of the other's sizes.

    A folder that lies here comes first, then presets and code, then the models that ship. A preset takes the
    vocabularies of a trained model on the other side unless told otherwise. Raises UserError for a word that means
    none of these, for sizes that do not go together, and where nothing gives the sizes.
    """
    words = (a, b)
    if all(is_code(word) for word in words):
        raise UserError(
            f"{a} and {b} are code that takes the sizes of the other side. Name a model or a preset for one of them: "
            f"glassformer compare base {b}."
        )
    opened = {word: open_model(word) for word in words if is_model(word)}
    trained = {word: Ours(word, model.config, model) for word, model in opened.items()}
    given = next(iter(trained.values())).config if trained else None
    src = src_vocab_size or (given.src_vocab_size if given else VOCAB_SIZE)
    trg = trg_vocab_size or (given.trg_vocab_size if given else src)
    pads = (given.src_pad_idx, given.trg_pad_idx) if given else (0, 0)
    models = {word: trained.get(word) or preset(word, src, trg, *pads) for word in words if not is_code(word)}
    sides = [models.get(word) or REFERENCES[word](word, next(iter(models.values()))) for word in words]
    return sides[0], sides[1]


def preset(name: str, src_vocab_size: int, trg_vocab_size: int, src_pad: int = 0, trg_pad: int | None = 0) -> Ours:
    """A preset's sizes with these vocabularies. Raises UserError where they do not go together."""
    try:
        with torch.device("meta"):
            model = Transformer(src_vocab_size, trg_vocab_size, src_pad, trg_pad, **PRESETS[name](), device="meta")
    except ValueError as error:
        raise UserError(f"{name}: {error}") from error
    return Ours(name, model.config)


def is_code(word: str) -> bool:
    return word in REFERENCES and not is_path(word)


def is_model(word: str) -> bool:
    """Whether a word means a trained model; raises UserError where it means nothing at all."""
    if is_path(word):
        return True
    if word not in (known := [*PRESETS, *REFERENCES, *shipped()]):
        raise unknown_name("model, preset or code", word, known)
    return word not in PRESETS and word not in REFERENCES


def is_path(word: str) -> bool:
    return any(mark in word for mark in (os.sep, os.altsep) if mark) or os.path.exists(word)
