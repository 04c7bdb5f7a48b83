"""TensorBoard gets what metrics.jsonl gets."""

import sys
from pathlib import Path

import pytest

from glassformer.errors import UserError
from glassformer.train.tensorboard import TensorBoard
from tests.train.small_run import small_trainer


def test_losses_and_scores_reach_tensorboard(tmp_path: Path) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    small_trainer(tmp_path, [TensorBoard(tmp_path / "tb")], max_steps=4, log_every=2, evaluate_every=4).train()
    events = accumulators.EventAccumulator(str(tmp_path / "tb")).Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [2, 4]
    assert [event.step for event in events.Scalars("valid/valid_loss")] == [4]


def test_without_the_extra_the_way_to_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UserError, match=r"pip install 'glassformer\[tensorboard\]'"):
        TensorBoard(tmp_path)
