"""Tatoeba: short everyday sentences and their translations, English with French or German.

Read from `tatoeba-anki/` in a data folder, or downloaded from www.manythings.org/anki (some 7 MB). That selection is
made anew every few weeks, so there is no fixed checksum: the identity says the date and the SHA-256 of what was read.

The cut must not leak. An English sentence with several translations lies on several lines, so parts are chosen by a
hash of the English sentence (lower case, letters only), the same for every date and both languages; and a training
pair is dropped when either side, compared in that way, occurs in validation or test.
"""

import hashlib
import os
import re
import zipfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from glassformer.data.dataset import DataSet
from glassformer.data.download import Progress, cache_folder, download, given_folder
from glassformer.data.split import Part, part_of
from glassformer.data.text import Pair, decode_lines, read_lines
from glassformer.errors import UserError

HOME = "https://www.manythings.org/anki"
FILES = {"fr": "fra-eng", "de": "deu-eng"}  # the name of the archive; fra-eng.zip holds fra.txt
LANGUAGES = {"en": "English", "fr": "French", "de": "German"}
VALID, TEST = 0.01, 0.01
_SPECIAL_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2009\u202f", " "))  # French typography, not always kept to
_NOT_LETTERS = re.compile(r"[\W\d_]+")


def letters(text: str) -> str:
    """What two sentences are compared by: lower case, letters only."""
    return _NOT_LETTERS.sub("", text.lower())


def tatoeba(
    source: str, target: str, *, data_dir: str | os.PathLike[str] | None = None, progress: Progress | None = None
) -> DataSet:
    """Tatoeba between "en" and "fr" or "de". Raises UserError when the file is absent or cannot be downloaded."""
    other = target if source == "en" else source
    path = _find(FILES[other], data_dir, progress)
    digest = hashlib.sha256()
    parts, dropped = split_pairs(_pairs(_lines(path), path, digest))
    if source != "en":
        parts = {part: [(right, left) for left, right in pairs] for part, pairs in parts.items()}
    return DataSet(
        name=f"tatoeba-{source}-{target}",
        source_language=LANGUAGES[source],
        target_language=LANGUAGES[target],
        train=lambda: parts["train"],
        valid=lambda: parts["valid"],
        test=lambda: parts["test"],
        joint=True,
        several_answers=True,
        attribution="www.manythings.org/anki and tatoeba.org, CC BY 2.0 FR",
        identity={
            "name": f"tatoeba-{source}-{target}",
            "data": "tatoeba",
            "split": f"by SHA-256 of the English letters: valid {VALID:.0%}, test {TEST:.0%}",
            "date": _date(path),
            "sha256": digest.hexdigest(),
            "counts": {part: len(pairs) for part, pairs in parts.items()} | {"dropped_from_train": dropped},
        },
    )


def split_pairs(pairs: Iterable[Pair]) -> tuple[dict[Part, list[Pair]], int]:
    """(English, other) pairs by part, and how many training pairs were dropped because they occur in another part."""
    parts: dict[Part, list[Pair]] = {"train": [], "valid": [], "test": []}
    for pair in pairs:
        parts[part_of(letters(pair[0]), valid=VALID, test=TEST)].append(pair)
    held_out = {letters(text) for part in ("valid", "test") for pair in parts[part] for text in pair}
    kept = [pair for pair in parts["train"] if held_out.isdisjoint(map(letters, pair))]
    dropped = len(parts["train"]) - len(kept)
    return parts | {"train": kept}, dropped


def _pairs(lines: Iterable[str], path: Path, digest: "hashlib._Hash") -> Iterator[Pair]:
    for number, line in enumerate(lines, start=1):
        digest.update(line.encode("utf-8") + b"\n")
        columns = line.translate(_SPECIAL_SPACES).split("\t")
        if len(columns) < 2 or not columns[0].strip() or not columns[1].strip():
            raise UserError(f"{path}:{number}: an English sentence, a tab and its translation should stand here.")
        yield columns[0].strip(), columns[1].strip()  # newer files credit the authors in a third column


def _find(name: str, data_dir: str | os.PathLike[str] | None, progress: Progress | None) -> Path:
    """The text, or the archive as its home gives it, downloaded where the user gave no folder."""
    given = given_folder(data_dir)
    folder = (given or cache_folder()) / "tatoeba-anki"
    for path in (folder / f"{name}.tsv.gz", folder / f"{name}.tsv", folder / f"{name}.zip"):
        if path.exists():
            return path
    if given:
        raise UserError(
            f"none of {name}.tsv.gz, {name}.tsv and {name}.zip is in {folder}. Put one there, or give no data folder "
            "(nor GLASSFORMER_DATA) to download it."
        )
    path = folder / f"{name}.zip"
    download(f"{HOME}/{name}.zip", path, accept=partial(_accept, member=_member(path)), progress=progress)
    return path


def _lines(path: Path) -> Iterator[str]:
    if path.suffix != ".zip":
        yield from read_lines(path)
        return
    with _archive(path) as archive, archive.open(_member(path)) as file:
        yield from decode_lines(file, path)


def _date(path: Path) -> str:
    """The date that the selection states about itself, in the archive or beside the text; "" where it is not said."""
    if path.suffix == ".zip":
        with _archive(path) as archive:
            about = archive.read("_about.txt").decode("utf-8", "replace") if "_about.txt" in archive.namelist() else ""
    else:
        beside = path.with_name(path.name.split(".")[0] + "._about.txt")
        about = beside.read_text(encoding="utf-8", errors="replace") if beside.exists() else ""
    stated = re.search(r"\d{4}-\d{2}-\d{2}", about)
    return stated.group() if stated else ""


def _member(path: Path) -> str:
    return path.stem.removesuffix("-eng") + ".txt"


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is no whole zip archive: {error}. Delete it and try again.") from error


def _accept(path: Path, member: str) -> None:
    with _archive(path) as archive:
        if member not in archive.namelist() or archive.testzip() is not None:
            raise UserError(
                f"{path} holds no whole {member}: not the archive that was expected. Try again another day."
            )
