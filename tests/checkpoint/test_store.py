"""What was saved comes back, from a checkpoint and from a run's folder; what cannot be right is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from glassformer.checkpoint import TrainingState, load, read_training, save, verify
from glassformer.checkpoint.folder import Manifest, _seal
from glassformer.checkpoint.tensors import weights_of
from glassformer.data import Vocabularies, Vocabulary
from glassformer.errors import UserError
from tests.checkpoint.conftest import Saved, config_of, small_model


def reseal(folder: Path, name: str) -> None:
    """Make the manifest agree with a file that was changed: a forgery, not an accident."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    seal = _seal(folder / name)
    manifest["files"][name] = {"bytes": seal.bytes, "sha256": seal.sha256}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("tie", ["none", "two-way", "three-way"])
def test_a_model_comes_back_bit_for_bit(tmp_path: Path, tie: str, dtype: torch.dtype) -> None:
    model, vocabularies = small_model(tie, dtype=dtype)
    save(tmp_path / "m", model, vocabularies, config_of(model))
    loaded = load(tmp_path / "m")
    assert loaded.config == config_of(model)
    assert loaded.vocabularies.files() == vocabularies.files()
    assert not loaded.model.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, loaded.model.state_dict()[name]), name
        assert loaded.model.state_dict()[name].dtype == dtype


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("tie", ["none", "two-way", "three-way"])
def test_weights_kept_in_half_precision_are_computed_with_in_float32(
    tmp_path: Path, tie: str, half: torch.dtype
) -> None:
    model, vocabularies = small_model(tie)
    rounded = {name: tensor.to(half) for name, tensor in model.state_dict().items()}
    save(tmp_path / "m", model.to(half), vocabularies, config_of(model))
    assert {tensor.dtype for tensor in load_file(tmp_path / "m" / "model.safetensors").values()} == {half}
    for asked, dtype in ((None, torch.float32), (half, half)):
        for name, tensor in load(tmp_path / "m", dtype=asked).model.state_dict().items():
            assert tensor.dtype == dtype
            assert torch.equal(tensor, rounded[name].to(dtype)), name


@pytest.mark.parametrize(("tie", "copies"), [("none", 3), ("two-way", 2), ("three-way", 1)])
def test_a_tied_table_is_saved_once_and_still_tied_when_loaded(tmp_path: Path, tie: str, copies: int) -> None:
    model, vocabularies = small_model(tie)
    save(tmp_path / "m", model, vocabularies, config_of(model))
    names = load_file(tmp_path / "m" / "model.safetensors")
    tables = [name for name in names if "word_embedding" in name or name == "fc_out.weight"]
    assert len(tables) == copies
    assert len(weights_of(load(tmp_path / "m").model)) == len(weights_of(model)) == len(names)


def test_separate_vocabularies_have_files_of_their_own(tmp_path: Path) -> None:
    src, trg = (Vocabulary.train([text], kind="symbols") for text in ("a b", "x y z"))
    model = small_model()[0].__class__(len(src), len(trg), 0, 0, embed_size=4, num_layers=1, heads=2)
    save(tmp_path / "m", model, Vocabularies(src, trg), config_of(model))
    loaded = load(tmp_path / "m").vocabularies
    assert not loaded.joint
    assert loaded.trg.decode(loaded.trg.encode("x z")) == "x z"


def test_another_dtype_can_be_asked_for(saved: Saved) -> None:
    assert load(saved.folder, dtype=torch.float64).model.fc_out.weight.dtype == torch.float64


def test_loading_leaves_the_dice_alone(saved: Saved) -> None:
    before = torch.get_rng_state()
    load(saved.folder)
    assert torch.equal(before, torch.get_rng_state())


def test_the_training_state_comes_back(saved: Saved) -> None:
    state = read_training(saved.folder)
    assert state.facts == {"step": 3}
    assert torch.equal(state.tensors["moment"], torch.arange(5.0))
    assert state.tensors["dice"].dtype == torch.uint8


def test_a_finished_model_has_no_training_state(tmp_path: Path, saved: Saved) -> None:
    save(tmp_path / "m", saved.model, saved.vocabularies, saved.config)
    with pytest.raises(UserError, match=r"no training\.json: it is a finished model"):
        read_training(tmp_path / "m")


def test_saving_again_replaces_everything(saved: Saved) -> None:
    with torch.no_grad():
        saved.model.fc_out.bias.fill_(7)
    save(saved.folder, saved.model, saved.vocabularies, saved.config)
    assert load(saved.folder).model.fc_out.bias.eq(7).all()
    assert not (saved.folder / "training.json").exists()
    assert [path.name for path in saved.folder.parent.iterdir()] == ["saved"]


def run_folder(saved: Saved, *, model: bool, steps: tuple[int, ...]) -> Path:
    run = saved.folder.parent / "run"
    for step in steps:
        with torch.no_grad():
            saved.model.fc_out.bias.fill_(step)
        save(run / "checkpoints" / f"step-{step:08}", saved.model, saved.vocabularies, saved.config)
    if model:
        with torch.no_grad():
            saved.model.fc_out.bias.fill_(-1)
        save(run / "model", saved.model, saved.vocabularies, saved.config)
    return run


def test_a_runs_folder_gives_its_final_model(saved: Saved) -> None:
    assert load(run_folder(saved, model=True, steps=(1, 2))).model.fc_out.bias.eq(-1).all()


def test_an_unfinished_runs_folder_gives_its_newest_checkpoint(saved: Saved) -> None:
    assert load(run_folder(saved, model=False, steps=(9, 10))).model.fc_out.bias.eq(10).all()


