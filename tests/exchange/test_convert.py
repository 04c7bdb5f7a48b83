"""`glassformer convert`: what comes in is used by every command, what goes out comes back, mistakes are one message."""

from pathlib import Path
from typing import Any

import pytest
import torch

from glassformer.checkpoint import Config, load, save
from tests.cli.conftest import Cli
from tests.exchange.origin_model import origin_model
from tests.exchange.small import VOCABULARIES, float_model
from tests.exchange.torch_model import torch_model

pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")

IDS = ["--src-pad", "0", "--trg-pad", "0", "--start", "1", "--end", "2"]
TORCH = ["--heads", "3", "--norm", "post", "--activation", "relu", "--scale-embeddings"]


@pytest.fixture
def origin_file(tmp_path: Path) -> str:
    torch.save(origin_model().state_dict(), tmp_path / "origin.pt")
    return str(tmp_path / "origin.pt")


def saved_model(folder: Path, **choices: Any) -> Path:
    model = float_model(**choices)
    save(folder, model, VOCABULARIES, Config(model=model.config, data={}, decoding={}, run={}))
    return folder


def test_the_origins_weights_become_a_model_that_translates(cli: Cli, origin_file: str, tmp_path: Path) -> None:
    answer = cli("convert", origin_file, str(tmp_path / "out"), *IDS)
    assert answer.code == 0, answer.err
    assert f"and {len(torch.load(origin_file)) - 6} more: --verbose" in answer.out
    assert "note: a source of padding alone" in answer.out
    assert "measured: logits of 8 random sentences by the source's own formulas, with the options as" in answer.out
    assert "wrote" in answer.out
    assert "(glassformer, from origin)" in answer.out
    (tmp_path / "in").write_text("5 6 7\n")
    translated = cli("translate", str(tmp_path / "out"), "-i", str(tmp_path / "in"))
    assert translated.code == 0, translated.err
    assert all(word.isdecimal() for word in translated.out.split())
    assert load(tmp_path / "out").config.run == {"converted_from": "origin"}


def test_verbose_names_every_tensor(cli: Cli, origin_file: str, tmp_path: Path) -> None:
    said = cli("convert", origin_file, str(tmp_path / "out"), *IDS, "--verbose").out
    assert all(f"{name} -> " in said for name in torch.load(origin_file))


def test_out_to_torch_and_back_is_the_same_model(cli: Cli, tmp_path: Path) -> None:
    model = saved_model(tmp_path / "ours", final_norms=True, positions="learned")
    assert cli("convert", str(model), str(tmp_path / "torch"), "--to", "torch").code == 0
    config = load(model).model.config
    back = cli(
        "convert", str(tmp_path / "torch" / "model.safetensors"), str(tmp_path / "back"), "--norm", config.norm,
        "--activation", config.activation, "--heads", str(config.heads), "--no-scale-embeddings",
        "--src-vocab", str(tmp_path / "torch" / "tokenizer.src.json"),
        "--trg-vocab", str(tmp_path / "torch" / "tokenizer.trg.json"),
    )  # fmt: skip
    assert back.code == 0, back.err
    ours, again = (load(folder) for folder in (model, tmp_path / "back"))
    assert again.vocabularies.src.to_json() == ours.vocabularies.src.to_json()
    weights = ours.model.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in again.model.state_dict().items())


def test_torch_is_seen_from_its_names(cli: Cli, tmp_path: Path) -> None:
    torch.save({"model_state_dict": torch_model().state_dict(), "epoch": 3}, tmp_path / "model.pt")
    answer = cli("convert", str(tmp_path / "model.pt"), str(tmp_path / "out"), *IDS, *TORCH)
    assert answer.code == 0, answer.err
    assert "(glassformer, from torch)" in answer.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["origin.pt", "out"], "--src-pad (which source id fills up short sentences); --trg-pad"),
        (
            ["origin.pt", "out", *IDS, "--from", "origin2"],
            "unknown format to convert from 'origin2'. Did you",
        ),
        (["origin.pt", "out", *IDS, "--to", "torhc"], "unknown format to convert to 'torhc'. Did you mean torch"),
        (["origin.pt", "out", *IDS, "--from", "torch"], "has 0 encoders of nn.Transformer"),
        (["origin.pt", "full", *IDS], "full is there already, and would be lost"),
        (["origin.pt", "full", *IDS, "--to", "torch"], "full is there already, and would be lost"),
        (["origin.pt", "out", *IDS, "--quantization", "int8"], "is for --to ctranslate2 alone"),
        (["origin.pt", "out", *IDS, "--names", "encoder"], "--names 'encoder' does not fit: write part=name"),
        (["origin.pt", "out", *IDS, "--norm", "pre"], "--norm was given, and a model from origin has no choice there"),
        (["other.pt", "out", *IDS], "looks like none of the formats that are read"),
        (["nowhere.pt", "out", *IDS], "nowhere.pt is no file and no folder here. As a model's name: unknown model"),
        (["torch.pt", "out", *IDS, *TORCH, "--leave", "mask"], "unknown tensor of torch.pt in --leave 'mask'"),
        (["full", "out", *IDS], "looks like none of the formats that are read"),
        (["torch.pt", "out", *IDS, *TORCH, "--norm", "past"], "unknown --norm 'past'. Did you mean post"),
        (["torch.pt", "out", *IDS, *TORCH, "--heads", "5"], "heads=5 does not divide embed_size=12"),
    ],
    ids=lambda value: " ".join(value[:1] + value[-2:]) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_message_and_nothing_is_written(
    cli: Cli, words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(origin_model().state_dict(), "origin.pt")
    torch.save(torch_model().state_dict(), "torch.pt")
    torch.save({"a": torch.ones(2)}, "other.pt")
    Path("full").mkdir()
    Path("full", "diary").write_text("dear diary")
    before = sorted(tmp_path.rglob("*"))
    answer = cli("convert", *words)
    assert answer.code == 2
    assert message in " ".join(answer.err.split())
    assert "Traceback" not in answer.err
    assert sorted(tmp_path.rglob("*")) == before


def test_what_torch_cannot_hold_is_refused_before_anything_is_written(cli: Cli, tmp_path: Path) -> None:
    model = saved_model(tmp_path / "ours", decoder_heads=3)
    answer = cli("convert", str(model), str(tmp_path / "out"), "--to", "torch")
    assert answer.code == 2
    assert "decoder_heads makes 3" in answer.err
    assert not (tmp_path / "out").exists()
