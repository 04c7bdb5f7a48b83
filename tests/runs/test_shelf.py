"""A run becomes a model that ships: what is scored is what was written, and the card says what was measured."""

import io
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console
from rich.markdown import Markdown
from safetensors.torch import load_file

from glassformer.checkpoint import load, save, shipped
from glassformer.data import DataSet, open_dataset
from glassformer.decode import DecodingConfig
from glassformer.errors import UserError
from glassformer.look.sisters import HOME
from glassformer.runs.card import About, read_card, table, training_command
from glassformer.runs.named import named_recipe
from glassformer.runs.recipe import changed, from_dict
from glassformer.runs.scoring import score_model
from glassformer.runs.shelf import ABOUT, folder_bytes, ship

MACHINE = "a machine | with a bar"
SPELL = About(name="spell", does="Letters in reverse", licence="MIT", cannot=("It knows ten letters.",), largest=10**6)
SENTENCES = 23


@pytest.fixture(autouse=True)
def few_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = DataSet.test_references
    monkeypatch.setattr(DataSet, "test_references", lambda self: whole(self)[:SENTENCES])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run that ended with the honest sister, and what it noted of its training."""
    shutil.copytree(HOME / "honest", tmp_path / "run" / "model")
    lines = ('{"step": 990, "loss": 0.1, "seconds": 3725.4}', '{"step": 1000, "scores": {"exact": 100.0}}')
    (tmp_path / "run" / "metrics.jsonl").write_text("\n".join(lines))
    return tmp_path / "run"


@pytest.mark.parametrize(("half", "dtype"), [(True, torch.float16), (False, torch.float32)])
def test_the_shelf_holds_the_weights_of_the_run_rounded_where_asked(
    run: Path, tmp_path: Path, half: bool, dtype: torch.dtype
) -> None:
    folder = ship(run, SPELL, machine=MACHINE, half=half, shelf=tmp_path / "shelf")
    assert folder == tmp_path / "shelf" / "spell"
    assert {tensor.dtype for tensor in load_file(folder / "model.safetensors").values()} == {dtype}
    stored = load(folder).model.state_dict()
    for name, weight in load(run).model.state_dict().items():
        assert torch.equal(stored[name], weight.to(dtype).float()), name
    assert list(folder.parent.iterdir()) == [folder]


def test_the_score_on_the_card_is_that_of_the_stored_weights(run: Path, tmp_path: Path) -> None:
    loaded = load(run)
    with torch.no_grad():  # numbers that half precision rounds to 0: the model that ships can no longer read
        loaded.model.encoder.word_embedding.weight.mul_(1e-9)
        loaded.model.decoder.word_embedding.weight.mul_(1e-9)
    save(run / "model", *loaded)
    card = read_card(ship(run, SPELL, machine=MACHINE, half=True, shelf=tmp_path / "shelf"))
    again = load(tmp_path / "shelf" / "spell")
    pairs = open_dataset("reverse").test_references()
    assert card.scores == score_model(again.model, again.vocabularies, pairs, ["exact"], DecodingConfig())


def test_the_card_says_what_was_measured(run: Path, tmp_path: Path) -> None:
    folder = ship(run, SPELL, machine=MACHINE, half=True, shelf=tmp_path / "shelf")
    card, dataset = read_card(folder), open_dataset("reverse")
    assert (card.does, card.licence) == (SPELL.does, SPELL.licence)
    assert card.parameters == sum(weight.numel() for weight in load(folder).model.parameters())
    for part in (
        f"| parameters | {card.parameters:,} |",
        f"| split | {dataset.identity['split']} |",
        f"test {dataset.identity['counts']['test']:,}",
        f"{SENTENCES} test sources",
        f"exact **{card.scores[0].value:.2f}** `{card.scores[0].signature}`",
        "    glassformer evaluate spell",
        "    glassformer train reverse-honest\n",
        f"1,000 updates in 1:02:05 on {MACHINE}, seed 1",
        "- It knows ten letters.",
    ):
        assert part in card.text, part


def test_examples_are_chosen_by_their_place_and_wrong_ones_stay(run: Path, tmp_path: Path) -> None:
    loaded = load(run)
    with torch.no_grad():
        loaded.model.fc_out.bias.normal_(generator=torch.Generator().manual_seed(0))
    save(run / "model", *loaded)
    card = read_card(ship(run, SPELL, machine=MACHINE, half=False, shelf=tmp_path / "shelf"))
    rows = [line.split(" | ") for line in card.text.split("## Examples")[1].split("\n") if line.startswith("| ")][2:]
    pairs = open_dataset("reverse").test_references()
    assert [row[0].removeprefix("| ") for row in rows] == [source for source, _ in pairs[::2]][:10]
    for _, answer, reference, right in rows:
        assert right == ("yes |" if answer == reference else "no |")


def test_a_model_comes_in_place_of_the_one_before(run: Path, tmp_path: Path) -> None:
    first = ship(run, SPELL, machine="one", half=False, shelf=tmp_path / "shelf")
    before = folder_bytes(first)
    assert folder_bytes(ship(run, SPELL, machine="two", half=True, shelf=tmp_path / "shelf")) < before
    assert "on two" in read_card(first).text


@pytest.mark.parametrize("mistake", ["size", "data", "weight", "metrics"])
def test_what_cannot_ship_leaves_the_shelf_as_it_was(run: Path, tmp_path: Path, mistake: str) -> None:
    place = ship(run, SPELL, machine=MACHINE, half=True, shelf=tmp_path / "shelf")
    before = (place / "card.md").read_bytes()
    loaded, about = load(run), SPELL
    if mistake == "size":
        about = replace(SPELL, largest=1000)
    elif mistake == "data":
        loaded.config.data["split"] = "by the moon"
    elif mistake == "metrics":
        (run / "metrics.jsonl").unlink()
    else:
        with torch.no_grad():
            loaded.model.fc_out.bias[0] = 70_000
    save(run / "model", *loaded)
    messages = {"size": "and may have 1,000", "data": "by the moon", "weight": "65504", "metrics": "how long"}
    with pytest.raises(UserError, match=messages[mistake]):
        ship(run, about, machine=MACHINE, half=True, shelf=tmp_path / "shelf")
    assert (place / "card.md").read_bytes() == before
    assert list(place.parent.iterdir()) == [place]


def test_a_run_that_has_not_ended_does_not_ship(run: Path, tmp_path: Path) -> None:
    (run / "checkpoints").mkdir()
    (run / "model").rename(run / "checkpoints" / "step-00000500")
    with pytest.raises(UserError, match="is not there"):
        ship(run, SPELL, machine=MACHINE, half=True, shelf=tmp_path / "shelf")


def test_a_table_shows_what_a_model_wrote_as_it_is() -> None:
    answer = "<unk> *a* `b` \\ | c_d"
    drawn = io.StringIO()
    Console(file=drawn, width=80).print(Markdown(table(("answer", "right"), [(answer, "no"), ("two\nlines", "no")])))
    assert answer in drawn.getvalue()
    assert "two lines" in drawn.getvalue()


def test_the_command_of_a_run_names_what_differs_from_the_named_run() -> None:
    recipe = changed(
        named_recipe("reverse"), {"embed_size": 32, "max_minutes": "none", "decoding_forbidden_ids": "5,6"}
    )
    command = training_command(recipe)
    assert command == "glassformer train reverse --embed-size 32 --decoding-forbidden-ids 5,6"
    words = command.split()[3:]
    options = {name.removeprefix("--"): value for name, value in zip(words[::2], words[1::2], strict=True)}
    assert changed(named_recipe("reverse"), options) == recipe


@pytest.mark.parametrize("name", ABOUT)
def test_each_model_that_may_ship_is_described(name: str) -> None:
    about = ABOUT[name]
    assert about.name == name
    assert about.cannot
    assert about.largest <= 16_000_000


def test_what_ships_with_the_package_is_what_its_card_says_and_no_larger_than_it_may_be() -> None:
    for name, folder in shipped().items():
        card, loaded = read_card(folder), load(name)
        assert (card.does, card.licence) == (ABOUT[name].does, ABOUT[name].licence)
        assert card.parameters == sum(weight.numel() for weight in loaded.model.parameters())
        assert folder_bytes(folder) <= ABOUT[name].largest
        assert from_dict(loaded.config.run).data == loaded.config.data["name"]
