"""What a data set is: three streams of sentence pairs, the right answers to score against, and what it was cut from."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from glassformer.data.split import Part
from glassformer.data.text import Pair
from glassformer.data.vocabulary import Kind

Pairs = Callable[[], Iterable[Pair]]


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """One data set, ready to be read as often as needed: `for source, target in data.train(): ...`."""

    name: str
    source_language: str  # what the source is, for people: "English", "letters"
    target_language: str
    train: Pairs
    valid: Pairs
    test: Pairs
    identity: dict[str, Any]  # name, data, split, and what tells one copy from another: sha256, date, counts
    source_kind: Kind = "bpe"  # the vocabulary that suits each side
    target_kind: Kind = "bpe"
    joint: bool = False  # whether both sides should share one vocabulary
    several_answers: bool = False  # whether one source has several right targets, in lines of their own
    metrics: tuple[str, ...] = field(default=("bleu", "chrf"))  # the scores people report, the first one first
    attribution: str = ""  # what must be said when the data or what was made from them is passed on

    def key(self, part: Part) -> str:
        """A name for the text of one part, which changes with it: what `encode_pairs` asks for."""
        return json.dumps([self.identity, self.source_language, self.target_language, part], sort_keys=True)

    def test_references(self) -> list[tuple[str, list[str]]]:
        """Each test source with all its right answers."""
        return self._references(self.test)

    def valid_references(self) -> list[tuple[str, list[str]]]:
        """Each validation source with all its right answers."""
        return self._references(self.valid)

    def _references(self, part: Pairs) -> list[tuple[str, list[str]]]:
        if not self.several_answers:  # a benchmark's lines stay as they are, also when two sources are the same
            return [(source, [target]) for source, target in part()]
        answers: dict[str, list[str]] = {}
        for source, target in part():
            answers.setdefault(source, []).append(target)
        return list(answers.items())
