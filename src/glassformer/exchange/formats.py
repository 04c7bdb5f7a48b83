"""The formats by name: which one a path holds, and the way in and out of each."""

from collections.abc import Callable
from dataclasses import asdict, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from glassformer.checkpoint import Config, find_model, load, save
from glassformer.checkpoint.border import as_json
from glassformer.checkpoint.folder import MANIFEST
from glassformer.checkpoint.tensors import write_tensors
from glassformer.decode import DecodingConfig
from glassformer.errors import UserError, unknown_name
from glassformer.exchange.facts import WORDS, Facts
from glassformer.exchange.folder import new_folder, refuse_to_lose
from glassformer.exchange.imported import Imported
from glassformer.exchange.libraries import beside_library
from glassformer.exchange.origin import FIRST as ORIGIN_FIRST
from glassformer.exchange.reading import read_tensors
from glassformer.exchange.texts import read_json

OURS = "glassformer"
FROM_FILES = {"origin": "origin", "torch": "torch_nn"}  # format -> module with read(path, facts)
FROM_FOLDERS = {"ctranslate2": "ct2_binary", "marian": "marian", "joeynmt": "joeynmt"}  # with read(path, leave)
FACTS_OF = {  # format -> the facts that play a part in it; a folder states its own
    "origin": {*WORDS, "key", "leave", "heads", "divide_by"},
    "torch": {
        *WORDS, "key", "leave", "names", "heads", "norm", "activation", "positions", "max_length", "scale_embeddings",
    },
    **{form: {"leave"} for form in FROM_FOLDERS},
}  # fmt: skip
WEIGHTS = {  # format of a folder -> the files in it that stand for the whole
    OURS: ("model.safetensors",),
    "marian": ("model.safetensors", "pytorch_model.bin"),
    "ctranslate2": ("model.bin",),
    "joeynmt": ("best.ckpt",),
}
DECODING_IN = {  # format -> the settings of decoding that it holds; none of the others holds any
    "marian": {"forbidden_ids", "beam", "length_penalty"},
    "ctranslate2": {"forbidden_ids"},
    "onnx": {"forbidden_ids"},
}
TO = ("glassformer", "torch", "marian", "ctranslate2", "onnx")
FROM = (OURS, *FROM_FILES, *FROM_FOLDERS)


def convert(path: Path, folder: Path, form: str | None, to: str, facts: Facts, **options: Any) -> tuple[Imported, str]:
    """Read the model at `path` and write it into a new folder; gives back what was read, and its format.

    `path` may be the name of a model that ships as well, and `form` is its format; without it, the one it looks like.
    The notes say which settings of decoding are not written. Raises UserError, before anything is written,
    for what is not read, for what the format `to` cannot hold, and for a folder that is not empty.
    """
    if to not in TO:
        raise unknown_name("format to convert to", to, TO)
    form = form or detect(path, facts.key)
    if form not in FROM:
        raise unknown_name("format to convert from", form, FROM)
    if form == to:
        raise UserError(f"{path} is in the format {form} already. Copy it, or name another one with --to.")
    facts.refuse_others(FACTS_OF.get(form, ()), form)
    refuse_to_lose(folder)
    imported = _read(path, form, facts)
    notes = _write(imported, folder, form, to, **options)
    return replace(imported, notes=imported.notes + notes), form


def _read(path: Path, form: str, facts: Facts) -> Imported:
    if form == OURS:
        model, vocabularies, config = load(path.parent if path.name in WEIGHTS[OURS] else path)
        return Imported(model, vocabularies, {}, [], config.decoding)
    if form in FROM_FILES:
        imported: Imported = _module(FROM_FILES[form]).read(path, facts)
    else:
        imported = _module(FROM_FOLDERS[form]).read(path, facts.leave)
        imported = replace(imported, measured=beside_library(form, path, imported))
    return imported


def _write(imported: Imported, folder: Path, form: str, to: str, **options: Any) -> list[str]:
    """Notes on what is not written."""
    model, vocabularies = imported.model, imported.vocabularies
    if to == OURS:
        run = {"converted_from": form}
        save(folder, model, vocabularies, Config(model=model.config, data={}, decoding=imported.decoding, run=run))
        return []
    decoding = DecodingConfig.from_dict(imported.decoding)
    if to == "torch":
        weights = _module("torch_nn").export_torch(model)
        with new_folder(folder) as working:
            write_tensors(working / "model.safetensors", weights)
            vocabularies.save(working)
            (working / "config.json").write_text(as_json(asdict(model.config)), encoding="utf-8", newline="\n")
    else:
        search = {"decoding": decoding} if to == "marian" else {"forbidden_ids": decoding.forbidden_ids}
        _module(to).export(model, vocabularies, folder, **search, **options)
    return _not_written(decoding, to)


def _not_written(decoding: DecodingConfig, to: str) -> list[str]:
    """Notes on the settings that a format has no place for, or another formula, where they are not the usual ones."""
    usual, notes = DecodingConfig(), []
    held = DECODING_IN.get(to, set())
    if left := [
        f"{field.name}={getattr(decoding, field.name)}"
        for field in fields(decoding)
        if field.name not in held and getattr(decoding, field.name) != getattr(usual, field.name)
    ]:
        notes.append(f"there is no place for these settings of decoding, set them where you decode: {', '.join(left)}.")
    if "length_penalty" in held and decoding.beam > 1 and decoding.length_penalty:
        notes.append(
            f"a length penalty divides by n^p there and by ((5 + n) / 6)^p here: {decoding.length_penalty:g} "
            "became the nearest one, and a beam may choose another answer."
        )
    return notes


def detect(path: Path, key: str | None = None) -> str:
    """The format that `path` looks like. Raises UserError where it looks like none, and where there is nothing."""
    if not path.exists():
        try:
            path = find_model(path)
        except UserError as error:
            raise UserError(f"{path} is no file and no folder here. As a model's name: {error}") from error
    form = _form_of_folder(path) if path.is_dir() else _form_of_file(path, key)
    if form is None:
        raise UserError(f"{path} looks like none of the formats that are read. Name it with --from: {', '.join(FROM)}.")
    return form


def _form_of_file(path: Path, key: str | None) -> str | None:
    """By its tensors, or by the folder that it stands for."""
    around = _form_of_folder(path.parent)
    around = around if path.name in WEIGHTS.get(around or "", ()) else None
    try:
        names = read_tensors(path, key)
    except UserError:
        if around is None:
            raise
        return around
    if f"{ORIGIN_FIRST}.queries.weight" in names:
        return "origin"
    return "torch" if any(name.endswith("self_attn.in_proj_weight") for name in names) else around


def _form_of_folder(path: Path) -> str | None:
    try:
        config = read_json(path / "config.json", dict)
    except UserError:
        config = {}
    signs: dict[str, Callable[[], bool]] = {
        OURS: lambda: (path / MANIFEST).is_file() or (path / "checkpoints").is_dir() or (path / "model").is_dir(),
        "marian": lambda: "model_type" in config,  # or a sister of it, of which its reader says what it has
        "ctranslate2": lambda: (path / "model.bin").is_file(),
        "joeynmt": lambda: (path / "config.yaml").is_file(),
        "torch": lambda: "src_vocab_size" in config and (path / "model.safetensors").is_file(),
    }
    return next((form for form, fits in signs.items() if fits()), None)


def _module(name: str) -> Any:
    return import_module(f"glassformer.exchange.{name}")
