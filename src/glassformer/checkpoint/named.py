"""The trained models inside the package, and which model a user's word means."""

import os
from pathlib import Path

from glassformer.checkpoint.folder import MANIFEST, step_folders
from glassformer.errors import UserError, unknown_name

SHELF = Path(__file__).parents[1] / "models"


def shipped() -> dict[str, Path]:
    """The models inside the package: name -> folder."""
    return {manifest.parent.name: manifest.parent for manifest in sorted(SHELF.glob(f"*/{MANIFEST}"))}


def find_model(model: str | os.PathLike[str]) -> Path:
    """Where a model is: a path with a slash is that path, so is what lies there; any other word is a shipped name.

    Raises UserError for a word that is neither, with near names of both kinds.
    """
    word, names = os.fspath(model), shipped()
    if any(mark in word for mark in (os.sep, os.altsep) if mark) or os.path.exists(word):
        return Path(word)
    if word in names:
        return names[word]
    if known := [*names, *_models_here()]:
        raise unknown_name("model", word, known)
    raise UserError(f"unknown model {word!r}: none is in this folder and none ships. Train one: glassformer train.")


def _models_here() -> list[str]:
    """The folders of models and of runs in this folder and in its runs/."""
    folders = sorted([*Path().glob("*"), *Path("runs").glob("*")])
    return [
        str(folder)
        for folder in folders
        if any(os.path.isfile(place / MANIFEST) for place in (folder, folder / "model"))
        or step_folders(folder / "checkpoints")
    ]
