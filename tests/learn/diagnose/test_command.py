"""`glassformer diagnose FILE.py:build`: what it prints, its exit codes, and what it says of a user's mistakes."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from glassformer.cli import diagnose as command
from glassformer.errors import UserError
from glassformer.learn.diagnose import load_build

MINE = """
from torch import nn
from glassformer.learn.diagnose import Adapter
from glassformer.learn.zoo import plant
from glassformer.model.transformer import Transformer

SIZES = dict(embed_size=12, num_layers=1, forward_expansion=2, heads=3, max_length=16)

def build():
    return Transformer(13, 11, 2, 3, **SIZES)

def leaking():
    return plant(build(), "no-look-ahead")

def with_adapter():
    return build(), Adapter(start_idx=3)

def raising():
    width = 0
    return 1 / width

def nothing():
    pass

def half_said():
    return build(), 3

def other():
    return nn.Linear(3, 3)
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(MINE, encoding="utf-8")
    return file


def run(*arguments: Any) -> Result:
    app = typer.Typer(rich_markup_mode="rich")
    app.command("diagnose")(command.diagnose)
    return CliRunner().invoke(app, [*map(str, arguments), "--device", "cpu", "--threads", "1"])


def test_a_right_model_is_exit_code_0(mine: Path) -> None:
    result = run(f"{mine}:build")
    assert result.exit_code == 0
    assert "calls it as model(src, trg)" in result.output
    assert "padding of the source: 2 (model.config.src_pad_idx)" in result.output
    assert "No finding." in result.output
    assert "rows 15, 19, 20, 21, 27" in result.output


def test_a_finding_is_exit_code_1_with_all_there_is_to_say(mine: Path) -> None:
    result = run(f"{mine}:leaking")
    assert result.exit_code == 1
    for words in (
        "future-leak",
        "was exchanged from",
        "jadore801120/attention-is-all-you-need-pytorch#19",
        "glassformer learn run 03, and glassformer why 11",
    ):
        assert words in result.output


def test_json_holds_the_same(mine: Path) -> None:
    result = run(f"{mine}:leaking", "--json")
    answer = json.loads(result.stdout)
    assert result.exit_code == 1
    assert answer["findings"][0].keys() == {"name", "title", "witness", "meaning", "thread", "exercise", "row"}
    assert answer["findings"][0]["name"] == "future-leak"
    assert answer["held"]
    assert answer["unchecked"]
    assert answer["not_visible"].keys() == {"15", "19", "20", "21", "27"}


def test_options_are_the_adapters_values(mine: Path) -> None:
    result = run(f"{mine}:build", "--src-pad-idx", 5, "--json")
    assert [finding["name"] for finding in json.loads(result.stdout)["findings"]] == ["wrong-pad-id"]
    assert "start-is-padding" in run(f"{mine}:with_adapter").output


def test_a_model_that_cannot_be_called_is_exit_code_3_and_says_what_to_write(mine: Path) -> None:
    result = run(f"{mine}:other")
    assert result.exit_code == 3
    assert "from glassformer.learn.diagnose import Adapter" in result.output
    assert "could_not_be_checked" in json.loads(run(f"{mine}:other", "--json").stdout)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("absent.py:build", r"there is no file absent.py. Write it as FILE.py:build"),
        ("{mine}:builder", r"mine.py has no function builder: .*Did you mean build"),
        ("{mine}:raising", r"mine.py, line 20, `return 1 / width`: ZeroDivisionError: division by zero$"),
        ("{mine}:nothing", r"nothing\(\) in mine.py returned nothing \(None\), not a torch.nn.Module"),
        ("{mine}:half_said", r"a module and a int: the second must be an Adapter"),
    ],
)
def test_a_users_mistake_names_the_line_and_the_way_out(mine: Path, place: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        load_build(place.format(mine=mine))
    assert isinstance(run(place.format(mine=mine)).exception, UserError)  # main() shows it with exit code 2


def test_a_file_that_does_not_run_is_shown_by_its_line(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text("import torch\ndef build(:\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"broken.py, line 2: .*: def build\(:"):
        load_build(f"{file}:build")
    file.write_text("import torch\ntorch.zeros(2) @ torch.zeros(3)\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"broken.py, line 2, `torch.zeros\(2\) @ torch.zeros\(3\)`: RuntimeError"):
        load_build(f"{file}:build")


def test_build_is_the_default_and_files_beside_it_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "beside_diagnosed.py").write_text("WIDTH = 3\n", encoding="utf-8")
    file = tmp_path / "model.py"
    file.write_text(
        "from torch import nn\nfrom beside_diagnosed import WIDTH\n"
        "def build():\n    return nn.Linear(WIDTH, 2)\ndef loss(model, src, trg):\n    return 0\n",
        encoding="utf-8",
    )
    built = load_build(str(file))
    assert built.model.in_features == 3
    assert built.loss is not None


def test_help_teaches_by_an_example_and_says_that_the_file_is_executed() -> None:
    text = run("--help").output
    for words in ("mine.py:build", "executed", "Adapter(call=", "Exit codes"):
        assert words in text
