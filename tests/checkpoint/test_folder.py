"""Whole or absent: damage is found and named, a failed or killed write leaves what was there."""

import os
import random
import resource
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from glassformer.checkpoint import load, newest_good, save, verify
from glassformer.checkpoint.folder import remove_folder, step_folder, step_folders, sweep, write_folder
from glassformer.errors import UserError
from tests.checkpoint.conftest import Saved

FILES = ["config.json", "model.safetensors", "tokenizer.json", "training.json", "training.safetensors", "manifest.json"]


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_is_found_and_named(saved: Saved, name: str) -> None:
    content = (saved.folder / name).read_bytes()
    dice = random.Random(name)
    for length in [dice.randrange(len(content)) for _ in range(20)]:
        (saved.folder / name).write_bytes(content[:length])
        with pytest.raises(UserError, match=name):
            verify(saved.folder)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_anywhere_is_found_and_named(saved: Saved, name: str) -> None:
    content = (saved.folder / name).read_bytes()
    dice = random.Random(name)
    for _ in range(40):
        place, bit = dice.randrange(len(content)), dice.randrange(8)
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        (saved.folder / name).write_bytes(damaged)
        with pytest.raises(UserError, match=r"manifest\.json" if name == "manifest.json" else name):
            verify(saved.folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(saved: Saved, name: str) -> None:
    (saved.folder / name).unlink()
    with pytest.raises(UserError, match=name):
        verify(saved.folder)


def test_a_file_of_another_checkpoint_is_found(saved: Saved) -> None:
    other = saved.folder.with_name("other")
    with torch.no_grad():
        saved.model.fc_out.bias.fill_(1)
    save(other, saved.model, saved.vocabularies, saved.config)
    os.replace(other / "model.safetensors", saved.folder / "model.safetensors")
    with pytest.raises(UserError, match=r"model\.safetensors is not what was written"):
        verify(saved.folder)


@pytest.mark.parametrize("name", ["tokenizer.src.json", "more.safetensors"])
def test_a_file_that_does_not_belong_is_found(saved: Saved, name: str) -> None:
    (saved.folder / name).touch()
    with pytest.raises(UserError, match=f"{name} is not in manifest.json"):
        verify(saved.folder)


def test_a_pickle_among_the_files_is_refused(saved: Saved) -> None:
    (saved.folder / "optimizer.pt").touch()
    with pytest.raises(UserError, match=r"optimizer\.pt is a pickle"):
        verify(saved.folder)


def test_notes_beside_the_files_do_no_harm(saved: Saved) -> None:
    (saved.folder / "README.md").touch()
    verify(saved.folder)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "sub/file"])
def test_a_manifest_cannot_point_elsewhere(saved: Saved, name: str) -> None:
    manifest = saved.folder / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("config.json", name), encoding="utf-8")
    with pytest.raises(UserError):
        verify(saved.folder)


def test_a_manifest_of_another_format_is_refused(saved: Saved) -> None:
    manifest = saved.folder / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"format": 1', '"format": 2'), encoding="utf-8")
    with pytest.raises(UserError, match="has format 2; this version reads format 1"):
        verify(saved.folder)


def test_files_can_be_read_by_those_the_umask_allows(tmp_path: Path, saved: Saved) -> None:
    before = os.umask(0o027)
    try:
        save(tmp_path / "m", saved.model, saved.vocabularies, saved.config)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "m").iterdir()} == {0o640}


