"""Sentence pairs to arrays of ids, in one pass, whatever their number; kept on disk, so that it is done once.

All sentences of a side lie behind one another in one long array; `offsets[i]` to `offsets[i + 1]` is sentence i.
On disk these are plain files of numbers that are mapped into memory, so ten million pairs need no more of it than
ten. Their folder is named by a hash of the text, the vocabularies and the settings, and gets that name only when it
is complete: a pass that was interrupted leaves nothing that could be mistaken for a finished one.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from glassformer.data.text import Pair
from glassformer.data.vocabulary import Vocabularies, Vocabulary
from glassformer.errors import UserError

Array = NDArray[Any]

FORMAT = 1
CHUNK = 4096  # pairs encoded at a time
ARRAYS = ("src.tokens", "src.offsets", "trg.tokens", "trg.offsets")


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What one pass over the text gave."""

    kept: int
    dropped_empty: int  # pairs of which one side has no token
    dropped_long: int  # pairs of which one side has more tokens than max_length
    src_tokens: int  # with each </s>
    trg_tokens: int  # tokens to predict: with each </s>, without <s>
    longest: int  # the longer side of the longest pair, counted like that


class EncodedPairs:
    """Many pairs of id sequences: sources end with </s>, targets start with <s> and end with </s>."""

    def __init__(self, read: Callable[[str], Array], counts: Counts) -> None:
        self._read = read
        self.counts = counts

    # Mapped anew at each use and let go afterwards: pages that stay mapped would count as memory of this process.
    @property
    def src_tokens(self) -> Array:
        return self._read("src.tokens")

    @property
    def src_offsets(self) -> Array:
        return self._read("src.offsets")

    @property
    def trg_tokens(self) -> Array:
        return self._read("trg.tokens")

    @property
    def trg_offsets(self) -> Array:
        return self._read("trg.offsets")

    @property
    def src_lengths(self) -> Array:
        """Tokens of each source, with </s>."""
        return np.diff(self.src_offsets).astype(np.int32)

    @property
    def trg_lengths(self) -> Array:
        """Tokens to predict of each target: with </s>, without <s>. The width of `trg[:, :-1]`."""
        return (np.diff(self.trg_offsets) - 1).astype(np.int32)

    def __len__(self) -> int:
        return self.counts.kept

    def pair(self, number: int) -> tuple[list[int], list[int]]:
        """Source ids with </s>, target ids with <s> and </s>."""
        source, target = (
            tokens[offsets[number] : offsets[number + 1]].tolist()
            for tokens, offsets in ((self.src_tokens, self.src_offsets), (self.trg_tokens, self.trg_offsets))
        )
        return source, target

    def blocks(self, ranges: Sequence[tuple[int, int]]) -> "EncodedPairs":
        """The pairs of these (start, stop) ranges behind one another, copied into memory."""
        arrays: dict[str, Array] = {}
        for side, all_tokens, all_offsets in (
            ("src", self.src_tokens, self.src_offsets),
            ("trg", self.trg_tokens, self.trg_offsets),
        ):
            offsets = [np.asarray(all_offsets[start : stop + 1]) for start, stop in ranges]
            arrays[f"{side}.tokens"] = np.concatenate([all_tokens[piece[0] : piece[-1]] for piece in offsets])
            lengths = np.concatenate([np.diff(piece) for piece in offsets])
            arrays[f"{side}.offsets"] = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        kept = sum(stop - start for start, stop in ranges)
        return EncodedPairs(arrays.__getitem__, Counts(**{**asdict(self.counts), "kept": kept}))


def encode_in_memory(pairs: Iterable[Pair], vocabularies: Vocabularies, *, max_length: int) -> EncodedPairs:
    """Encode a small data set without touching the disk. Raises UserError when no pair is left."""
    files = {name: io.BytesIO() for name in ARRAYS}
    counts = _encode(pairs, vocabularies, max_length, files)
    types = _types(vocabularies)
    arrays = {name: np.frombuffer(files[name].getvalue(), types[name]) for name in ARRAYS}
    return EncodedPairs(arrays.__getitem__, counts)


def encode_pairs(
    pairs: Callable[[], Iterable[Pair]],
    vocabularies: Vocabularies,
    *,
    cache_folder: str | os.PathLike[str],
    key: str,
    max_length: int,
) -> EncodedPairs:
    """Encode a data set into files below `cache_folder`, or open what an earlier call left there.

    `key` stands for the text and must change with it: `DataSet.key` gives one. `max_length` counts tokens of a side
    as the model sees them: a source with </s>, a target with one of <s> and </s>. Longer pairs are dropped.
    Raises UserError when no pair is left.
    """
    recipe = json.dumps([FORMAT, key, vocabularies.src.to_json(), vocabularies.trg.to_json(), max_length])
    cache, name = Path(cache_folder), hashlib.sha256(recipe.encode("utf-8")).hexdigest()[:32]
    finished = cache / name
    if (found := _open(finished)) is not None:
        return found
    try:
        _encode_into(finished, pairs, vocabularies, max_length)
    except OSError as error:
        raise UserError(f"cannot write encoded text to {cache}: {error}. Give another folder, or make room.") from error
    encoded = _open(finished)
    assert encoded is not None, f"{finished} was written and is not whole"
    return encoded


