"""The three masks with words on both axes, and the steps in words."""

import pytest
import torch

from glassformer.errors import UserError
from glassformer.look.masks import (
    mask_drawing,
    numbers_drawing,
    shifted_drawing,
    source_mask,
    step_by_step,
    steps_drawing,
    target_masks,
)
from glassformer.model.masks import padding_mask, target_mask
from tests.look.drawing import shown

TRG = ["<s>", "I", "love", "deep", "learning", "</s>"]
IDS = [1, 5, 6, 7, 8, 2]


def test_the_source_has_no_start_and_shows_its_padding() -> None:
    picture = source_mask(TRG[1:], IDS[1:], 0, pad_to=7)
    assert picture.columns == ["I", "love", "deep", "learning", "</s>", "<pad>", "<pad>"]
    assert picture.reasons == [[""] * 5 + ["padding"] * 2] * 7
    assert picture.numbers == [[1, 1, 1, 1, 1, 0, 0]]
    assert picture.shape == "(N, 1, 1, src_len) = (1, 1, 1, 7)"


def test_the_cells_are_those_of_the_model_and_each_has_its_reason() -> None:
    padding, look_ahead, both = target_masks(TRG, IDS, 0, pad_to=7)
    given = torch.tensor([[*IDS, 0]])
    assert torch.equal(torch.tensor(both.numbers), target_mask(given, 0, 7)[0, 0].int())
    assert torch.equal(torch.tensor(padding.numbers), padding_mask(given, 0)[0, 0].int())
    assert look_ahead.numbers == [[1] * (row + 1) + [0] * (6 - row) for row in range(7)]
    for row in range(7):
        for column in range(7):
            why = {(False, False): "", (True, False): "future", (False, True): "padding", (True, True): "both"}
            assert both.reasons[row][column] == why[column > row, column == 6]
            assert look_ahead.reasons[row][column] == why[column > row, False]
            assert padding.reasons[row][column] == why[False, column == 6]


def test_two_columns_of_padding_unless_told_otherwise() -> None:
    assert target_masks(TRG, IDS, 0)[0].columns == ["<s>", "I", "love", "deep", "learning", "</s>", "<pad>"]
    assert target_masks(TRG, IDS, 0, pad_to=5)[0].columns == ["<s>", "I", "love", "deep", "learning"]
    assert len(source_mask(["I"], [5], 0).columns) == 3


def test_without_a_padding_id_only_the_future_is_closed() -> None:
    look_ahead, both = target_masks(TRG, IDS, None)
    assert both.reasons == look_ahead.reasons
    assert all(step.counted for step in step_by_step(TRG, IDS, None))


def test_padding_inside_the_given_ids_is_found() -> None:
    both = target_masks([*TRG, "<pad>"], [*IDS, 0], 0, pad_to=6)[2]
    assert both.reasons[5] == [""] * 6
    assert [step.counted for step in step_by_step([*TRG, "<pad>"], [*IDS, 0], 0, pad_to=6)] == [True] * 5 + [False]


def test_each_row_says_what_it_sees_and_is_asked_for() -> None:
    steps = step_by_step(TRG, IDS, 0, pad_to=6)
    assert [str(step) for step in steps] == [
        "row <s>: sees <s>, asked for I",
        "row I: sees <s> I, asked for love",
        "row love: sees <s> I love, asked for deep",
        "row deep: sees <s> I love deep, asked for learning",
        "row learning: sees <s> I love deep learning, asked for </s>",
        "row </s>: sees <s> I love deep learning </s>, asked for <pad>",
    ]
    assert [step.counted for step in steps] == [True] * 5 + [False]
    text = " ".join(shown(steps_drawing(steps), 120).split())
    for step in steps:
        assert str(step) in text
    for reason in ("cheating", "autoregressively", "training"):
        assert reason in text


def test_the_three_rows_are_aligned() -> None:
    lines = shown(shifted_drawing(step_by_step(TRG, IDS, 0, pad_to=6))).splitlines()
    assert lines[0].split()[2:] == ["<s>", "I", "love", "deep", "learning", "</s>"]
    assert lines[1].split()[2:] == ["I", "love", "deep", "learning", "</s>", "<pad>"]
    assert lines[2].split()[4:] == ["yes"] * 5 + ["no"]
    assert len({line.index(word) for line, word in zip(lines, ("love", "deep"), strict=False)}) == 1


@pytest.mark.parametrize(("width", "future", "both"), [(80, "future", "both"), (40, "f", "b")])
def test_open_and_closed_cells_differ_without_colour(width: int, future: str, both: str) -> None:
    text = shown(mask_drawing(target_masks(TRG, IDS, 0)[2]), width)
    row = next(line for line in text.splitlines() if line.startswith("<s> "))
    cells = row.split()[1:]
    assert set(cells[0]) == {"█"}
    assert cells[1:] == [future] * 5 + [both]
    assert "row asks, column answers" in text
    assert "future (f)" in text


def test_the_same_as_numbers_in_the_order_of_the_rows() -> None:
    lines = [
        " ".join(line.split()) for line in shown(numbers_drawing(target_masks(TRG, IDS, 0, pad_to=5)[1])).splitlines()
    ]
    assert lines[1:3] == ["[1, 0, 0, 0, 0] <s>", "[1, 1, 0, 0, 0] I"]
    assert "every row" in shown(numbers_drawing(source_mask(TRG, IDS, 0)))


def test_words_are_data_here_too() -> None:
    words = ["<s>", "[red]", "[/]", "</s>"]
    steps = step_by_step(words, [1, 5, 6, 2], 0)
    for drawing in (
        steps_drawing(steps),
        shifted_drawing(steps),
        *map(mask_drawing, target_masks(words, [1, 5, 6, 2], 0)),
    ):
        assert "[red]" in shown(drawing)


def test_pictures_and_steps_are_plain_data() -> None:
    assert target_masks(TRG, IDS, 0)[0].to_dict().keys() == {"title", "shape", "rows", "columns", "reasons", "numbers"}
    assert step_by_step(TRG, IDS, 0)[0].to_dict() == {"row": "<s>", "sees": ["<s>"], "asked_for": "I", "counted": True}


@pytest.mark.parametrize(
    ("pieces", "ids", "pad_idx", "pad_to", "message"),
    [
        (["I"], [1, 2], 0, None, "1 pieces for 2 ids"),
        ([], [], 0, None, "0 pieces for 0 ids"),
        (["I", "love"], [1, 2], 0, 1, "pad_to=1 is less than the sentence's 2 columns. Try pad_to=2."),
    ],
)
def test_what_does_not_fit_is_said(
    pieces: list[str], ids: list[int], pad_idx: int | None, pad_to: int | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        source_mask(pieces, ids, 0, pad_to)


def test_padding_without_a_padding_id_is_refused() -> None:
    with pytest.raises(UserError, match="trg_pad_idx=None"):
        target_masks(TRG, IDS, None, pad_to=9)
    with pytest.raises(UserError, match=r"pad_to=4 is less than the sentence's 5 columns"):
        target_masks(TRG, IDS, 0, pad_to=4)
