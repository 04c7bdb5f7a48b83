"""Which sentence is for training, which for validation, which for the test: decided by a hash of its text.

A hash gives every machine, today and in ten years, the same split without a list to keep, and a sentence stays in
its part when the data set grows. Each data set says in `identity["split"]` how it was cut, each model remembers it.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

from glassformer.errors import UserError

Part = Literal["train", "valid", "test"]


def stable_fraction(text: str) -> float:
    """A number in [0, 1) that depends on `text` only, evenly spread: the first 53 bits of its SHA-256."""
    return (int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big") >> 11) / 2**53


def part_of(text: str, *, valid: float, test: float) -> Part:
    """The part that `text` belongs to when these fractions of all texts are held out."""
    place = stable_fraction(text)
    if place < test:
        return "test"
    return "valid" if place < test + valid else "train"


def check_same_split(trained: Mapping[str, Any], evaluated: Mapping[str, Any]) -> None:
    """Raise UserError when both identities are of the same data, cut in different ways.

    The test sentences of one would then be training sentences of the other, and the score a memory test.
    """
    if trained.get("data") == evaluated.get("data") and trained.get("split") != evaluated.get("split"):
        raise UserError(
            f"the model was trained on {trained.get('name')} (split: {trained.get('split')}) and this is "
            f"{evaluated.get('name')} (split: {evaluated.get('split')}): it has seen some of these sentences. "
            f"Evaluate on {trained.get('name')}, or say --anyway."
        )
