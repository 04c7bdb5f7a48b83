"""`glassformer attention`, and the files that it, `masks` and `shapes` write."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli


def test_it_shows_the_last_cross_attention_and_what_its_heads_do(cli: Cli, trained: Path) -> None:
    answer = cli("attention", str(trained), "a b c", "--target", "c b a")
    assert answer.code == 0, answer.err
    assert "decoder.layers.1.cross_attention.attention   mean of all heads" in answer.out
    lines = {line.split()[0]: line for line in answer.out.splitlines() if line.strip()}
    assert lines["asks"].split()[2:] == ["a", "b", "c", "</s>"]
    assert {"<s>", "a", "b", "c"} <= set(lines)
    assert answer.out.count(" of 2.0") == 4, "four heads, four words to look at: two bits at most"


def test_one_head_of_one_layer_of_one_part(cli: Cli, trained: Path) -> None:
    answer = cli("attention", str(trained), "a b", "--part", "encoder", "--layer", "0", "--head", "2")
    assert answer.out.startswith("encoder.layers.0.self_attention.attention   head 2\n")


def test_all_layers_and_heads_one_after_the_other(cli: Cli, trained: Path) -> None:
    answer = cli("attention", str(trained), "a b", "--part", "decoder", "--layer", "all", "--head", "all")
    titles = [line.split()[0] for line in answer.out.splitlines() if ".attention" in line]
    assert titles == [f"decoder.layers.{layer}.self_attention.attention" for layer in (0, 1) for _ in range(4)]


def test_heads_alone_are_those_of_the_whole_model(cli: Cli, trained: Path) -> None:
    answer = cli("attention", str(trained), "a b", "--heads")
    assert "↓" not in answer.out
    assert [line.split()[0] for line in answer.out.splitlines() if "attention:" in line] == [
        "Encoder",
        "Decoder",
        "Cross-attention:",
    ]


def test_as_json_the_rows_add_up(cli: Cli, trained: Path) -> None:
    found = json.loads(cli("attention", str(trained), "a b c", "--target", "c b a", "--head", "all", "--json").out)
    assert found["source"] == ["a", "b", "c", "</s>"]
    assert found["target"] == ["<s>", "c", "b", "a"]
    assert [picture["head"] for picture in found["maps"]] == [0, 1, 2, 3]
    assert all(sum(row) == pytest.approx(1, abs=1e-5) for picture in found["maps"] for row in picture["weights"])
    assert [row["head"] for row in found["heads"]] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--part", "middle"], "take one of cross, decoder, encoder"),
        (["--layer", "7"], "layer=7 is not in the cross part: it has layers 0 to 1"),
        (["--layer", "first"], "--layer first is no layer: give its number, counted from 0, or last or all"),
        (["--head", "9"], "head=9 is not in"),
        (["--head", "best"], "--head best is no head"),
        (["--out", "a.pdf"], "must end in .html, .png, .svg, .txt"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(cli: Cli, trained: Path, options: list[str], message: str) -> None:
    answer = cli("attention", str(trained), "a b", *options)
    assert answer.code == 2
    assert message in " ".join(answer.err.split())


@pytest.mark.parametrize(
    ("words", "ending"),
    [
        (["attention", "MODEL", "a b"], "png"),
        (["attention", "MODEL", "a b", "--layer", "all", "--head", "all"], "svg"),
        (["attention", "MODEL", "a b", "--heads"], "svg"),
        (["attention", "MODEL", "a b"], "html"),
        (["shapes", "MODEL", "a b"], "svg"),
        (["shapes", "MODEL", "a b"], "txt"),
        (["masks", "I love <b>"], "png"),
        (["masks", "I love <b>"], "svg"),
        (["masks", "I love <b>"], "html"),
    ],
)
def test_files_are_written_and_named(cli: Cli, trained: Path, tmp_path: Path, words: list[str], ending: str) -> None:
    path = tmp_path / f"picture.{ending}"
    answer = cli(*(str(trained) if word == "MODEL" else word for word in words), "--out", str(path))
    assert (answer.code, answer.out) == (0, ""), answer.err
    assert f"wrote {path}" in answer.err
    start = {"png": b"\x89PNG", "svg": b"<", "html": b"<!doctype html>", "txt": b""}[ending]
    assert path.read_bytes().startswith(start)
    assert b"<b>" not in path.read_bytes()


def test_a_picture_of_shapes_is_no_photograph(cli: Cli, trained: Path) -> None:
    answer = cli("shapes", str(trained), "a b", "--out", "a.png")
    assert answer.code == 2
    assert ".html, .svg, .txt" in answer.err


def test_masks_show_the_three_aligned_rows(cli: Cli) -> None:
    lines = cli("masks", "I love", "--pad-to", "5").out.splitlines()[-3:]
    assert [line[19:].split() for line in lines] == [
        ["<s>", "I", "love", "</s>", "<pad>"],
        ["I", "love", "</s>", "<pad>", "<pad>"],
        ["yes", "yes", "yes", "no", "no"],
    ]
