"""Foreign files are data: what is not tensors by name is refused, and no program in them ever runs."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from glassformer.errors import UserError
from glassformer.exchange.reading import read_tensors

WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


def saved(content: Any, folder: Path, name: str = "model.pt") -> Path:
    torch.save(content, folder / name)
    return folder / name


def test_both_kinds_of_file_give_the_same_tensors(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "model.safetensors")
    for path in (tmp_path / "model.safetensors", saved(WEIGHTS, tmp_path), saved(WEIGHTS, tmp_path, "old.bin")):
        found = read_tensors(path)
        assert found.keys() == WEIGHTS.keys()
        assert all(torch.equal(found[name], WEIGHTS[name]) for name in WEIGHTS)


@pytest.mark.parametrize("key", ["model_state_dict", "state_dict", "model"])
def test_the_weights_of_a_training_checkpoint_are_found(key: str, tmp_path: Path) -> None:
    for name in ("model.pt", "model.pth.tar"):
        path = saved({"epoch": 3, "optimizer": {"lr": 0.1}, key: WEIGHTS}, tmp_path, name)
        assert read_tensors(path).keys() == WEIGHTS.keys()


def test_another_key_is_told(tmp_path: Path) -> None:
    path = saved({"epoch": 3, "net": WEIGHTS}, tmp_path)
    with pytest.raises(UserError, match=r"'epoch' is a int and no tensor.*--key; the file has epoch, net"):
        read_tensors(path)
    assert read_tensors(path, key="net").keys() == WEIGHTS.keys()
    with pytest.raises(UserError, match="Did you mean net"):
        read_tensors(path, key="nett")


def test_what_wrappers_put_before_every_name_is_taken_off(tmp_path: Path) -> None:
    wrapped = {f"module._orig_mod.{name}": tensor for name, tensor in WEIGHTS.items()}
    assert read_tensors(saved(wrapped, tmp_path)).keys() == WEIGHTS.keys()


class Program:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("it-ran"),)


def test_a_program_in_the_file_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain.pt").write_bytes(pickle.dumps({"a": Program()}))
    for path in (saved({"a": Program()}, tmp_path), tmp_path / "plain.pt"):
        with pytest.raises(UserError, match="cannot be read as weights") as refused:
            read_tensors(path)
        assert "weights_only" not in str(refused.value)  # PyTorch's advice, and the wrong one
    assert not (tmp_path / "it-ran").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.ones(2)], "holds a list, and not tensors by name"),
        ({}, "holds no tensors by name"),
        ({"a": torch.ones(2, dtype=torch.complex64)}, "'a' has the dtype torch.complex64"),
        ({"a": torch.ones(0, 3)}, r"'a' is empty: its shape is \[0, 3\]"),
        ({"a": torch.eye(2).to_sparse()}, "'a' is not an ordinary tensor"),
        ({"a": torch.ones(1).expand(10**9)}, "'a' claims 1000000000 numbers, more than the file holds"),
        ({"a": torch.ones(2), "b": "text"}, "'b' is a str and no tensor"),
        ({1: torch.ones(2)}, "'1' is a Tensor and no tensor with a name"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_dictionary_of_numbers_is_refused(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        read_tensors(saved(content, tmp_path))


def test_absent_cut_and_unnamed_files_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none.pt is no file"):
        read_tensors(tmp_path / "none.pt")
    with pytest.raises(UserError, match="is no file"):
        read_tensors(tmp_path)
    whole = saved(WEIGHTS, tmp_path).read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"cut.pt cannot be read as weights"):
        read_tensors(tmp_path / "cut.pt")
    (tmp_path / "model.onnx").write_bytes(whole)
    with pytest.raises(UserError, match=r"ends with '.onnx'"):
        read_tensors(tmp_path / "model.onnx")
