"""The commands of the guide to convert run as they stand there, each into a folder of its own."""

import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from glassformer.checkpoint import Config, load, save
from glassformer.exchange import ctranslate2, marian
from tests.cli.conftest import Cli
from tests.docs.pages import blocks, read
from tests.exchange.origin_model import origin_model
from tests.exchange.small import VOCABULARIES, float_model
from tests.exchange.test_joeynmt import write_folder
from tests.exchange.torch_model import torch_model

pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")

COMMANDS = [shlex.split(line) for block in blocks(read("guides/convert.md"), "sh") for line in block.splitlines()]
CONVERSIONS = [words[1:] for words in COMMANDS if words[1] == "convert"]
LIBRARIES = {"ct2-folder": "ctranslate2", "ctranslate2": "ctranslate2", "onnx": "onnx"}  # a word -> what it needs


def saved(folder: Path, **choices: Any) -> None:
    model = float_model(**choices)
    save(folder, model, VOCABULARIES, Config(model=model.config, data={}, decoding={}, run={}))


def make_what_the_guide_converts() -> None:
    """Small models under the names that stand in the guide, in the folder of the test."""
    sizes = dict(embed_size=16, heads=8)
    torch.save(origin_model().state_dict(), "origin.pt")
    torch.save({"state_dict": torch_model(**sizes).state_dict(), "epoch": 3}, "tutorial.pth.tar")
    torch.save(torch_model(positions="learned", scale=False, **sizes).state_dict(), "plain.pt")
    masked = torch_model(norm="pre", activation="gelu", positions="computed", scale=False, **sizes)
    masked.register_buffer("causal_mask", torch.full((9, 9), float("-inf")).triu(1))
    torch.save(masked.state_dict(), "masked.pt")
    saved(Path("runs/en-fr"), norm="pre", positions="sinusoidal")
    saved(Path("runs/reverse"), positions="sinusoidal")
    marian.export(float_model(positions="sinusoidal"), VOCABULARIES, Path("marian-folder"))
    Path("joeynmt-folder").mkdir()
    write_folder(Path("joeynmt-folder"), {}, {}, {})
    if find_spec("ctranslate2"):
        ctranslate2.export(float_model(), VOCABULARIES, Path("ct2-folder"))


def test_every_conversion_in_the_guide_is_written(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "transformers", None)  # what it would measure is tested elsewhere, and slow
    make_what_the_guide_converts()
    assert len(CONVERSIONS) >= 13
    assert len({words[2] for words in CONVERSIONS}) == len(CONVERSIONS), "one OUT each"
    for words in CONVERSIONS:
        if all(find_spec(LIBRARIES[word]) for word in words if word in LIBRARIES):
            answer = cli(*words)
            assert answer.code == 0, f"{' '.join(words)}: {answer.err}"
            assert f"wrote {words[2]} (" in answer.out
    assert load("back-again").model.config == load("runs/en-fr").model.config
