"""A path is seen for what it is, and what goes out takes its settings of decoding along or says that they stay."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from glassformer.checkpoint import Config, load, save
from glassformer.errors import UserError
from glassformer.exchange import ct2_binary, marian
from glassformer.exchange.facts import Facts
from glassformer.exchange.formats import convert, detect
from tests.exchange.small import VOCABULARIES, float_model
from tests.exchange.test_joeynmt import write_folder
from tests.exchange.torch_model import told, torch_model
from tests.small import PAD

pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")

START = VOCABULARIES.trg.start_id
DECODING = {"forbidden_ids": [5], "beam": 4, "length_penalty": 0.6, "max_ratio": 1.0}


def saved(folder: Path, decoding: dict[str, Any] | None = None, **choices: Any) -> Path:
    model = float_model(**choices)
    save(folder, model, VOCABULARIES, Config(model=model.config, data={}, decoding=decoding or {}, run={}))
    return folder


def test_a_file_stands_for_the_folder_that_it_is_the_model_of(tmp_path: Path) -> None:
    saved(tmp_path / "ours")
    (tmp_path / "joeynmt").mkdir()
    write_folder(tmp_path / "joeynmt", {}, {}, {})
    (tmp_path / "ct2").mkdir()
    (tmp_path / "ct2" / "model.bin").write_bytes(b"\6\0\0\0no pickle")
    for file, form in (
        ("ours/model.safetensors", "glassformer"),
        ("joeynmt/best.ckpt", "joeynmt"),
        ("ct2/model.bin", "ctranslate2"),
    ):
        assert detect(tmp_path / file) == detect((tmp_path / file).parent) == form
    convert(tmp_path / "ours" / "model.safetensors", tmp_path / "out", None, "torch", Facts())


def test_a_pickle_in_a_folder_of_marian_is_read_when_it_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "marian"
    marian.export(float_model(positions="sinusoidal"), VOCABULARIES, folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"only if you name it: .*pytorch_model.bin"):
        convert(folder, tmp_path / "out", None, "glassformer", Facts())
    imported, form = convert(folder / "pytorch_model.bin", tmp_path / "out", None, "glassformer", Facts())
    assert form == "marian"
    assert imported.measured.startswith("nothing: pytorch_model.bin was named")


def test_tensors_go_before_the_folder_they_lie_in(tmp_path: Path) -> None:
    torch.save(torch_model().state_dict(), tmp_path / "model.bin")
    assert detect(tmp_path / "model.bin") == "torch"
    (tmp_path / "config.yaml").write_text("lr: 0.1\n")
    torch.save({"a": torch.ones(2)}, tmp_path / "other.ckpt")
    with pytest.raises(UserError, match="looks like none of the formats"):
        detect(tmp_path / "other.ckpt")


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_a_sister_of_marian_is_refused_for_what_it_has(kind: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    torch.save({"shared.weight": torch.ones(2)}, tmp_path / "pytorch_model.bin")
    for path in (tmp_path, tmp_path / "pytorch_model.bin"):
        with pytest.raises(UserError, match=f"{kind} has .*, which our model has not"):
            convert(path, tmp_path / "out", None, "glassformer", Facts())


@pytest.mark.parametrize("choices", [dict(positions="learned", dropout=0.1), dict(norm="pre", positions="sinusoidal")])
def test_what_went_out_to_torch_comes_back_without_a_word(choices: dict[str, Any], tmp_path: Path) -> None:
    ours = load(saved(tmp_path / "ours", tie_embeddings="two-way", **choices))
    convert(tmp_path / "ours", tmp_path / "torch", None, "torch", Facts())
    imported, form = convert(tmp_path / "torch", tmp_path / "back", None, "glassformer", Facts())
    assert form == "torch"
    assert "by PyTorch's own stacks, in float64" in imported.measured
    back = load(tmp_path / "back")
    assert back.model.config == ours.model.config
    assert back.vocabularies.trg.to_json() == ours.vocabularies.trg.to_json()
    weights = ours.model.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in back.model.state_dict().items())
    with pytest.raises(UserError, match="--heads was given, and a model from a folder that --to torch wrote"):
        convert(tmp_path / "torch", tmp_path / "again", None, "glassformer", Facts(heads=3))


def test_a_word_may_be_the_name_of_a_model_that_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassformer.checkpoint.named.SHELF", tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "models" / "spell")
    _, form = convert(Path("spell"), tmp_path / "out", None, "torch", Facts())
    assert form == "glassformer"
    with pytest.raises(UserError, match=r"spel is no file and no folder here. As a model's name: .*Did you mean spell"):
        convert(Path("spel"), tmp_path / "other", None, "torch", Facts())


def notes_of(to: str, folder: Path, decoding: dict[str, Any]) -> list[str]:
    imported, _ = convert(saved(folder / "ours", decoding, positions="sinusoidal"), folder / to, None, to, Facts())
    return imported.notes


def test_marian_gets_the_beam_its_penalty_and_the_ids_never_written(tmp_path: Path) -> None:
    limit, penalty = notes_of("marian", tmp_path, DECODING)
    search = json.loads((tmp_path / "marian" / "generation_config.json").read_text())
    assert search["bad_words_ids"] == [[PAD], [START], [5]]
    assert search["num_beams"] == 4
    assert limit.endswith("where you decode: max_ratio=1.0.")
    assert "0.6 became the nearest one" in penalty


def test_ctranslate2_gets_the_ids_never_written(tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2")
    (note,) = notes_of("ctranslate2", tmp_path, DECODING)
    assert note.endswith("where you decode: beam=4, max_ratio=1.0.")
    bias = ct2_binary.read(tmp_path / "ctranslate2").model.fc_out.bias
    assert (bias < -60000).nonzero().flatten().tolist() == [PAD, START, 5]


def test_onnx_gets_the_ids_never_written(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    (note,) = notes_of("onnx", tmp_path, DECODING)
    assert note.endswith("where you decode: beam=4, max_ratio=1.0.")
    facts = json.loads((tmp_path / "onnx" / "glassformer.json").read_text())
    assert facts["trg"]["never_written"] == [PAD, START, 5]


def test_usual_settings_need_no_note(tmp_path: Path) -> None:
    assert notes_of("torch", tmp_path, {"beam": 1, "max_ratio": 2.0}) == []


def test_what_was_told_is_in_what_was_measured(tmp_path: Path) -> None:
    torch.save(torch_model().state_dict(), tmp_path / "model.pt")
    imported, _ = convert(tmp_path / "model.pt", tmp_path / "out", None, "glassformer", Facts(**told()))
    assert "with the options as you gave them" in imported.measured