def _encode_into(
    finished: Path, pairs: Callable[[], Iterable[Pair]], vocabularies: Vocabularies, max_length: int
) -> None:
    """Write the folder under a temporary name, and give it its own when it is complete."""
    cache = finished.parent
    cache.mkdir(parents=True, exist_ok=True)
    _sweep(cache)
    working = cache / f"tmp-{socket.gethostname()}-{os.getpid()}-{finished.name}"
    working.mkdir()
    try:
        with contextlib.ExitStack() as stack:
            files = {array: stack.enter_context((working / array).open("wb")) for array in ARRAYS}
            counts = _encode(pairs(), vocabularies, max_length, files)
        about = {
            "format": FORMAT,
            "counts": asdict(counts),
            "types": _types(vocabularies),
            "bytes": {array: (working / array).stat().st_size for array in ARRAYS},
        }
        (working / "about.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
        try:
            working.rename(finished)
        except OSError:
            if _open(finished) is None:  # or else another process was faster, and wrote the same
                shutil.rmtree(finished, ignore_errors=True)  # what is left of a damaged one
                working.rename(finished)
    finally:
        shutil.rmtree(working, ignore_errors=True)


def _encode(pairs: Iterable[Pair], vocabularies: Vocabularies, max_length: int, files: dict[str, Any]) -> Counts:
    types = _types(vocabularies)
    src, trg = vocabularies
    src_writer = _Side(files["src.tokens"], files["src.offsets"], types["src.tokens"])
    trg_writer = _Side(files["trg.tokens"], files["trg.offsets"], types["trg.tokens"])
    kept = empty = long = longest = 0
    stream = iter(pairs)
    while chunk := list(islice(stream, CHUNK)):
        sources, targets = [], []
        for source, target in zip(*_ids(chunk, src, trg), strict=True):
            longer = max(len(source), len(target)) + 1
            if not source or not target:
                empty += 1
            elif longer > max_length:
                long += 1
            else:
                longest = max(longest, longer)
                sources.append([*source, src.end_id])
                targets.append([trg.start_id, *target, trg.end_id])
        kept += len(sources)
        src_writer.write(sources)
        trg_writer.write(targets)
    if not kept:
        raise UserError(
            f"no sentence pair is left: {empty} have an empty side and {long} are longer than "
            f"max_length={max_length}. Check the files, or raise max_length."
        )
    return Counts(
        kept=kept,
        dropped_empty=empty,
        dropped_long=long,
        src_tokens=src_writer.total,
        trg_tokens=trg_writer.total - kept,
        longest=longest,
    )


def _ids(chunk: list[Pair], src: Vocabulary, trg: Vocabulary) -> tuple[list[list[int]], list[list[int]]]:
    return src.encode_batch([source for source, _ in chunk]), trg.encode_batch([target for _, target in chunk])


class _Side:
    """Appends sentences to the token and the offset file of one side."""

    def __init__(self, tokens: IO[bytes], offsets: IO[bytes], kind: str) -> None:
        self.tokens, self.offsets, self.kind, self.total = tokens, offsets, kind, 0
        offsets.write(np.zeros(1, np.int64).tobytes())

    def write(self, sentences: list[list[int]]) -> None:
        lengths = np.fromiter(map(len, sentences), np.int64, len(sentences))
        ends = self.total + np.cumsum(lengths)
        count = int(lengths.sum())
        self.tokens.write(np.fromiter(chain.from_iterable(sentences), self.kind, count).tobytes())
        self.offsets.write(ends.tobytes())
        self.total += count


def _types(vocabularies: Vocabularies) -> dict[str, str]:
    """Two bytes an id where they suffice."""
    src, trg = ("<u2" if len(vocabulary) <= 2**16 else "<u4" for vocabulary in vocabularies)
    return {"src.tokens": src, "src.offsets": "<i8", "trg.tokens": trg, "trg.offsets": "<i8"}


def _open(folder: Path) -> EncodedPairs | None:
    """The encoded pairs of a finished folder; None where there is none, or one that is not whole."""
    try:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        whole = all((folder / name).stat().st_size == about["bytes"][name] for name in ARRAYS)
        counts = Counts(**about["counts"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    types = about["types"]
    return EncodedPairs(lambda name: np.memmap(folder / name, types[name], mode="r"), counts) if whole else None


def _sweep(cache: Path) -> None:
    """Remove what killed passes left behind: folders of processes that are gone, and any older than a day."""
    for folder in cache.glob("tmp-*"):
        with contextlib.suppress(OSError, ValueError):  # gone already, or not named by us
            host, process, _ = folder.name.removeprefix("tmp-").rsplit("-", 2)
            old = time.time() - folder.stat().st_mtime > 24 * 3600
            if old or (host == socket.gethostname() and not _runs(int(process))):
                shutil.rmtree(folder, ignore_errors=True)


def _runs(process: int) -> bool:
    if os.name != "posix":
        return True  # elsewhere os.kill(process, 0) would end it; age alone decides
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return process != os.getpid()  # our own number, but not our work: an earlier process had it
