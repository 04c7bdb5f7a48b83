"""A folder that is whole or absent, whatever happens while it is written.

The files are written into a temporary folder beside the place, those of a checkpoint with a manifest of their sizes and
SHA-256; files and folder are flushed to the disk, and only then does the folder get its name. A process killed at any
moment leaves the old folder, or the new one, and perhaps a hidden leftover that `sweep` clears. What is to be deleted
gets another name first, so that nothing half deleted looks like a checkpoint.
"""

import glob
import hashlib
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter
from safetensors import SafetensorError

from glassformer.checkpoint.border import STRICT, as_json, read_json
from glassformer.errors import UserError

FORMAT = 1
MANIFEST = "manifest.json"
PARTS = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer.src.json",
    "tokenizer.trg.json",
    "training.json",
    "training.safetensors",
    MANIFEST,
)
PICKLES = {".pt", ".pth", ".bin", ".pkl", ".ckpt"}
WORKING, REPLACED, GONE = ".tmp-", ".old-", ".gone-"


@dataclass(frozen=True)
class Seal:
    """What a file must be to be the one that was written."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The content of manifest.json."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    format: int
    files: dict[str, Seal]


def write_folder(folder: Path, files: Mapping[str, Callable[[Path], object]]) -> None:
    """Write `files` (name -> a function that writes it) as one whole folder, in place of the checkpoint there before.

    Raises UserError as `whole_folder` does, and when the folder holds anything but a checkpoint, because it would be
    lost.
    """
    with whole_folder(folder, _refuse_to_lose) as working:
        seals = {}
        for name, write in files.items():
            write(working / name)
            seals[name] = _seal(working / name)
        (working / MANIFEST).write_text(as_json(asdict(Manifest(FORMAT, seals))), encoding="utf-8", newline="\n")


@contextmanager
def whole_folder(folder: Path, refuse_to_lose: Callable[[Path], None]) -> Iterator[Path]:
    """A hidden folder to write files into; when the block has ended well it takes the place of `folder`.

    `refuse_to_lose` looks at what is there before, and raises UserError where it must stay. Raises UserError when the
    disk is full or may not be written to. Whatever is raised leaves what was there before untouched, and nothing else.
    """
    folder = folder.resolve()
    working, replaced = (folder.with_name(prefix + folder.name) for prefix in (WORKING, REPLACED))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        sweep(folder.parent, glob.escape(folder.name))
        refuse_to_lose(folder)
        working.mkdir()
        yield working
        for file in working.iterdir():
            file.chmod(working.stat().st_mode & 0o666)  # as the umask says; safetensors writes 0600
            _flush(file)
        _flush(working)
        if folder.exists():
            folder.rename(replaced)
        working.rename(folder)
        _flush(folder.parent)
    except (Exception, KeyboardInterrupt) as error:
        sweep(folder.parent, glob.escape(folder.name))
        if not isinstance(error, (OSError, SafetensorError)):
            raise
        cause = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UserError(
            f"{folder} could not be written: {cause}. What was there before is untouched. "
            "Make room, or choose another place, and try again."
        ) from error
    shutil.rmtree(replaced, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Delete a checkpoint; it stops being one at once, however long the deleting takes."""
    gone = folder.with_name(GONE + folder.name)
    shutil.rmtree(gone, ignore_errors=True)
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def sweep(parent: Path, pattern: str) -> None:
    """Clear what killed processes left of folders named like `pattern`; a replaced one without heir comes back."""
    for replaced in parent.glob(REPLACED + pattern):
        folder = replaced.with_name(replaced.name.removeprefix(REPLACED))
        if not folder.exists():
            replaced.rename(folder)
    for prefix in (WORKING, REPLACED, GONE):
        for leftover in parent.glob(prefix + pattern):
            shutil.rmtree(leftover, ignore_errors=True)


def verify(folder: str | os.PathLike[str]) -> None:
    """Check every byte of a checkpoint against its manifest. Raises UserError that names the file and what is wrong."""
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        raise UserError(f"{folder} has no {MANIFEST}: it is not a checkpoint of Glassformer, or not a whole one.")
    manifest = read_json(folder / MANIFEST, TypeAdapter(Manifest))
    check_format(folder / MANIFEST, manifest.format)
    for path in sorted(folder.iterdir()):
        if path.suffix in PICKLES:
            refuse_pickle(path)
        if path.name not in manifest.files and path.suffix in {".json", ".safetensors"} and path.name != MANIFEST:
            raise UserError(f"{path} is not in {MANIFEST}: it does not belong to this checkpoint. Move it elsewhere.")
    for name, seal in manifest.files.items():
        _check_file(folder / name, seal)


def newest_good(checkpoints: str | os.PathLike[str]) -> Path | None:
    """The newest whole checkpoint of a run's `checkpoints` folder, with a warning for each newer one that is broken."""
    for folder in reversed(step_folders(Path(checkpoints))):
        try:
            verify(folder)
        except UserError as error:
            warnings.warn(f"{error} The checkpoint before it is taken.", stacklevel=2)
        else:
            return folder
    return None


def step_folders(checkpoints: Path) -> list[Path]:
    """The checkpoints `step-...` of a run, oldest first."""
    return sorted(folder for folder in checkpoints.glob("step-*") if step_of(folder) is not None)


def step_folder(checkpoints: Path, step: int) -> Path:
    return checkpoints / f"step-{step:08}"


def step_of(folder: Path) -> int | None:
    """The step in a checkpoint's name; None where the name is another one."""
    digits = folder.name.removeprefix("step-")
    return int(digits) if len(digits) == 8 and digits.isdecimal() else None


def check_format(path: Path, number: int) -> None:
    if number != FORMAT:
        raise UserError(
            f"{path} has format {number}; this version reads format {FORMAT}. "
            "Read it with the version of Glassformer that wrote it, or update this one."
        )


def refuse_pickle(path: Path) -> None:
    raise UserError(
        f"{path} is a pickle by its name: opening it can run any program hidden in it, so Glassformer never does. "
        "Ask its author for safetensors, or convert it with a tool you trust."
    )


def _refuse_to_lose(folder: Path) -> None:
    strangers = sorted(_names(folder) - set(PARTS)) if folder.exists() else []
    if strangers:
        raise UserError(
            f"{folder} holds {strangers[0]!r}, which is not part of a checkpoint and would be lost. "
            "Save into a folder of its own."
        )


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}


def _seal(path: Path) -> Seal:
    return Seal(path.stat().st_size, _sha256(path))


def _check_file(path: Path, seal: Seal) -> None:
    if path.name not in PARTS or not path.is_file():
        raise UserError(f"{path} is missing: the checkpoint is not whole. Copy it again, or use another one.")
    if (size := path.stat().st_size) != seal.bytes:
        raise UserError(
            f"{path} has {size} bytes and {MANIFEST} says {seal.bytes}: it was cut or changed. "
            "Copy it again, or use another checkpoint."
        )
    if _sha256(path) != seal.sha256:
        raise UserError(
            f"{path} is not what was written: its SHA-256 differs from the one in {MANIFEST}. "
            "Copy it again, or use another checkpoint."
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """Force a file, or the names in a folder, onto the disk."""
    if path.is_dir() and os.name != "posix":
        return  # elsewhere a folder cannot be opened
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
