"""Killed at any moment and resumed, a run gives the same bits as without the kill."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from glassformer.errors import UserError
from tests.train.small_run import small_trainer, small_vocabularies
from tests.train.victim import heard, started

STEPS = 40
CHOICES: dict[str, Any] = dict(max_steps=STEPS, save_every=2, evaluate_every=5, dropout=0.3, average_last=3)


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def curve(folder: Path) -> list[tuple[int, str]]:
    """Every loss and score of a run, as exact numbers."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [(line["step"], (line["loss"] if "loss" in line else line["scores"]["valid_loss"]).hex()) for line in lines]


def assert_same_run(folder: Path, undisturbed: Path) -> None:
    assert curve(folder) == curve(undisturbed)
    last = f"checkpoints/step-{STEPS:08}"
    for name in ("model/model.safetensors", f"{last}/model.safetensors", f"{last}/training.safetensors"):
        assert (folder / name).read_bytes() == (undisturbed / name).read_bytes(), name


def kill_often(folder: Path, kills: int, seed: int) -> None:
    """Start, SIGKILL a few updates later, start again; let the last start run to its end."""
    dice = random.Random(seed)
    for _ in range(kills):
        with started(folder, **CHOICES) as (process, line):
            first = line.recv()
            if isinstance(first, int):
                heard(line, first + dice.randrange(4))
            process.kill()
            process.join()
    with started(folder, **CHOICES) as (process, line):
        while True:
            try:
                line.recv()
            except EOFError:
                break
        process.join()
        assert process.exitcode == 0


@pytest.mark.parametrize(("kills", "seed"), [(5, 0), pytest.param(20, 1, marks=pytest.mark.slow)])
def test_a_run_killed_again_and_again_gives_the_same_bits(tmp_path: Path, kills: int, seed: int) -> None:
    small_trainer(tmp_path / "undisturbed", **CHOICES).train()
    kill_often(tmp_path / "killed", kills, seed)
    assert_same_run(tmp_path / "killed", tmp_path / "undisturbed")
    leftovers = [path.name for path in (tmp_path / "killed").rglob(".*")]
    assert leftovers == []


@pytest.mark.parametrize(("stop", "optimizer"), [*((stop, "adamw") for stop in range(1, 9)), (3, "muon")])
def test_a_run_stopped_after_any_update_gives_the_same_bits(tmp_path: Path, stop: int, optimizer: str) -> None:
    choices = CHOICES | {"optimizer": optimizer}
    small_trainer(tmp_path / "undisturbed", **choices).train()
    small_trainer(tmp_path / "cut", **(choices | {"max_steps": stop, "evaluate_every": 1000})).train()
    resumed = small_trainer(tmp_path / "cut", **choices)
    resumed.resume()
    assert resumed.step == stop
    resumed.train()
    assert [value for value in curve(tmp_path / "cut") if value[0] > stop] == [
        value for value in curve(tmp_path / "undisturbed") if value[0] > stop
    ]


def test_a_broken_newest_checkpoint_costs_a_warning_and_a_few_updates(tmp_path: Path) -> None:
    small_trainer(tmp_path / "undisturbed", **CHOICES).train()
    small_trainer(tmp_path / "broken", **CHOICES).train()
    (tmp_path / "broken" / "checkpoints" / f"step-{STEPS:08}" / "training.safetensors").write_bytes(b"")
    resumed = small_trainer(tmp_path / "broken", **CHOICES)
    with pytest.warns(UserWarning, match=r"training\.safetensors has 0 bytes.*The checkpoint before it is taken"):
        resumed.resume()
    assert resumed.step == STEPS - 2
    resumed.train()
    assert_same_run(tmp_path / "broken", tmp_path / "undisturbed")


def test_a_finished_run_can_go_on_to_a_later_end(tmp_path: Path) -> None:
    small_trainer(tmp_path, max_steps=4).train()
    longer = small_trainer(tmp_path, max_steps=6)
    longer.resume()
    assert longer.train().step == 6


def test_another_machine_is_a_warning_that_exactness_is_gone(tmp_path: Path) -> None:
    small_trainer(tmp_path, max_steps=4).train()
    torch.set_num_threads(2)
    resumed = small_trainer(tmp_path, max_steps=6)
    with pytest.warns(UserWarning, match="not to the same bits as without the stop: threads was '1', is '2'"):
        resumed.resume()


def test_another_model_is_refused_by_the_name_of_its_choice(tmp_path: Path) -> None:
    small_trainer(tmp_path, max_steps=4, dropout=0.2).train()
    with pytest.raises(UserError, match=r"dropout=0\.5, but .*step-00000004 has 0\.2"):
        small_trainer(tmp_path, dropout=0.5).resume()


def test_another_vocabulary_is_refused(tmp_path: Path) -> None:
    small_trainer(tmp_path, max_steps=4).train()
    other = small_trainer(tmp_path)
    files = small_vocabularies().src.to_json().replace('"a"', '"z"')
    other.keeper.vocabularies = small_vocabularies()._replace(src=type(small_vocabularies().src).from_json(files))
    with pytest.raises(UserError, match=r"tokenizer\.src\.json is not the vocabulary of this run"):
        other.resume()


@pytest.mark.parametrize("kind", ["missing", "unknown"])
def test_a_training_state_that_does_not_fit_is_refused(tmp_path: Path, kind: str) -> None:
    from glassformer.checkpoint import TrainingState, read_training
    from glassformer.train.state import unpack

    trainer = small_trainer(tmp_path, max_steps=4)
    trainer.train()
    state = read_training(tmp_path / "checkpoints" / "step-00000004")
    tensors = dict(state.tensors)
    if kind == "missing":
        del tensors["exp_avg.fc_out.bias"]
    else:
        tensors["exp_avg.fc_outt"] = torch.ones(1)
    with pytest.raises(UserError, match=r"exp_avg\.fc_out.* is missing or unknown"):
        unpack(TrainingState(facts=state.facts, tensors=tensors), trainer.model, trainer.optimizer)
    with pytest.raises(UserError, match=r"training\.json does not fit: stepp"):
        unpack(TrainingState(facts=state.facts | {"stepp": 1}, tensors={}), trainer.model, trainer.optimizer)
