"""`glassformer compare` as people use it."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli


def test_two_models_stand_side_by_side(cli: Cli, trained: Path) -> None:
    answer = cli("compare", str(trained), "torch")
    assert answer.code == 0, answer.err
    said = " ".join(answer.out.split())
    for part in ("parameters", "FLOPs of a token", "source, encoder", "entropy of attention at the start", "if even"):
        assert part in said
    assert "projections" in said
    assert "With torch's weights in both, translated as glassformer convert does: logits differ by" in said


def test_as_json_it_holds_the_same_numbers(cli: Cli, trained: Path) -> None:
    answer = cli("compare", "tiny", str(trained), "--json")
    found = json.loads(answer.out)
    assert found["names"] == ["tiny", str(trained)]
    assert set(found["parameters"]) == {"embeddings", "encoder", "decoder", "output", "total"}
    assert set(found["entropy"]) == {"encoder", "decoder", "cross"}
    assert found["length"] == 20


def test_a_model_beside_itself_differs_in_nothing(cli: Cli, trained: Path) -> None:
    answer = cli("compare", str(trained), str(trained))
    assert "No choice and no formula differs." in answer.out
    assert "logits differ by 0 at most" in answer.out
    assert "Each with its own weights, logits differ by 0 " in answer.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compare", "tiny", "troch"], "unknown model, preset or code 'troch'. Did you mean torch"),
        (["compare", "torch", "origin-code"], "Name a model or a preset for one of them"),
        (["compare", "tiny", "./nowhere"], "nowhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_users_mistake_is_one_message(cli: Cli, words: list[str], message: str) -> None:
    answer = cli(*words)
    assert answer.code == 2
    assert message in " ".join(answer.err.split())
    assert "Traceback" not in answer.err


def test_sizes_of_vocabularies_are_told(cli: Cli) -> None:
    found = json.loads(cli("compare", "tiny", "origin-code", "--src-vocab-size", "50", "--json").out)
    assert found["parameters"]["embeddings"] == [2 * 50 * 64, 2 * (50 + 64) * 64]
    assert "three tables" not in found["same_weights"]
