"""The task of the debugging set: three to seven letters, written backwards.

A source is letters and </s>; its target is <s>, the letters in reverse order, </s>; both filled up with padding.
"""

from typing import NamedTuple

import torch
from torch import Tensor

PAD, START, END = 0, 1, 2
FIRST_LETTER, LETTERS = 3, 10
VOCABULARY = FIRST_LETTER + LETTERS
SHORTEST, LONGEST = 3, 7


class Sentences(NamedTuple):
    """A batch: sources (n, s) with </s>, and targets (n, t) from <s> to </s>."""

    src: Tensor
    trg: Tensor


def reversals(count: int, seed: int | torch.Generator, *, pad: int = PAD, one_length: bool = False) -> Sentences:
    """`count` random sentences, always the same ones for a seed; `one_length` draws one length for all of them.

    Both tensors are as wide as LONGEST asks for, or as the one length does.
    """
    generator = torch.Generator().manual_seed(seed) if isinstance(seed, int) else seed
    lengths = torch.randint(SHORTEST, LONGEST + 1, (1 if one_length else count, 1), generator=generator)
    width = int(lengths) if one_length else LONGEST
    lengths = lengths.expand(count, 1)
    letters = torch.randint(FIRST_LETTER, VOCABULARY, (count, width), generator=generator)
    place = torch.arange(width + 1)
    room = torch.full((count, 1), pad)
    letters = torch.cat([letters, room], dim=1)
    backwards = letters.gather(1, (lengths - 1 - place).clamp(min=0))
    src, answer = (
        torch.where(place < lengths, each, torch.where(place == lengths, END, pad)) for each in (letters, backwards)
    )
    return Sentences(src, torch.cat([torch.full_like(room, START), answer], dim=1))
