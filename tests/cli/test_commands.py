"""The commands as people use them."""

import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from glassformer.checkpoint import load, save
from glassformer.cli import main
from glassformer.data import DataSet
from tests.cli.conftest import Cli

COMMANDS = [
    "demo",
    "train",
    "translate",
    "evaluate",
    "models",
    "convert",
    "compare",
    "shapes",
    "masks",
    "attention",
    "look",
    "learn",
    "why",
    "diagnose",
]


def test_help_lists_every_command_and_imports_no_torch() -> None:
    program = (
        "import sys; sys.argv = ['glassformer', '--help']\n"
        "from glassformer.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('HEAVY' if {'torch', 'numpy', 'tokenizers', 'sacrebleu'} & set(sys.modules) else 'LIGHT')"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert all(command in said for command in COMMANDS)
    assert said.rstrip().endswith("LIGHT")


# The checker's processes have one thread each, confusions and comparisons are a few numbers in float64, and a list or a
# copy computes nothing.
@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in ("learn", "why", "models", "convert", "compare")])
def test_every_command_takes_device_and_threads_and_explains_itself(cli: Cli, command: str) -> None:
    answer = cli(command, "--help")
    assert answer.code == 0
    assert "--device" in answer.out
    assert "--threads" in answer.out


def test_a_help_text_breaks_where_the_terminal_ends_and_its_code_stays_as_it_is() -> None:
    program: Any = typer.main.get_command(main.app)
    commands = [*program.commands.values(), *program.commands["learn"].commands.values()]
    assert len(commands) > len(COMMANDS)
    for command in commands:
        assert not re.search(r"\S\n\S", command.help), command.name
    assert "def build():\n        return" in program.commands["diagnose"].help


def test_no_name_of_an_option_is_cut_off_at_80_columns(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert not [command for command in COMMANDS if "…" in cli(command, "--help").out]


def test_masks_says_what_each_row_sees_and_is_asked_for(cli: Cli) -> None:
    answer = cli("masks", "I love deep learning")
    assert answer.code == 0
    spaced = " ".join(answer.out.split())
    assert "row <s>: sees <s>, asked for I" in spaced
    assert "row I: sees <s> I, asked for love" in spaced
    assert "row learning: sees <s> I love deep learning, asked for </s>" in spaced
    assert "[1, 0, 0, 0, 0, 0, 0]" in answer.out, "0 and 1 in the origin's order, two columns of padding more"
    assert "future" in answer.out
    assert "padding" in answer.out


def test_masks_as_json_are_the_tensors(cli: Cli) -> None:
    answer = cli("masks", "a b", "--pad-to", "5", "--json")
    masks = json.loads(answer.out)["masks"]
    assert masks[-1]["numbers"] == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 0],
    ]


