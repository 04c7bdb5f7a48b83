"""The data sets that have a name, and how to open one: `open_dataset("pronounce")`."""

import os
from functools import partial

from glassformer.data.dataset import DataSet
from glassformer.data.download import Progress
from glassformer.data.multi30k import multi30k
from glassformer.data.pronounce import pronasyl, pronounce
from glassformer.data.synthetic import TASKS, synthetic
from glassformer.data.tatoeba import tatoeba
from glassformer.errors import unknown_name

_IN_THE_PACKAGE = {"pronounce": pronounce} | {name: partial(synthetic, name) for name in TASKS}
_FROM_OUTSIDE = {
    f"{home.__name__}-{source}-{target}": partial(home, source, target)
    for home, directions in (
        (tatoeba, ("en-fr", "fr-en", "en-de", "de-en")),
        (multi30k, ("en-de", "de-en", "en-fr")),
    )
    for source, target in (direction.split("-") for direction in directions)
}
SHIPPED = tuple(_IN_THE_PACKAGE)  # those that need no file from outside
DATASETS = (*SHIPPED, "pronasyl", *_FROM_OUTSIDE)


def open_dataset(
    name: str, *, data_dir: str | os.PathLike[str] | None = None, progress: Progress | None = None
) -> DataSet:
    """The data set of this name, one of `DATASETS`.

    Those that are not in the package are read from `data_dir`, or else from the folder GLASSFORMER_DATA, or else
    downloaded into a cache; `progress` is told the file, the bytes so far and the bytes in all.
    Raises UserError for an unknown name, with near misses, and for data that are absent or not the right ones.
    """
    if name in _IN_THE_PACKAGE:
        return _IN_THE_PACKAGE[name]()
    if name == "pronasyl":
        return pronasyl(data_dir)
    if name in _FROM_OUTSIDE:
        return _FROM_OUTSIDE[name](data_dir=data_dir, progress=progress)
    raise unknown_name("data set", name, DATASETS)
