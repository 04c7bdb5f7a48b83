"""config.json at the border: everything that is not ours is refused, by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from glassformer.checkpoint import read_config
from glassformer.errors import UserError
from tests.checkpoint.conftest import Saved, config_of, small_model


def write(folder: Path, change: Any) -> Path:
    content = json.loads(config_of(small_model()[0]).to_json())
    change(content)
    (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_a_config_comes_back(saved: Saved) -> None:
    assert read_config(saved.folder) == saved.config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(speed=1), "speed"),
        (lambda c: c["model"].update(embed_sise=4), r"model\.embed_sise"),
        (lambda c: c["model"].update(heads="2"), r"model\.heads"),
        (lambda c: c["model"].update(heads=3), "heads=3 does not divide embed_size=4"),
        (lambda c: c["model"].pop("heads"), r"model\.heads"),
        (lambda c: c.pop("data"), "data"),
        (lambda c: c["model"].update(dropout=float("nan")), "NaN"),
        (lambda c: c["run"].update(rate=float("inf")), "Infinity"),
        (lambda c: c.update(format=2), "has format 2; this version reads format 1"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_config(write(tmp_path, change))
    assert "config.json" in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"format": 1}', b"1e999"], ids=repr
)
def test_what_is_no_config_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(UserError, match=r"config\.json"):
        read_config(tmp_path)


def test_no_config_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_config(tmp_path)
