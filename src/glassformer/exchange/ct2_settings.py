"""What stands beside CTranslate2's `model.bin`, or in it: which token plays which part, and the vocabularies."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError

from glassformer.data import Vocabularies, Vocabulary
from glassformer.data.vocabulary import Kind
from glassformer.errors import UserError
from glassformer.exchange.ctranslate2 import token_names
from glassformer.exchange.imported import Source
from glassformer.exchange.texts import read_json, read_lines

PADS = ("<blank>", "<pad>", "[PAD]")


@dataclass(frozen=True)
class Settings:
    """What config.json says of tokens and norms; the defaults are the library's."""

    decoder_start_token: str | None
    unk_token: str = "<unk>"
    bos_token: str = "<s>"
    eos_token: str = "</s>"
    add_source_bos: bool = False
    add_source_eos: bool = False
    layer_norm_epsilon: float | None = None


def read_settings(folder: Path, version: int, source: Source) -> Settings:
    """Raises UserError for what does not fit, and for what our translations or norms do not do."""
    config = read_json(folder / "config.json", dict) if version >= 6 else _older_config(source)
    config = {"decoder_start_token": config.get("bos_token", Settings.bos_token)} | config
    try:
        settings = TypeAdapter(Settings).validate_python(config)
    except ValidationError as error:
        first = error.errors()[0]
        name = first["loc"][0]
        raise UserError(f"{folder}: the setting {name}={config[str(name)]!r} does not fit: {first['msg']}.") from error
    start, epsilon = settings.decoder_start_token, settings.layer_norm_epsilon
    if start is None:
        raise UserError(
            f"{folder}: decoder_start_token is null, so each text needs a start of its own (a language, say). Our "
            "answers all begin with one token. Such a model cannot be read."
        )
    if start == settings.eos_token:
        raise UserError(
            f"{folder}: decoder_start_token={start!r} is the end as well, and our answers never hold the start. "
            "Such a model cannot be read."
        )
    if epsilon is not None and not 0 < epsilon < math.inf:
        raise UserError(f"{folder}: layer_norm_epsilon={epsilon} must be above 0, and finite.")
    return settings


def _older_config(source: Source) -> dict[str, Any]:
    """The settings that were tensors before version 6."""
    texts = [name for name in ("unk_token", "bos_token", "eos_token") if name in source]
    flags = ("with_source_bos", "with_source_eos", "with_target_bos", "user_decoder_start_tokens")
    on = {name: bool(source.take(name, "the vocabulary").any()) for name in flags if name in source}
    config: dict[str, Any] = {
        name: bytes(source.take(name, "the vocabulary").to(torch.uint8).tolist()).decode("utf-8", "replace")
        for name in texts
    }
    config |= {f"add_{name[5:]}": on[name] for name in ("with_source_bos", "with_source_eos") if name in on}
    if on.get("user_decoder_start_tokens"):
        config["decoder_start_token"] = None
    elif not on.get("with_target_bos", True):
        config["decoder_start_token"] = config.get("eos_token", Settings.eos_token)
    return config


def read_vocabularies(folder: Path, settings: Settings, src_rows: int, trg_rows: int) -> Vocabularies:
    """Ours where the folder has them, as ours do; else the library's lists of tokens, which name no way to split text.

    Where each is a single character, texts are cut into characters, and else at spaces.
    """
    src, trg = _tokens(folder, "source", settings, src_rows), _tokens(folder, "target", settings, trg_rows)
    if any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.src.json")):
        own = Vocabularies.load(folder)
        if [token_names(own.src, src_rows), token_names(own.trg, trg_rows)] != [src, trg]:
            raise UserError(f"{folder}: the tokenizer has other tokens than the vocabularies beside it. Remove it.")
        return own
    src_pad, trg_pad = (next((pad for pad in PADS if pad in tokens), settings.bos_token) for tokens in (src, trg))
    src_start = settings.bos_token if settings.add_source_bos else src_pad
    src_end = settings.eos_token if settings.add_source_eos else src_pad
    specials = {
        settings.unk_token,
        settings.bos_token,
        settings.eos_token,
        settings.decoder_start_token,
        src_pad,
        trg_pad,
    }
    kinds: list[Kind] = [
        "characters" if all(len(token) == 1 or token in specials for token in tokens) else "symbols"
        for tokens in (src, trg)
    ]
    unknown = settings.unk_token
    return Vocabularies(
        Vocabulary.from_tokens(
            src,
            kind=kinds[0],
            pad=src_pad,
            start=src_start,
            end=src_end,
            unknown=unknown,
            opens=settings.add_source_bos,
        ),
        Vocabulary.from_tokens(
            trg, kind=kinds[1], pad=trg_pad, start=settings.decoder_start_token, end=settings.eos_token, unknown=unknown
        ),
    )


def _tokens(folder: Path, side: str, settings: Settings, rows: int) -> list[str]:
    """The tokens of one side by id. A list that is one shorter than the table has the unknown token left out."""
    files = [folder / f"{name}_vocabulary.{end}" for name in ("shared", side) for end in ("json", "txt")]
    path = next((file for file in files if file.is_file()), None)
    if path is None:
        raise UserError(f"{folder} has no {side}_vocabulary.json or .txt, and no shared one. Copy the whole folder.")
    tokens = read_json(path, list) if path.suffix == ".json" else read_lines(path)
    if not all(isinstance(token, str) for token in tokens):
        raise UserError(f"{path} holds something else than texts. Copy it again.")
    if settings.unk_token not in tokens:
        tokens = [*tokens, settings.unk_token]
    if len(tokens) != rows:
        raise UserError(
            f"{path} has {len(tokens)} tokens and the model's table {rows} rows. They must belong together."
        )
    return tokens
