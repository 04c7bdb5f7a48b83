"""A word names a folder that is there, or else a model inside the package."""

import shutil
from pathlib import Path

import pytest

from glassformer import load
from glassformer.checkpoint import find_model, save, shipped, verify
from glassformer.errors import UserError
from tests.checkpoint.conftest import Saved


@pytest.fixture
def shelf(saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shelf with one model, `spell`, and an empty folder to work in."""
    monkeypatch.setattr("glassformer.checkpoint.named.SHELF", tmp_path / "models")
    save(tmp_path / "models" / "spell", saved.model, saved.vocabularies, saved.config)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "models"


def test_what_ships_with_the_package_is_whole() -> None:
    for folder in shipped().values():
        verify(folder)


def test_a_shelf_that_is_not_there_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassformer.checkpoint.named.SHELF", tmp_path / "nowhere")
    assert shipped() == {}


def test_a_word_loads_the_model_that_ships_under_it(shelf: Path, saved: Saved) -> None:
    assert shipped() == {"spell": shelf / "spell"}
    for word in ("spell", Path("spell")):
        assert load(word).config == saved.config


def test_a_folder_of_that_name_comes_first(shelf: Path) -> None:
    shutil.copytree(shelf / "spell", "spell")
    assert find_model("spell") == Path("spell")


def test_a_folder_of_that_name_without_a_model_is_told_from_the_one_that_ships(shelf: Path) -> None:
    Path("spell").mkdir()
    with pytest.raises(UserError, match=f"holds no whole checkpoint.*The model spell that ships is {shelf / 'spell'}"):
        load("spell")


@pytest.mark.parametrize("path", ["./spell", "spell/", "runs/spell"])
def test_a_word_with_a_slash_is_a_path(shelf: Path, path: str) -> None:
    with pytest.raises(UserError, match="is not there"):
        load(path)


def test_a_mistyped_name_is_answered_with_models_that_ship_and_models_that_are_here(shelf: Path) -> None:
    for place in ("spell-2", "runs/spell-3/model", "runs/spell-4/checkpoints/step-00000001"):
        shutil.copytree(shelf / "spell", place)
    Path("spelling").mkdir()  # holds none
    with pytest.raises(UserError) as mistyped:
        load("spel-2")
    assert str(mistyped.value) == "unknown model 'spel-2'. Did you mean spell-2 or spell or runs/spell-4?"
    with pytest.raises(UserError, match="Known: runs/spell-3, runs/spell-4, spell, spell-2"):
        load("zzz")


def test_where_there_is_no_model_at_all_the_way_to_one_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassformer.checkpoint.named.SHELF", tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"unknown model 'spell': .* Train one: glassformer train"):
        load("spell")
