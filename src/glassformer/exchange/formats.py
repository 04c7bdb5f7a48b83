"""The formats by name: which one a path holds, and the way in and out of each."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from glassformer.checkpoint import Config, load, save
from glassformer.checkpoint.border import as_json
from glassformer.checkpoint.folder import MANIFEST
from glassformer.checkpoint.tensors import write_tensors
from glassformer.errors import UserError, unknown_name
from glassformer.exchange.facts import WORDS, Facts
from glassformer.exchange.folder import refuse_to_lose, whole_folder
from glassformer.exchange.imported import Imported
from glassformer.exchange.libraries import beside_library
from glassformer.exchange.origin import FIRST as ORIGIN_FIRST
from glassformer.exchange.reading import read_tensors

OURS = "glassformer"
FROM_FILES = {"origin": "origin", "torch": "torch_nn"}  # format -> module with read(path, facts)
OF_FILES = {  # format -> the facts that play a part in it; a folder states its own
    "origin": {*WORDS, "key", "heads", "divide_by"},
    "torch": {*WORDS, "key", "names", "heads", "norm", "activation", "positions", "max_length", "scale_embeddings"},
}
FROM_FOLDERS = {"ctranslate2": "ct2_binary", "marian": "marian", "joeynmt": "joeynmt"}  # with read(folder)
TO = ("glassformer", "torch", "marian", "ctranslate2", "onnx")
FROM = (OURS, *FROM_FILES, *FROM_FOLDERS)


def convert(path: Path, folder: Path, form: str | None, to: str, facts: Facts, **options: Any) -> tuple[Imported, str]:
    """Read the model at `path` and write it into a new folder; gives back what was read, and its format.

    `form` is the format of `path`; without it, the one it looks like. Raises UserError, before anything is written,
    for what is not read, for what the format `to` cannot hold, and for a folder that is not empty.
    """
    if to not in TO:
        raise unknown_name("format to convert to", to, TO)
    form = form or detect(path, facts.key)
    if form not in FROM:
        raise unknown_name("format to convert from", form, FROM)
    if form == to:
        raise UserError(f"{path} is in the format {form} already. Copy it, or name another one with --to.")
    facts.refuse_others(OF_FILES.get(form, ()), form)
    refuse_to_lose(folder)
    imported = _read(path, form, facts)
    _write(imported, folder, form, to, **options)
    return imported, form


def _read(path: Path, form: str, facts: Facts) -> Imported:
    if form == OURS:
        model, vocabularies, config = load(path)
        return Imported(model, vocabularies, {}, [], config.decoding)
    if form in FROM_FILES:
        imported: Imported = _module(FROM_FILES[form]).read(path, facts)
    else:
        imported = _module(FROM_FOLDERS[form]).read(path)
        imported = replace(imported, measured=beside_library(form, path, imported))
    return imported


def _write(imported: Imported, folder: Path, form: str, to: str, **options: Any) -> None:
    model, vocabularies = imported.model, imported.vocabularies
    if to == OURS:
        run = {"converted_from": form}
        save(folder, model, vocabularies, Config(model=model.config, data={}, decoding=imported.decoding, run=run))
    elif to == "torch":
        weights = _module("torch_nn").export_torch(model)
        with whole_folder(folder) as working:
            write_tensors(working / "model.safetensors", weights)
            vocabularies.save(working)
            (working / "config.json").write_text(as_json(asdict(model.config)), encoding="utf-8", newline="\n")
    else:
        _module(to).export(model, vocabularies, folder, **options)


def detect(path: Path, key: str | None = None) -> str:
    """The format that `path` looks like. Raises UserError where it looks like none."""
    if path.is_dir():
        signs: dict[str, Callable[[], bool]] = {
            OURS: lambda: (path / MANIFEST).is_file() or (path / "checkpoints").is_dir() or (path / "model").is_dir(),
            "marian": lambda: _model_type(path) == "marian",
            "ctranslate2": lambda: (path / "model.bin").is_file(),
            "joeynmt": lambda: (path / "config.yaml").is_file(),
        }
    else:
        names = read_tensors(path, key)
        signs = {
            "origin": lambda: f"{ORIGIN_FIRST}.queries.weight" in names,
            "torch": lambda: any(name.endswith("self_attn.in_proj_weight") for name in names),
        }
    form = next((form for form, fits in signs.items() if fits()), None)
    if form is None:
        raise UserError(f"{path} looks like none of the formats that are read. Name it with --from: {', '.join(FROM)}.")
    return form


def _model_type(folder: Path) -> str | None:
    try:
        content = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return None
    return content.get("model_type") if isinstance(content, dict) else None


def _module(name: str) -> Any:
    return import_module(f"glassformer.exchange.{name}")
