"""The origin's weights give the origin's numbers."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from glassformer import Transformer
from glassformer.errors import UserError
from glassformer.exchange import origin
from glassformer.exchange.facts import Facts
from glassformer.exchange.imported import Imported
from tests.exchange.origin_model import OriginTransformer, origin_model
from tests.small import PAD, small_batch

IDS: dict[str, Any] = dict(src_pad=PAD, trg_pad=PAD, start=1, end=2)
FORKS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    (dict(heads=6), {}),
    (dict(heads=1), dict(heads=1, divide_by="embed_size")),
    (dict(shared=False), dict(heads=3, divide_by="embed_size")),
    (dict(shared=False, bias=True), dict(heads=3, divide_by="embed_size")),
    (dict(shared=True, bias=True, expansion=2), {}),
    (dict(shared=False, bias=True, divide_by=4), dict(heads=3, divide_by="head_dim")),
]


def imported(theirs: OriginTransformer, folder: Path, **facts: Any) -> Imported:
    torch.save(theirs.state_dict(), folder / "origin.pt")
    return origin.read(folder / "origin.pt", Facts(**(IDS | facts)))


@torch.no_grad()
def both(theirs: OriginTransformer, ours: Transformer, src: Tensor, trg: Tensor) -> tuple[Tensor, Tensor]:
    return ours(src, trg), theirs(src, trg)


@pytest.mark.parametrize(("fork", "told"), FORKS, ids=lambda value: "-".join(map(str, value.values())) or "origin")
def test_logits_are_the_origins(fork: dict[str, Any], told: dict[str, Any], tmp_path: Path) -> None:
    theirs = origin_model(**fork)
    ours = imported(theirs, tmp_path, **told).model
    src, trg = small_batch()
    mine, other = both(theirs, ours, src, trg)
    words = (trg != PAD).unsqueeze(-1)
    torch.testing.assert_close(mine * words, other * words, rtol=0, atol=1e-12)
    assert other.std() > 0.3, "logits that could differ"


def test_scores_at_padded_target_positions_differ_as_the_notes_say(tmp_path: Path) -> None:
    theirs = origin_model()
    found = imported(theirs, tmp_path)
    src, trg = small_batch()
    mine, other = both(theirs, found.model, src, trg)
    differing = (mine - other).abs().amax(-1) > 1e-6
    assert differing.any()
    assert not (differing & (trg != PAD)).any()
    assert any("padding itself" in note for note in found.notes)


def test_a_source_of_padding_alone_differs_as_the_notes_say(tmp_path: Path) -> None:
    theirs = origin_model()
    found = imported(theirs, tmp_path)
    mine, other = both(theirs, found.model, torch.full((1, 4), PAD), torch.tensor([[1, 5, 6]]))
    assert (mine - other).abs().max() > 1e-3
    assert any("padding alone" in note for note in found.notes)


def test_targets_that_begin_with_padding_are_read_as_over_there(tmp_path: Path) -> None:
    theirs = origin_model()
    found = imported(theirs, tmp_path, start=PAD)
    assert found.model.config.trg_pad_idx is None
    src, trg = small_batch()
    trg[:, 0] = PAD
    torch.testing.assert_close(*both(theirs, found.model, src, trg), rtol=0, atol=1e-12)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_gives_the_model_of_the_same_numbers_in_float32(half: torch.dtype, tmp_path: Path) -> None:
    weights = {name: tensor.to(half) for name, tensor in origin_model().state_dict().items()}
    torch.save(weights, tmp_path / "half.pt")
    torch.save({name: tensor.float() for name, tensor in weights.items()}, tmp_path / "float.pt")
    ours, expected = (origin.read(tmp_path / name, Facts(**IDS)).model.state_dict() for name in ("half.pt", "float.pt"))
    assert all(torch.equal(ours[name], expected[name]) for name in expected)


def test_every_tensor_is_said_to_become_something(tmp_path: Path) -> None:
    theirs = origin_model()
    names = imported(theirs, tmp_path).names
    assert names.keys() == theirs.state_dict().keys()
    assert "once for each of 3 heads, times 0.57735" in names["encoder.layers.1.attention.queries.weight"]


def test_what_weights_cannot_say_is_asked_for_all_at_once(tmp_path: Path) -> None:
    torch.save(origin_model(shared=False).state_dict(), tmp_path / "fork.pt")
    with pytest.raises(UserError) as error:
        origin.read(tmp_path / "fork.pt", Facts())
    for option in ("--src-pad", "--trg-pad", "--start", "--end", "--heads", "--divide-by"):
        assert option in str(error.value)


def test_another_number_of_heads_than_the_file_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="makes 3 heads"):
        imported(origin_model(), tmp_path, heads=4)
    with pytest.raises(UserError, match="heads=5 does not divide embed_size=12"):
        imported(origin_model(shared=False), tmp_path, heads=5, divide_by="embed_size")


def test_missing_and_unexpected_tensors_are_named(tmp_path: Path) -> None:
    weights = origin_model().state_dict()
    torch.save({name: w for name, w in weights.items() if name != "decoder.layers.1.norm.bias"}, tmp_path / "a.pt")
    with pytest.raises(UserError, match=r"no tensor 'decoder.layers.1.norm.bias'"):
        origin.read(tmp_path / "a.pt", Facts(**IDS))
    torch.save(weights | {"decoder.gate.weight": torch.ones(3)}, tmp_path / "b.pt")
    with pytest.raises(UserError, match=r"'decoder.gate.weight', for which this model has no place.*--leave decoder.g"):
        origin.read(tmp_path / "b.pt", Facts(**IDS))


def test_a_number_that_is_none_is_named(tmp_path: Path) -> None:
    theirs = origin_model()
    with torch.no_grad():
        theirs.decoder.fc_out.bias[3] = float("nan")
    with pytest.raises(UserError, match=r"'decoder.fc_out.bias' holds NaN or infinity"):
        imported(theirs, tmp_path)