@contextmanager
def small_disk(limit: int) -> Iterator[None]:
    """No file may grow beyond `limit` bytes: the same failing writes as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("limit", [0, 1, 100, 700, 1500, 2500, 3500])
def test_a_full_disk_leaves_the_old_checkpoint_and_says_so(saved: Saved, limit: int) -> None:
    before = {path.name: path.read_bytes() for path in saved.folder.iterdir()}
    with (
        small_disk(limit),
        pytest.raises(UserError, match=r"could not be written: .*What was there before is untouched"),
    ):
        save(saved.folder, saved.model, saved.vocabularies, saved.config)
    assert {path.name: path.read_bytes() for path in saved.folder.iterdir()} == before
    assert [path.name for path in saved.folder.parent.iterdir()] == ["saved"]
    save(saved.folder, saved.model, saved.vocabularies, saved.config)  # room again


@pytest.mark.parametrize("name", ["notes.txt", "sub"])
def test_saving_never_replaces_a_folder_with_other_things_in_it(saved: Saved, name: str) -> None:
    (saved.folder / name).mkdir()
    with pytest.raises(UserError, match=f"holds '{name}', which is not part of a checkpoint and would be lost"):
        save(saved.folder, saved.model, saved.vocabularies, saved.config)
    assert (saved.folder / name).exists()


def test_saving_onto_a_file_is_refused(tmp_path: Path, saved: Saved) -> None:
    (tmp_path / "m").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="would be lost"):
        save(tmp_path / "m", saved.model, saved.vocabularies, saved.config)
    assert (tmp_path / "m").read_text(encoding="utf-8") == "mine"


class Killed(BaseException):
    """Stands for SIGKILL at one system call: nothing of ours runs after it."""


@pytest.mark.parametrize("call", range(40))
def test_a_write_killed_at_any_call_leaves_the_old_or_the_new(
    saved: Saved, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    calls = iter(range(1000))

    def dying(real: object) -> object:
        def step(*arguments: object, **named: object) -> object:
            if next(calls) == call:
                raise Killed
            return real(*arguments, **named)  # type: ignore[operator]

        return step

    with torch.no_grad():
        saved.model.fc_out.bias.fill_(5)
    with monkeypatch.context() as patched:
        for name in ("mkdir", "rename", "write_text", "chmod"):
            patched.setattr(Path, name, dying(getattr(Path, name)))
        patched.setattr(os, "fsync", dying(os.fsync))
        patched.setattr("shutil.rmtree", dying(__import__("shutil").rmtree))
        try:
            save(saved.folder, saved.model, saved.vocabularies, saved.config)
        except Killed:
            sweep(saved.folder.parent, "saved")
    load(saved.folder)
    assert [path.name for path in saved.folder.parent.iterdir()] == ["saved"]


def test_removing_takes_the_name_away_first(saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", lambda *arguments, **named: None)  # killed before it deletes anything
        remove_folder(saved.folder)
    assert not saved.folder.exists()
    sweep(saved.folder.parent, "saved")
    assert list(saved.folder.parent.iterdir()) == []


def test_sweeping_leaves_everything_else_alone(tmp_path: Path) -> None:
    for name in (".tmp-step-00000001", ".gone-step-00000002", ".tmp-other", "step-00000003", ".old-step-00000003"):
        (tmp_path / name).mkdir()
    sweep(tmp_path, "step-*")
    assert {path.name for path in tmp_path.iterdir()} == {".tmp-other", "step-00000003"}


def test_the_newest_good_checkpoint_is_found(saved: Saved) -> None:
    checkpoints = saved.folder.parent / "checkpoints"
    assert newest_good(checkpoints) is None
    for step in (2, 10, 100):
        save(step_folder(checkpoints, step), saved.model, saved.vocabularies, saved.config)
    (checkpoints / "step-best").mkdir()
    assert newest_good(checkpoints) == step_folder(checkpoints, 100)
    (step_folder(checkpoints, 100) / "model.safetensors").unlink()
    with pytest.warns(UserWarning, match=r"model\.safetensors is missing.*The checkpoint before it is taken"):
        assert newest_good(checkpoints) == step_folder(checkpoints, 10)
    assert [folder.name[-3:] for folder in step_folders(checkpoints)] == ["002", "010", "100"]


def test_a_name_with_odd_characters_is_only_a_name(tmp_path: Path) -> None:
    write_folder(tmp_path / "[a]*?", {"config.json": lambda path: path.write_text("{}", encoding="utf-8")})
    verify(tmp_path / "[a]*?")
