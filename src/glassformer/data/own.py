"""Your own text as a data set: two line-aligned files, a TSV or a JSONL, with or without text held out."""

import hashlib
from collections.abc import Iterator
from functools import partial
from typing import Any

from glassformer.data.dataset import DataSet, Pairs
from glassformer.data.split import Part, part_of
from glassformer.data.text import AnyPath, Dropped, Pair, Source, TwoFiles, read_pairs
from glassformer.errors import UserError

HELD_OUT = 2000  # validation pairs taken from the training text where none are given, or 2 % of a smaller text


def from_files(
    src: AnyPath,
    trg: AnyPath,
    valid_src: AnyPath | None = None,
    valid_trg: AnyPath | None = None,
    test_src: AnyPath | None = None,
    test_trg: AnyPath | None = None,
    *,
    source_language: str = "source",
    target_language: str = "target",
) -> DataSet:
    """A data set of line-aligned files; see `from_sources`. Raises UserError when one file of two is missing."""
    valid, test = _both("valid", valid_src, valid_trg), _both("test", test_src, test_trg)
    languages = {"source_language": source_language, "target_language": target_language}
    return from_sources(TwoFiles(src, trg), valid, test, **languages)


def from_sources(
    train: Source,
    valid: Source | None = None,
    test: Source | None = None,
    *,
    source_language: str = "source",
    target_language: str = "target",
) -> DataSet:
    """A data set of any parallel text. It is read through once, to count, to check and to know it again.

    Without validation text, a part of the training text is held out, chosen by a hash of its source sentence. Without
    test text, `test()` is empty. Pairs with an empty side are dropped; `identity["texts"]` says how many.
    Raises UserError for text that cannot be read.
    """
    surveys = {part: _survey(source) for part, source in (("train", train), ("valid", valid), ("test", test)) if source}
    share = 0.0 if valid else _share(surveys["train"]["pairs"])
    held_out: Pairs = partial(_part, train, "valid", share)
    if not valid and next(iter(held_out()), None) is None:
        raise UserError("the text is too small to hold out a part of it. Give validation text as well.")
    no_text: Pairs = tuple
    return DataSet(
        name="your files",
        source_language=source_language,
        target_language=target_language,
        train=partial(_part, train, "train", share),
        valid=partial(read_pairs, valid) if valid else held_out,
        test=partial(read_pairs, test) if test else no_text,
        joint=True,
        identity={
            "name": "your files",
            "data": surveys["train"]["sha256"],
            "split": "given" if valid else f"by SHA-256 of the source: valid {share:.4%}",
            "texts": surveys,
        },
    )


def only_test(text: Source, *, source_language: str = "source", target_language: str = "target") -> DataSet:
    """Any parallel text as the test part of a data set that has no others. Raises UserError as `from_sources`."""
    survey = _survey(text)
    no_text: Pairs = tuple
    return DataSet(
        name="your files",
        source_language=source_language,
        target_language=target_language,
        train=no_text,
        valid=no_text,
        test=partial(read_pairs, text),
        identity={"name": "your files", "data": survey["sha256"], "split": "all of it", "texts": {"test": survey}},
    )


def _both(part: str, source: AnyPath | None, target: AnyPath | None) -> TwoFiles | None:
    if source is not None and target is not None:
        return TwoFiles(source, target)
    if source is None and target is None:
        return None
    there, missing = ("src", "trg") if target is None else ("trg", "src")
    raise UserError(f"{part}_{there} was given without {part}_{missing}: a sentence needs its translation. Give both.")


def _survey(source: Source) -> dict[str, Any]:
    """One reading: the SHA-256 of the text as it was understood, the number of pairs, and of those left out."""
    digest, dropped, pairs = hashlib.sha256(), Dropped(), 0
    for pairs, (left, right) in enumerate(read_pairs(source, dropped), start=1):  # noqa: B007  the last number counts
        digest.update(f"{left}\t{right}\n".encode())
    return {"sha256": digest.hexdigest(), "pairs": pairs, "dropped_empty": dropped.empty}


def _share(pairs: int) -> float:
    """2 % of the text, but no more than is good for, and in a tiny text enough that there is something."""
    return min(0.5, max(0.02, 5 / max(1, pairs)), HELD_OUT / max(1, pairs))


def _part(source: Source, part: Part, share: float) -> Iterator[Pair]:
    """The training text without what is held out, or what is held out of it."""
    for pair in read_pairs(source):
        if part_of(pair[0], valid=share, test=0) == part:
            yield pair
