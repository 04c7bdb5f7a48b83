"""A folder in somebody else's format: a new one, whole or absent, whatever happens while it is written."""

from contextlib import AbstractContextManager
from pathlib import Path

from glassformer.checkpoint.folder import whole_folder
from glassformer.errors import UserError


def new_folder(folder: Path) -> AbstractContextManager[Path]:
    """A hidden folder to write into, which gets the name `folder` when the block has ended well.

    Raises UserError where `folder` holds something already, and where the disk is full or may not be written to.
    """
    return whole_folder(folder, refuse_to_lose)


def refuse_to_lose(folder: Path) -> None:
    """Raise UserError unless the place is free, or an empty folder."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(f"{folder} is there already, and would be lost. Name a new folder, or remove that one first.")
