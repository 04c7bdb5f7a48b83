"""The page of a model: what belongs on it is gathered, and one HTML file written."""

import os
import random
from pathlib import Path
from typing import Any, NamedTuple

from glassformer.checkpoint import Config, Loaded, load
from glassformer.checkpoint.folder import step_of
from glassformer.data.named import SHIPPED, open_dataset
from glassformer.errors import UserError
from glassformer.look.export import page_html
from glassformer.look.pack import Shown, pack
from glassformer.look.sisters import sisters
from glassformer.train import look_checkpoints, training_curve

EXAMPLES = 8  # sentences of the data to choose from


class Page(NamedTuple):
    """A page as text, whether it computes live, and the sentence it opens with."""

    html: str
    live: bool
    sentence: str


def page_of(loaded: Loaded, sentence: str | None = None, *, folder: Path | None = None) -> Page:
    """The page of a model, opening with `sentence` or with one of its data's.

    `folder` is where it was loaded from: the checkpoints and the losses of its run are shown as well.
    Raises UserError where no sentence is given and the data set is not in the package, and as `pack`.
    """
    payload, blobs = payload_of(loaded, sentence, folder=folder)
    return Page(page_html(payload, blobs), payload["live"], payload["start"]["src"])


def payload_of(
    loaded: Loaded, sentence: str | None = None, *, folder: Path | None = None
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What the page shows, as `page_html` takes it. Arguments and errors as `page_of`."""
    examples = examples_of(loaded.config)
    if sentence is None and not examples:
        raise UserError("the data of this model is not in the package, so there is no example: give a sentence.")
    run = run_folder(folder) if folder else None
    kept = look_checkpoints(run) if run else []
    return pack(
        Shown(loaded, {"path": str(folder)} if folder else {}),
        sentence if sentence is not None else examples[0],
        title=str(loaded.config.run.get("name") or (folder.name if folder else "a model")),
        sisters=sisters(),
        checkpoints=[(step_of(place) or 0, load(place)) for place in kept],
        curve=training_curve(run) if run else (),
        examples=examples,
    )


def examples_of(config: Config) -> list[str]:
    """A few test sentences of the model's data where that is in the package, always the same ones."""
    name = config.data.get("name")
    if name not in SHIPPED:
        return []
    sources = [source for source, _ in open_dataset(name).test_references()]
    return random.Random(0).sample(sources, min(EXAMPLES, len(sources)))


def run_folder(folder: Path) -> Path:
    """The run that a model's folder belongs to: the folder itself, or that around model/ or checkpoints/step-*."""
    if folder.name == "model":
        return folder.parent
    return folder.parent.parent if step_of(folder) is not None else folder


def write_page(html: str, path: Path) -> int:
    """Write the page, all of it or nothing; gives its size in bytes. Raises UserError where it cannot be written."""
    working = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        working.write_text(html, encoding="utf-8", newline="\n")
        working.replace(path)
    except OSError as error:
        working.unlink(missing_ok=True)
        raise UserError(f"--out {path} cannot be written: {error.strerror}. Choose another place.") from error
    return path.stat().st_size
