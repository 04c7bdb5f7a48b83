"""A folder in somebody else's format is whole or absent."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from glassformer.errors import UserError
from glassformer.exchange.ctranslate2 import library
from glassformer.exchange.folder import new_folder

KILLED_HALF_WAY = """
import os, signal, sys
from pathlib import Path
from glassformer.exchange.folder import new_folder
with new_folder(Path(sys.argv[1])) as working:
    (working / "model.bin").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_has_its_name_only_when_all_is_written(tmp_path: Path) -> None:
    with new_folder(tmp_path / "new" / "model") as working:
        (working / "model.bin").write_bytes(b"all")
        assert not (tmp_path / "new" / "model").exists()
    assert names(tmp_path / "new") == ["model"]
    assert (tmp_path / "new" / "model" / "model.bin").read_bytes() == b"all"


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    def write_half() -> None:
        with new_folder(tmp_path / "model") as working:
            (working / "model.bin").write_bytes(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        write_half()
    assert names(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_killed_half_way_nothing_looks_finished_and_the_next_one_clears_up(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED_HALF_WAY, str(tmp_path / "model")], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert all(name.startswith(".") for name in names(tmp_path))
    with new_folder(tmp_path / "model") as working:
        (working / "model.bin").write_bytes(b"all")
    assert names(tmp_path) == ["model"]


def test_what_is_there_already_is_never_lost(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for taken in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(UserError, match="is there already"), new_folder(taken):
            pass
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError("No space left")], ids=repr)
def test_a_full_disk_is_an_error_of_ours_and_leaves_nothing(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="could not be written: No space left"), new_folder(tmp_path / "model"):
        raise error
    assert names(tmp_path) == []


def test_files_can_be_read_by_those_the_umask_allows(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with new_folder(tmp_path / "model") as working:
            save_file({"a": torch.ones(1)}, working / "model.safetensors")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "model" / "model.safetensors").stat().st_mode) == 0o640


def test_without_the_library_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(UserError, match=r"pip install 'glassformer\[exchange\]'"):
        library()