def test_the_device_is_announced_in_one_line(cli: Cli) -> None:
    assert cli("masks", "a", "--device", "cpu", "--threads", "1").err == "device: cpu (1 threads)\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["masks", ""], "the sentence is empty"),
        (["masks", "a b c", "--pad-to", "2"], "pad_to=2 is less than"),
        (["masks", "a", "--device", "abacus"], "--device abacus cannot be used here"),
        (["train", "pronunce"], "unknown run 'pronunce'. Did you mean pronounce"),
        (["train", "reverse", "--embed-sise", "8"], "Did you mean --embed-size"),
        (["train", "reverse", "--embed-size", "many"], "embed_size='many' does not fit"),
        (["train", "reverse", "--heads", "7", "--dry-run"], "heads=7 does not divide embed_size=64"),
        (["train"], "name a run"),
        (["train", "--src", "x.txt"], "--src and --trg go together"),
        (["train", "reverse", "--resume", "--out", "nowhere"], "holds no checkpoint to resume"),
        (["translate", "nowhere"], "nowhere"),
        (["train", "reverse", "--dryrun"], "Did you mean --dry-run"),
        (["train", "reverse", "--thread", "1"], "Did you mean --threads"),
        (["train", "reverse", "--embed-size"], "--embed-size needs a value"),
        (["evaluate", "nowhere"], "nowhere"),
        (["shapes", "nowhere", "a"], "nowhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_users_mistake_is_one_message_and_exit_code_2(
    cli: Cli, words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GLASSFORMER_CACHE", str(tmp_path / "cache"))
    answer = cli(*words)
    assert answer.code == 2
    assert message in " ".join(answer.err.split())
    assert "Traceback" not in answer.err


def test_a_dry_run_shows_the_plan_and_every_setting_and_trains_nothing(cli: Cli, tmp_path: Path, trained: Path) -> None:
    answer = cli("train", "reverse", "--out", str(tmp_path / "run"), "--dry-run", "--dropout", "0.25")
    assert answer.code == 0
    for part in (
        "parameters",
        "tokens per epoch",
        "memory",
        "time",
        "--embed-size",
        "--learning-rate",
        "--decoding-beam",
    ):
        assert part in answer.out
    assert "0.25" in next(line for line in answer.out.splitlines() if "--dropout" in line)
    assert not (tmp_path / "run").exists()


def test_a_run_that_is_there_is_not_overwritten(cli: Cli, trained: Path) -> None:
    answer = cli("train", "reverse", "--out", str(trained))
    assert answer.code == 2
    assert "holds a run already" in answer.err


def test_translate_answers_line_for_line_and_keeps_empty_lines(
    cli: Cli, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a b c\n\nd e\n"))
    answer = cli("translate", str(trained))
    assert answer.code == 0
    lines = answer.out.split("\n")
    assert len(lines) == 4
    assert lines[1] == ""
    assert lines[3] == ""


def test_translate_from_file_to_file(cli: Cli, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes("\ufeffa b c\r\nd\r\n".encode())
    answer = cli("translate", str(trained), "-i", str(tmp_path / "in"), "-o", str(tmp_path / "out"))
    assert (answer.code, answer.out) == (0, "")
    assert (tmp_path / "out").read_text().count("\n") == 2


def test_translate_never_writes_over_its_own_text_and_names_a_place_that_is_not_there(
    cli: Cli, trained: Path, tmp_path: Path
) -> None:
    text = tmp_path / "in"
    text.write_text("a b c\n")
    for place, part in ((text, "would be lost"), (tmp_path / "no" / "out", "cannot be written: No such file")):
        answer = cli("translate", str(trained), "-i", str(text), "-o", str(place))
        assert answer.code == 2
        assert part in answer.err
        assert "Traceback" not in answer.err
    assert text.read_text() == "a b c\n"


def test_translate_as_json_gives_scores(cli: Cli, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a b\n"))
    answer = cli("translate", str(trained), "--json", "--n-best", "2")
    found = json.loads(answer.out)
    assert found["source"] == "a b"
    assert len(found["hypotheses"]) == 2
    assert found["hypotheses"][0]["score"] >= found["hypotheses"][1]["score"]


def test_several_answers_are_looked_for_with_the_models_own_beam(
    cli: Cli, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load(trained)
    wide = replace(loaded.config, decoding=loaded.config.decoding | {"beam": 6})
    save(tmp_path / "wide", loaded.model, loaded.vocabularies, wide)
    answers = []
    for more in ([], ["--beam", "6"], ["--beam", "2"]):
        monkeypatch.setattr("sys.stdin", io.StringIO("a b c d e f g h\n"))
        answers.append(cli("translate", str(tmp_path / "wide"), "--n-best", "2", *more).out)
    assert answers[0] == answers[1]
    assert answers[0] != answers[2], "a narrow beam finds others here"


def test_streaming_gives_the_same_text(cli: Cli, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = []
    for more in ([], ["--stream"]):
        monkeypatch.setattr("sys.stdin", io.StringIO("a b c d\n"))
        answers.append(cli("translate", str(trained), *more).out)
    assert answers[0] == answers[1]


def test_shapes_names_tensors_axes_sizes_and_source_lines(cli: Cli, trained: Path) -> None:
    answer = cli("shapes", str(trained), "a b c", "--target", "c b a")
    assert answer.code == 0
    for part in ("energy", "n h q k", "queries", "attention.py", "logits"):
        assert part in answer.out
    rows = json.loads(cli("shapes", str(trained), "a b c", "--target", "c b a", "--json").out)
    energy = next(row for row in rows if row["name"] == "decoder.layers.0.cross_attention.energy")
    assert energy["axes"] == ["n", "h", "q", "k"]
    assert energy["sizes"] == [1, 4, 4, 4], "one sentence, 4 heads, <s> c b a asks, a b c </s> answers"


def test_resume_goes_on_from_the_saved_step(cli: Cli, tmp_path: Path, trained: Path) -> None:
    folder = str(tmp_path / "run")
    few = ("--valid-sentences", "20", "--threads", "1")
    assert cli("train", "reverse", "--out", folder, "--max-steps", "10", *few).code == 0
    assert cli("train", "reverse", "--out", folder, "--resume", "--max-steps", "15", *few).code == 0
    steps = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert max(step["step"] for step in steps) == 15
    refused = cli("train", "sort", "--out", folder, "--resume")
    assert refused.code == 2
    assert "holds a run of reverse, not of sort" in refused.err


def test_your_own_two_files_train(cli: Cli, tmp_path: Path, trained: Path) -> None:
    words = [f"{a}{b}{c}" for a in "abcdefgh" for b in "ijklmnop" for c in "qrstuv"]
    (tmp_path / "src").write_text("".join(f"the {word} sleeps\n" for word in words) + "no answer\n\n")
    (tmp_path / "trg").write_text("".join(f"{word} dort\n" for word in words) + "\n\n")
    answer = cli(
        "train", "--src", str(tmp_path / "src"), "--trg", str(tmp_path / "trg"), "--out", str(tmp_path / "run"),
        "--max-steps", "3", "--vocab-size", "400", "--embed-size", "16", "--heads", "2", "--valid-sentences", "5",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert "dropped: 2 empty, 0 too long" in answer.err
    assert (tmp_path / "run" / "model" / "model.safetensors").exists()


def test_the_demo_trains_scores_and_draws(
    cli: Cli, tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("valid_references", "test_references"):  # a model of three seconds writes to its limit each time
        whole = getattr(DataSet, part)
        monkeypatch.setattr(DataSet, part, lambda self, whole=whole: whole(self)[:40])
    answer = cli("demo", "--minutes", "0.05", "--out", str(tmp_path / "demo"))
    assert answer.code == 0, answer.err
    for part in (
        "held out",
        "phonemes wrong (PER)",
        "the dictionary says",
        "energy",
        "asked for",
        "cross_attention",
        "What to try",
    ):
        assert part in answer.out
    assert (tmp_path / "demo" / "model" / "model.safetensors").exists()
    page = tmp_path / "demo" / "page.html"
    assert str(page) in answer.out.replace("\n", "")
    assert '"role": "checkpoint"' in page.read_text(encoding="utf-8")
