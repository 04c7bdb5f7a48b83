"""A small model with vocabularies of the same sizes, and sentences for it."""

import random
from typing import Any

import torch

from glassformer.data import Vocabularies, Vocabulary
from glassformer.model.transformer import Transformer
from tests.decode.peaked import peaked_model
from tests.small import SRC_VOCAB, TRG_VOCAB

VOCABULARIES = Vocabularies(
    Vocabulary.train(["a b c d e f g h i"], kind="symbols", size=SRC_VOCAB),
    Vocabulary.train(["A B C D E F G"], kind="symbols", size=TRG_VOCAB),
)


def float_model(**choices: Any) -> Transformer:
    """In float32, as the library computes."""
    return peaked_model(**choices).to(torch.float32)


def sentences(number: int, longest: int = 8) -> list[str]:
    """Of every length from 1 to `longest`."""
    draw = random.Random(0)
    return [" ".join(draw.choices("abcdefghi", k=1 + row % longest)) for row in range(number)]
