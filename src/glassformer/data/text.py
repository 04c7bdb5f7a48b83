"""Parallel text: reading sentence pairs from files, line by line, with an error that names file and line.

Text is UTF-8 (a byte order mark is skipped), plain or `.gz`. A line ends at LF, and one CR before it is dropped; no
other character ends a line, because two files that are cut in different places no longer belong together.
Characters are composed (NFC), so that "é" is one character however it was typed.
"""

import gzip
import json
import os
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from glassformer.errors import UserError

Pair = tuple[str, str]
AnyPath = str | os.PathLike[str]


@dataclass(frozen=True)
class TwoFiles:
    """Line i of `source` and line i of `target` are the same sentence."""

    source: AnyPath
    target: AnyPath


@dataclass(frozen=True)
class Tsv:
    """Columns separated by tabs; the columns are counted from 1."""

    path: AnyPath
    source_column: int = 1
    target_column: int = 2


@dataclass(frozen=True)
class Jsonl:
    """One JSON object a line, the two texts under these keys."""

    path: AnyPath
    source_key: str = "source"
    target_key: str = "target"


Source = TwoFiles | Tsv | Jsonl


@dataclass
class Dropped:
    """How many pairs the reading left out; hand one to `read_pairs` to be told."""

    empty: int = 0


def read_lines(path: AnyPath) -> Iterator[str]:
    """The lines of a text file, plain or packed with gzip, composed (NFC), without their ends.

    Raises UserError for a file that cannot be opened, a damaged `.gz` and invalid UTF-8, naming the line.
    """
    try:
        with _open(Path(path)) as file:
            yield from decode_lines(file, path)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot read {path}: {reason}. Check the path, and that the file is whole.") from error


def decode_lines(file: Iterable[bytes], name: AnyPath) -> Iterator[str]:
    """The same for the lines of a file that is open already; `name` is for the errors."""
    for number, raw in enumerate(file, start=1):
        line = raw.removesuffix(b"\n").removesuffix(b"\r")
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        try:
            yield unicodedata.normalize("NFC", line.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise UserError(
                f"{name}:{number}: byte {error.start + 1} of the line (0x{line[error.start]:02X}) is not UTF-8. "
                "Convert the file, for instance: iconv -f latin1 -t utf-8."
            ) from error


def read_pairs(source: Source, dropped: Dropped | None = None) -> Iterator[Pair]:
    """The sentence pairs of one source of parallel text; pairs with an empty side are left out and counted.

    Raises UserError, with file and line, for whatever breaks the pairing.
    """
    dropped = dropped if dropped is not None else Dropped()
    readers = {TwoFiles: _two_files, Tsv: _tsv, Jsonl: _jsonl}
    for pair in readers[type(source)](source):  # type: ignore[operator]
        if pair[0].strip() and pair[1].strip():
            yield pair
        else:
            dropped.empty += 1


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        packed = (
            file.read(2) == b"\x1f\x8b"
        )  # by content: a .gz may be named anything, and a browser may have unpacked it
    return cast(BinaryIO, gzip.open(path)) if packed else path.open("rb")


def _two_files(files: TwoFiles) -> Iterator[Pair]:
    sources, targets = read_lines(files.source), read_lines(files.target)
    for source in sources:
        target = next(targets, None)
        if target is None:
            raise _unequal(files)
        yield source, target
    if next(targets, None) is not None:
        raise _unequal(files)


def _unequal(files: TwoFiles) -> UserError:
    """Says how many lines each has, and where lines were probably lost."""
    sources, targets = (np.fromiter(map(len, read_lines(path)), np.float64) for path in (files.source, files.target))
    return UserError(
        f"{Path(files.source).name} has {len(sources)} lines and {Path(files.target).name} {len(targets)}: line i of "
        f"each must be the same sentence. First difference in length ratio: line {_first_shifted(sources, targets)}."
    )


def _first_shifted(sources: NDArray[np.float64], targets: NDArray[np.float64]) -> int:
    """The line (from 1) where the lengths agree best if everything before pairs up as it stands, and everything
    after it once the longer file has skipped its surplus lines there.
    """
    longer, shorter = (sources, targets) if len(sources) > len(targets) else (targets, sources)
    surplus, count = len(longer) - len(shorter), len(shorter)
    ratio = np.log((longer.sum() + 5) / (shorter.sum() + 5))
    straight, shifted = (
        (np.log((lengths + 5) / (shorter + 5)) - ratio) ** 2 for lengths in (longer[:count], longer[surplus:])
    )
    before = np.concatenate([[0.0], np.cumsum(straight)])
    after = np.concatenate([np.cumsum(shifted[::-1])[::-1], [0.0]])
    return int(np.argmin(before + after)) + 1


def _tsv(table: Tsv) -> Iterator[Pair]:
    needed = max(table.source_column, table.target_column)
    if min(table.source_column, table.target_column) < 1:
        raise UserError(f"columns {table.source_column} and {table.target_column}: the first column is number 1.")
    expected = None
    for number, line in enumerate(read_lines(table.path), start=1):
        columns = line.split("\t")
        expected = expected or len(columns)
        if len(columns) != expected or len(columns) < needed:
            raise UserError(
                f"{table.path}:{number}: {len(columns)} columns, but "
                + (f"line 1 has {expected}" if len(columns) != expected else f"column {needed} was asked for")
                + ". Each line needs the same columns, separated by one tab."
            )
        yield columns[table.source_column - 1], columns[table.target_column - 1]


def _jsonl(objects: Jsonl) -> Iterator[Pair]:
    for number, line in enumerate(read_lines(objects.path), start=1):
        where = f"{objects.path}:{number}"
        try:
            value: Any = json.loads(line)
        except ValueError as error:
            raise UserError(f"{where}: not JSON ({error}). Each line must be one JSON object.") from error
        if not isinstance(value, dict):
            raise UserError(f"{where}: each line must be one JSON object, this is {line[:40]!r}.")
        yield _text_under(value, objects.source_key, where), _text_under(value, objects.target_key, where)


def _text_under(value: dict[str, Any], key: str, where: str) -> str:
    text = value.get(key)
    if not isinstance(text, str):
        raise UserError(f"{where}: key {key!r} must hold a text; the keys are {', '.join(map(repr, value)) or 'none'}.")
    return unicodedata.normalize("NFC", text)
