"""What a conversion says of its numbers comes from the library that the folder was made for."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from glassformer.errors import UserError
from glassformer.exchange import ct2_binary, marian
from glassformer.exchange.ctranslate2 import export
from glassformer.exchange.libraries import beside_library
from tests.exchange.small import VOCABULARIES, float_model

NUMBER = r"largest difference (\d\.\de-\d\d)"


@pytest.fixture
def ct2_folder(tmp_path: Path) -> Path:
    pytest.importorskip("ctranslate2")
    export(float_model(norm="pre"), VOCABULARIES, tmp_path / "ct2")
    return tmp_path / "ct2"


@pytest.fixture
def marian_folder(tmp_path: Path) -> Path:
    pytest.importorskip("transformers")
    model = float_model(norm="post", positions="sinusoidal")
    marian.export(model, VOCABULARIES, tmp_path / "marian")
    return tmp_path / "marian"


def test_ctranslate2_is_asked_for_log_probabilities(ct2_folder: Path) -> None:
    said = beside_library("ctranslate2", ct2_folder, ct2_binary.read(ct2_folder))
    assert "by CTranslate2" in said
    assert float(re.findall(NUMBER, said)[0]) < 1e-4


def test_transformers_is_asked_for_logits(marian_folder: Path) -> None:
    said = beside_library("marian", marian_folder, marian.read(marian_folder))
    assert "by transformers" in said
    assert float(re.findall(NUMBER, said)[0]) < 1e-5


@pytest.mark.parametrize("form", ["ctranslate2", "marian"])
def test_a_model_that_came_out_otherwise_is_refused(form: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue("ct2_folder" if form == "ctranslate2" else "marian_folder")
    imported = {"ctranslate2": ct2_binary, "marian": marian}[form].read(folder)
    with torch.no_grad():
        imported.model.decoder.layers[0].cross_attention.to_queries.weight.mul_(3)
    with pytest.raises(UserError, match="nothing was written"):
        beside_library(form, folder, imported)


def test_without_the_library_it_says_that_nothing_was_measured(
    ct2_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = replace(ct2_binary.read(ct2_folder), measured="")
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    assert "not installed" in beside_library("ctranslate2", ct2_folder, imported)
    assert "nothing" in beside_library("joeynmt", ct2_folder, imported)


def test_a_file_that_the_library_would_not_open_is_said(ct2_folder: Path) -> None:
    imported = ct2_binary.read(ct2_folder / "model.bin")
    assert "by CTranslate2" in beside_library("ctranslate2", ct2_folder / "model.bin", imported)
    (ct2_folder / "model.bin").rename(ct2_folder / "old.bin")
    said = beside_library("ctranslate2", ct2_folder / "old.bin", imported)
    assert said == "nothing: old.bin was named, and ctranslate2 is asked about the folder's model.bin alone."
