"""A folder in somebody else's format that is whole or absent, whatever happens while it is written."""

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glassformer.checkpoint.folder import WORKING, sweep
from glassformer.errors import UserError


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A hidden folder to write into, which gets the name `folder` when the block has ended well.

    Raises UserError where `folder` holds something already, and where the disk is full or may not be written to.
    """
    folder = folder.resolve()
    refuse_to_lose(folder)
    working = folder.with_name(WORKING + folder.name)
    leftovers = glob.escape(folder.name)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        sweep(folder.parent, leftovers)
        working.mkdir()
        yield working
        for file in working.iterdir():
            with file.open("rb+") as written:
                os.fsync(written.fileno())  # on the disk before the name is: a name promises a whole folder
        working.replace(folder)
    except OSError as error:
        raise UserError(
            f"{folder} could not be written: {error.strerror or error}. Make room, or name another place."
        ) from error
    finally:
        sweep(folder.parent, leftovers)


def refuse_to_lose(folder: Path) -> None:
    """Raise UserError unless the place is free, or an empty folder."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(f"{folder} is there already, and would be lost. Name a new folder, or remove that one first.")
