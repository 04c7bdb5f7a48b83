"""The cheat: a run with a planted mistake, and the two shipped sisters that it tells apart."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from glassformer.checkpoint import read_config
from glassformer.cli.train import saved_recipe
from glassformer.data import open_dataset
from glassformer.look.pack import Shown
from glassformer.look.sisters import sisters
from glassformer.runs.experiment import prepare
from glassformer.runs.named import named_recipe
from glassformer.runs.recipe import as_dict, changed, from_dict
from glassformer.runs.sisters import measure
from tests.properties import future_leak

LARGEST = 100_000  # parameters
POINTS = 0.5  # of a percentage: another machine's last digits may turn a near tie


@pytest.fixture(scope="module")
def both() -> dict[str, Shown]:
    return sisters()


def test_a_recipe_written_before_there_were_faults_has_none() -> None:
    values = as_dict(named_recipe("reverse"))
    del values["fault"]
    assert from_dict(values).fault is None


def test_a_run_cheats_from_its_start_and_after_a_resume(tmp_path: Path) -> None:
    small = {"embed_size": 8, "num_layers": 1, "heads": 2, "max_steps": 2, "valid_sentences": 2, "save_every": 1}
    recipe = changed(named_recipe("reverse-cheating"), small)
    run = prepare(recipe, cache_folder=tmp_path / "cache")
    run.trainer(tmp_path / "run", torch.device("cpu")).train()
    again = replace(run, recipe=saved_recipe(tmp_path / "run", run.recipe.name))
    assert again.recipe == recipe
    assert future_leak(run.build_model()) > 0
    assert future_leak(again.build_model()) > 0
    assert read_config(tmp_path / "run" / "model").run["fault"] == "no-look-ahead"


def test_the_runs_differ_in_the_fault_alone() -> None:
    honest, cheating = named_recipe("reverse-honest"), named_recipe("reverse-cheating")
    assert replace(cheating, name=honest.name, fault=None) == honest


def test_the_shipped_sisters_are_those_of_the_runs(both: dict[str, Shown]) -> None:
    for name, sister in both.items():
        assert from_dict(sister.loaded.config.run) == named_recipe(f"reverse-{name}")
        assert sum(parameter.numel() for parameter in sister.loaded.model.parameters()) <= LARGEST
        assert sister.facts["cheats"] == (name == "cheating")


@pytest.mark.parametrize("name", ["honest", "cheating"])
def test_measured_again_the_sisters_give_the_figures_of_the_page(both: dict[str, Shown], name: str) -> None:
    sister, dataset = both[name], open_dataset("reverse")
    for figure, value in measure(sister.loaded, dataset).items():
        assert abs(value - sister.facts[figure]) <= POINTS, figure
    assert sister.facts["sentences"] == len(dataset.test_references())


def test_both_look_perfect_in_training_and_one_cannot_write(both: dict[str, Shown]) -> None:
    facts = {name: sister.facts for name, sister in both.items()}
    assert min(each["teacher_forced"] for each in facts.values()) > 90
    assert facts["honest"]["exact"] > 90
    assert facts["cheating"]["exact"] < 5
