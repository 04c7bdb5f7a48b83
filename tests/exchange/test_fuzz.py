"""Files that are cut, damaged or of another model: one clear error, or a whole model; never half a folder."""

import math
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from glassformer.checkpoint import load
from glassformer.errors import UserError
from glassformer.exchange.facts import Facts
from glassformer.exchange.formats import convert
from tests.exchange.damage import damaged
from tests.exchange.origin_model import origin_model
from tests.exchange.torch_model import told, torch_model
from tests.small import PAD

pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")

# Without these, or with other sizes of them, a file is a whole model all the same: other vocabularies, no output bias.
FREE = {"encoder.word_embedding.weight", "src_embedding.weight", "generator.bias", "pos_encoding"}
CHANGED, DAMAGED = 120, 60  # of each format, and of each format in each kind of file: 240 a format
IDS: dict[str, Any] = dict(src_pad=PAD, trg_pad=PAD, start=1, end=2)
SOURCES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "origin": (partial(origin_model, layers=1), IDS),
    "torch": (partial(torch_model, layers=1), told()),
}
Weights = dict[str, Tensor]


def renamed(weights: Weights, name: str, draw: random.Random) -> None:
    weights["lost.and.found"] = weights.pop(name)


def removed(weights: Weights, name: str, draw: random.Random) -> None:
    del weights[name]


def added(weights: Weights, name: str, draw: random.Random) -> None:
    weights[name.replace("weight", "gate").replace("bias", "gain")] = weights[name].clone()


def reshaped(weights: Weights, name: str, draw: random.Random) -> None:
    tensor = weights[name]
    others = [tensor[:-1], tensor[None], tensor.flatten()[1:], torch.cat([tensor, tensor]), tensor[:0]]
    weights[name] = draw.choice(others).clone()


def not_a_number(weights: Weights, name: str, draw: random.Random) -> None:
    weights[name].view(-1)[draw.randrange(weights[name].numel())] = draw.choice([math.nan, math.inf, -math.inf])


def of_another_model(weights: Weights, name: str, draw: random.Random) -> None:
    """A tensor somewhere else: what had the same name in another layer, or had another name."""
    other = draw.choice([key for key in weights if weights[key].shape != weights[name].shape])
    weights[name], weights[other] = weights[other], weights[name]


CHANGES = (renamed, removed, added, reshaped, not_a_number, of_another_model)


def attempt(form: str, path: Path, folder: Path, facts: dict[str, Any]) -> str | None:
    """The error's text, or None where a whole model was written; anything else that is raised fails the test."""
    try:
        convert(path, folder, form, "glassformer", Facts(**facts))
    except UserError as error:
        assert not folder.exists()
        return str(error)
    load(folder)
    return None


def places(folder: Path) -> Iterator[Path]:
    number = 0
    while True:
        yield folder / f"out{number}"
        number += 1


@pytest.mark.parametrize("form", SOURCES)
def test_a_changed_state_dict_is_refused_by_name(form: str, tmp_path: Path) -> None:
    make, facts = SOURCES[form]
    weights, draw, folders = make().state_dict(), random.Random(0), places(tmp_path)
    for number in range(CHANGED):
        changed = {name: tensor.clone() for name, tensor in weights.items()}
        name, change = draw.choice([key for key in changed if key not in FREE]), CHANGES[number % len(CHANGES)]
        change(changed, name, draw)
        save_file(changed, tmp_path / "model.safetensors")
        error = attempt(form, tmp_path / "model.safetensors", next(folders), facts)
        assert error, f"{change.__name__} {name}"
    assert not [path for path in tmp_path.iterdir() if path.name != "model.safetensors"]


@pytest.mark.parametrize("ending", ["safetensors", "pt"])
@pytest.mark.parametrize("form", SOURCES)
def test_a_damaged_file_is_refused_or_read_whole(form: str, ending: str, tmp_path: Path) -> None:
    make, facts = SOURCES[form]
    path, draw, folders = tmp_path / f"model.{ending}", random.Random(0), places(tmp_path)
    (torch.save if ending == "pt" else save_file)(make().state_dict(), path)
    whole = path.read_bytes()
    assert attempt(form, path, next(folders), facts) is None
    refused = 0
    for _ in range(DAMAGED):
        path.write_bytes(damaged(whole, draw))
        refused += attempt(form, path, next(folders), facts) is not None
    assert refused > DAMAGED // 2
    assert not list(tmp_path.glob(".*"))