def test_broken_checkpoints_are_passed_over_with_a_warning_each(saved: Saved) -> None:
    run = run_folder(saved, model=True, steps=(1, 2, 3))
    (run / "model" / "config.json").unlink()
    (run / "checkpoints" / "step-00000003" / "model.safetensors").write_bytes(b"x")
    with pytest.warns(UserWarning, match="is taken") as caught:
        assert load(run).model.fc_out.bias.eq(2).all()
    assert [str(warning.message).split(" is ")[0].split(" has ")[0] for warning in caught] == [
        str(run / "model" / "config.json"),
        str(run / "checkpoints" / "step-00000003" / "model.safetensors"),
    ]


@pytest.mark.parametrize("name", ["weights.pt", "model.pth", "pytorch_model.bin", "all.pkl", "last.ckpt"])
def test_pickles_are_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"cos\nsystem\n(S'touch canary'\ntR.")
    for path in (tmp_path / name, tmp_path):
        with pytest.raises(UserError, match="is a pickle by its name"):
            load(path)


def test_a_pickle_dressed_as_safetensors_is_refused_even_with_a_forged_manifest(saved: Saved) -> None:
    (saved.folder / "model.safetensors").write_bytes(b"cos\nsystem\n(S'touch canary'\ntR.")
    with pytest.raises(UserError, match=r"model\.safetensors has \d+ bytes"):
        load(saved.folder)
    reseal(saved.folder, "model.safetensors")
    with pytest.raises(UserError, match=r"model\.safetensors is not a safetensors file"):
        load(saved.folder)


def header(text: bytes, length: int | None = None) -> bytes:
    return (len(text) if length is None else length).to_bytes(8, "little") + text


TENSOR = b'{"fc_out.bias": {"dtype": "%s", "shape": %s, "data_offsets": %s}}'


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234567",
        header(b"{"),
        header(b"{}", length=10**12),
        header(b"\xff\xfe{}"),
        header(b"[" * 10_000),
        header(TENSOR % (b"F32", b"[7]", b"[0, 28]")),
        header(TENSOR % (b"F32", b"[8]", b"[0, 28]")) + bytes(28),
        header(TENSOR % (b"F32", b"[7]", b"[4, 32]")) + bytes(32),
        header(TENSOR % (b"F32", b"[4000000000, 4000000000]", b"[0, 28]")) + bytes(28),
        header(TENSOR % (b"F33", b"[7]", b"[0, 28]")) + bytes(28),
        header(TENSOR % (b"F32", b"[7]", b"[0, 28]")) + bytes(29),
        header(b"{}"),
    ],
    ids=lambda content: repr(content[:40]),
)
@pytest.mark.parametrize("name", ["model.safetensors", "training.safetensors"])
def test_malformed_tensor_files_are_refused_even_with_a_forged_manifest(
    saved: Saved, name: str, content: bytes
) -> None:
    (saved.folder / name).write_bytes(content)
    reseal(saved.folder, name)
    verify(saved.folder)
    if name == "model.safetensors":
        with pytest.raises(UserError, match=r"model\.safetensors"):
            load(saved.folder)
    elif content != header(b"{}"):  # no tensors are a state too: that of a run before its first update
        with pytest.raises(UserError, match=r"training\.safetensors is not a safetensors file"):
            read_training(saved.folder)


@pytest.mark.parametrize("path", ["nowhere", "file"])
def test_a_path_that_is_no_folder_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"is not there|is a file: give the folder"):
        load(tmp_path / path)


def test_a_folder_without_any_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no whole checkpoint"):
        load(tmp_path)


def forge_weights(folder: Path, change: Any) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    reseal(folder, "model.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("fc_out.bias"), r"missing: fc_out\.bias"),
        (lambda tensors: tensors.update(fc_outt=torch.ones(1)), "unexpected: fc_outt"),
        (
            lambda tensors: tensors.update({"fc_out.bias": torch.ones(2)}),
            r"of another shape: fc_out\.bias \(\[2\] in the file, \[7\] in the model\)",
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(saved: Saved, change: Any, message: str) -> None:
    forge_weights(saved.folder, change)
    with pytest.raises(UserError, match=message):
        load(saved.folder)


@pytest.mark.parametrize("size", [{"embed_size": 10**6}, {"num_layers": 10**9}, {"max_length": 10**12}])
def test_a_config_too_large_for_its_weights_is_refused_before_anything_is_built(saved: Saved, size: Any) -> None:
    path = saved.folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["model"] |= size
    path.write_text(json.dumps(config), encoding="utf-8")
    reseal(saved.folder, "config.json")
    with pytest.raises(UserError, match=r"does not fit its config\.json|asks for"):
        load(saved.folder)


def test_a_vocabulary_too_large_for_the_model_is_not_saved(tmp_path: Path, saved: Saved) -> None:
    large = Vocabulary.train(["a b c d e f g"], kind="symbols")
    with pytest.raises(UserError, match="vocabulary has 11 pieces"):
        save(tmp_path / "m", saved.model, Vocabularies(large, large), saved.config)


def test_a_state_that_json_cannot_hold_is_refused(tmp_path: Path, saved: Saved) -> None:
    state = TrainingState(facts={"score": float("nan")}, tensors={})
    with pytest.raises(UserError, match="cannot be kept as JSON"):
        save(tmp_path / "m", saved.model, saved.vocabularies, saved.config, state)
    assert not (tmp_path / "m").exists()


def test_the_manifest_lists_every_file(saved: Saved) -> None:
    manifest = Manifest(**json.loads((saved.folder / "manifest.json").read_text(encoding="utf-8")))
    assert set(manifest.files) | {"manifest.json"} == {path.name for path in saved.folder.iterdir()}
