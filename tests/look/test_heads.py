"""What each head does, in numbers and words."""

import json
import math

import pytest
import torch
from torch import Tensor

from glassformer.errors import UserError
from glassformer.look.heads import HeadStatistics, HeadTable, head_statistics
from glassformer.look.seen import Tap
from glassformer.look.shapes import watch_pair
from glassformer.look.watch import watch
from glassformer.model.transformer import Transformer
from tests.look.drawing import shown

ENCODER = "encoder.layers.0.self_attention.attention"
DECODER = "decoder.layers.0.self_attention.attention"
CROSS = "decoder.layers.0.cross_attention.attention"


def taps(**values: Tensor) -> dict[str, Tap]:
    return {name: Tap(name, ("_",) * value.dim(), value, "", "a.py", 1, "") for name, value in values.items()}


def one(name: str, weights: Tensor, src: int = 5, trg: int = 5) -> HeadStatistics:
    """The statistics of one head (q, k), with nothing padded."""
    masks = dict(src_mask=torch.ones(1, 1, 1, src).bool(), trg_mask=torch.ones(1, 1, trg, trg).tril().bool())
    (row,) = head_statistics(taps(**masks, **{name: weights[None, None]}))
    return row


def look_ahead(size: int) -> Tensor:
    rows = torch.ones(size, size).tril()
    return rows / rows.sum(-1, keepdim=True)


@pytest.fixture
def model() -> Transformer:
    """Stacks of different depth, with different head counts."""
    return Transformer(12, 12, 0, 0, 24, 3, heads=6, decoder_layers=2, decoder_heads=4, max_length=9).eval()


def test_an_even_head_has_the_most_entropy() -> None:
    row = one(ENCODER, torch.full((5, 5), 0.2))
    assert row.entropy == pytest.approx(math.log2(5))
    assert row.entropy == pytest.approx(row.most_entropy)
    assert row.distance == pytest.approx(sum(abs(q - k) for q in range(5) for k in range(5)) / 25)
    assert row.caption == "spread evenly"


def test_under_the_look_ahead_mask_the_most_is_what_is_open() -> None:
    row = one(DECODER, look_ahead(5))
    assert row.entropy == pytest.approx(sum(math.log2(open_keys) for open_keys in range(1, 6)) / 5)
    assert row.caption == "spread evenly"


@pytest.mark.parametrize(
    ("name", "weights", "field", "caption"),
    [
        (ENCODER, torch.eye(5), "on_self", "looks at itself"),
        (ENCODER, torch.eye(5).roll(-1, 1), "on_previous", "looks one back"),
        (ENCODER, torch.eye(5).roll(1, 1), "on_next", "looks one ahead"),
        (ENCODER, torch.eye(5)[4].expand(5, 5), "on_end", "to </s>"),
        (CROSS, torch.eye(5)[4].expand(5, 5), "on_end", "to </s>"),
        (DECODER, torch.eye(5)[0].expand(5, 5), "on_start", "to <s>"),
    ],
)
def test_a_head_that_looks_at_one_place_says_which(name: str, weights: Tensor, field: str, caption: str) -> None:
    row = one(name, weights)
    assert getattr(row, field) == pytest.approx(1)
    assert row.entropy == pytest.approx(0)
    assert row.caption == caption


@pytest.mark.parametrize(("weights", "way"), [(torch.eye(5), "left to right"), (torch.eye(5).flip(0), "right to left")])
def test_cross_attention_that_follows_the_words_walks(weights: Tensor, way: str) -> None:
    row = one(CROSS, weights)
    assert row.caption == f"walks {way}"
    assert abs(row.walk or 0) == pytest.approx(1)
    assert row.distance is row.on_self is row.on_previous is row.on_next is row.on_start is None


def test_the_last_row_s_look_at_the_end_is_no_step_of_a_walk() -> None:
    weights = torch.eye(5)[[3, 2, 1, 0, 4]]
    assert one(CROSS, weights).caption == "walks right to left"


