"""The examples are experiments on the real model: they must run, and do what they say."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from glassformer.model.cache import Cache
from tests.small import small_batch, small_model

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def rotary(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import rotary_attention

    return rotary_attention


def test_rotary_scores_depend_on_distance_only(rotary) -> None:
    attention = rotary.RotaryAttention(12, 2)
    x = torch.randn(1, 1, 2, 6)
    at = [attention.turned(x, start).flatten() for start in range(8)]
    for distance in (0, 1, 3):
        products = [float(at[start] @ at[start + distance]) for start in range(4)]
        assert products == pytest.approx([products[0]] * 4, rel=1e-4)
    assert float(at[0] @ at[0]) != pytest.approx(float(at[0] @ at[3]))


def test_a_rotary_model_tells_orders_apart_and_decodes_with_the_cache(rotary) -> None:
    model = rotary.with_rotary(small_model(positions="none")).double()
    src, trg = small_batch(1)
    order = torch.randperm(src.size(1))
    assert (model.encode(src[:, order]) - model.encode(src)[:, order]).abs().max() > 1e-3
    memory, src_mask = model.encode(src), model.make_src_mask(src)
    cache = Cache(len(model.decoder.layers))
    chunks = [model.decode(part, memory, src_mask, cache) for part in trg.split([3, 1, 2], dim=1)]
    torch.testing.assert_close(torch.cat(chunks, 1), model.decode(trg, memory, src_mask), rtol=0, atol=1e-6)


def test_the_subclass_stays_small() -> None:
    source = (EXAMPLES / "rotary_attention.py").read_text(encoding="utf-8")
    start = source.index("class RotaryAttention")
    assert source[start : source.index("\n\n\ndef", start)].count("\n") <= 40


def run(steps: int) -> float:
    command = [sys.executable, str(EXAMPLES / "rotary_attention.py"), "--steps", str(steps)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(line.split() for line in said.splitlines())["exact"]


def test_the_rotary_example_runs() -> None:
    assert float(run(5)) >= 0


@pytest.mark.slow
def test_the_rotary_example_learns_to_reverse() -> None:
    assert float(run(1500)) > 90
