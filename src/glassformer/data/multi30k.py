"""Multi30k: 29,000 captions of photographs with their translations, the small benchmark of machine translation.

Read from `multi30k/` in a data folder, or downloaded (1.3 MB for two languages). The text may be used for research
and education, not passed on; so it is no part of this package. Training, validation and test (2016) are the official
ones, and each file is checked against the checksum of the version that papers use.
"""

import gzip
import hashlib
import os
import zlib
from functools import partial
from pathlib import Path

from glassformer.data.dataset import DataSet
from glassformer.data.download import Progress, cache_folder, download, given_folder
from glassformer.data.text import TwoFiles, read_pairs
from glassformer.errors import UserError

HOME = "https://raw.githubusercontent.com/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw"
LANGUAGES = {"en": "English", "de": "German", "fr": "French"}
PARTS = {"train": ("train", 29_000), "valid": ("val", 1_014), "test": ("test_2016_flickr", 1_000)}
SHA256 = {  # of the unpacked text
    "train.de": "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72",
    "train.en": "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6",
    "train.fr": "5925a3c18f1587b6b54b87743106e6e8ab93618edb6f65d19eac0621f853a10d",
    "val.de": "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660",
    "val.en": "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
    "val.fr": "5304e444d842e962b2dda4d816b70b22a1765b15401642b7ca37a67477e708dc",
    "test_2016_flickr.de": "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16",
    "test_2016_flickr.en": "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182",
    "test_2016_flickr.fr": "cb3160d69b002bb638e66cc7612fcd56cb0af82eadc9c142dedc438afb885ef6",
}


def multi30k(
    source: str, target: str, *, data_dir: str | os.PathLike[str] | None = None, progress: Progress | None = None
) -> DataSet:
    """Multi30k between two of "en", "de" and "fr".

    Raises UserError when a file is absent from the given folder, cannot be downloaded, or is not the known one.
    """
    given = given_folder(data_dir)
    folder = (given or cache_folder()) / "multi30k"
    names = [f"{stem}.{language}" for stem, _ in PARTS.values() for language in (source, target)]
    paths = {name: _find(folder, name, given is not None, progress) for name in names}
    parts = {
        part: partial(read_pairs, TwoFiles(paths[f"{stem}.{source}"], paths[f"{stem}.{target}"]))
        for part, (stem, _) in PARTS.items()
    }
    return DataSet(
        name=f"multi30k-{source}-{target}",
        source_language=LANGUAGES[source],
        target_language=LANGUAGES[target],
        train=parts["train"],
        valid=parts["valid"],
        test=parts["test"],
        joint=True,
        attribution="Multi30k (Elliott et al. 2016, 2017), for research and education",
        identity={
            "name": f"multi30k-{source}-{target}",
            "data": "multi30k",
            "split": f"official: {', '.join(stem for stem, _ in PARTS.values())}",
            "sha256": {name: SHA256[name] for name in names},
            "counts": {part: count for part, (_, count) in PARTS.items()},
        },
    )


def _find(folder: Path, name: str, given: bool, progress: Progress | None) -> Path:
    """The checked file of this name, packed or not, downloaded where the user gave no folder."""
    for path in (folder / f"{name}.gz", folder / name):
        if path.exists():
            _check(path, name)
            return path
    if given:
        raise UserError(
            f"{folder / name}.gz is absent. Put it there, or give no data folder (nor GLASSFORMER_DATA) to download it."
        )
    path = folder / f"{name}.gz"
    download(f"{HOME}/{name}.gz", path, accept=partial(_check, name=name), progress=progress)
    return path


def _check(path: Path, name: str) -> None:
    content = path.read_bytes()
    try:
        content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is damaged: {error}. Delete it and try again.") from error
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[name]:
        raise UserError(
            f"{path} is not Multi30k's {name}: its text has SHA-256 {found[:12]}..., not {SHA256[name][:12]}... "
            "Delete it, and take data/task1/raw of github.com/multi30k/dataset."
        )