def test_neither_even_nor_at_one_place_nor_a_walk() -> None:
    assert one(CROSS, torch.eye(5)[[2, 0, 3, 0, 1]]).caption == "picks single words"
    mixed = torch.tensor([0.4, 0.4, 0.2, 0, 0]).expand(5, 5)
    assert one(CROSS, mixed).caption == "mixed"


def test_one_word_alone_leaves_no_choice() -> None:
    assert one(ENCODER, torch.ones(1, 1), src=1).caption == "no choice: one word"


def test_nobody_may_look_ahead_in_the_decoder(model: Transformer) -> None:
    rows = head_statistics(watch_pair(model, [4, 5, 2], [1, 6, 7, 2]))
    assert all((row.on_next is None) == (row.part != "encoder") for row in rows)


def test_every_head_of_unequal_stacks_has_a_row(model: Transformer) -> None:
    rows = head_statistics(watch_pair(model, [4, 5, 2], [1, 6, 7, 2]))
    places = [(row.part, row.layer, row.head) for row in rows]
    assert places == [
        *(("encoder", layer, head) for layer in range(3) for head in range(6)),
        *((part, layer, head) for part in ("decoder", "cross") for layer in range(2) for head in range(4)),
    ]
    assert json.loads(json.dumps([row.to_dict() for row in rows])) == [row.to_dict() for row in rows]


def test_padding_changes_no_statistic(model: Transformer) -> None:
    found = []
    for pad in (0, 3):
        src, trg = torch.tensor([[4, 5, 6, 2] + [0] * pad]), torch.tensor([[1, 7, 8] + [0] * pad])
        with torch.no_grad(), watch(model) as seen:
            model(src, trg)
        found.append(head_statistics(seen))
    for alone, padded in zip(*found, strict=True):
        assert padded.on_padding == 0
        assert {**padded.to_dict(), "caption": ""} == pytest.approx({**alone.to_dict(), "caption": ""}, abs=1e-5)


def test_weight_on_padding_is_found() -> None:
    src_mask = torch.tensor([True, True, False, False]).view(1, 1, 1, 4)
    seen = taps(src_mask=src_mask, **{ENCODER: torch.tensor([0.2, 0.0, 0.3, 0.5]).expand(1, 1, 4, 4)})
    (row,) = head_statistics(seen)
    assert row.on_padding == pytest.approx(0.8)
    assert row.caption == "leaks to the padding"


def test_with_a_cache_the_queries_are_the_last_positions() -> None:
    seen = taps(trg_mask=torch.ones(1, 1, 1, 4).bool(), **{DECODER: torch.tensor([0, 0, 1.0, 0]).view(1, 1, 1, 4)})
    (row,) = head_statistics(seen)
    assert (row.on_previous, row.on_self, row.distance) == (1, 0, 1)


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        ({}, r'no attention was seen.*"\*.attention"'),
        (taps(**{ENCODER: torch.ones(1, 1, 2, 2)}), 'no src_mask was seen.*Add "src_mask"'),
        (
            taps(src_mask=torch.ones(2, 1, 1, 2).bool(), **{ENCODER: torch.ones(8, 1, 2, 2)}),
            "src_mask has 2 sentences and the attention 8",
        ),
    ],
)
def test_what_is_missing_is_said(seen: dict[str, Tap], message: str) -> None:
    with pytest.raises(UserError, match=message):
        head_statistics(seen)


def test_the_table_has_a_line_for_each_head_and_fits(model: Transformer) -> None:
    text = shown(HeadTable(head_statistics(watch_pair(model, [4, 5, 2], [1, 6, 7, 2]))))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split(":")[0] for line in lines if "attention: " in line] == [
        "Encoder self-attention",
        "Decoder self-attention",
        "Cross-attention",
    ]
    assert sum(" of " in line and line.strip()[0].isdigit() for line in lines) == 3 * 6 + 2 * 4 + 2 * 4
    cross = text[text.index("Cross-attention") :].splitlines()[1].split()
    assert cross == ["layer", "head", "bits", "</s>", "pad", "what", "it", "does"]
