"""One map of attention, drawn."""

import pytest
import torch

from glassformer.errors import UserError
from glassformer.look.attention import attention_drawing, attention_picture, colour
from glassformer.look.seen import Tap
from tests.look.drawing import shown

ASKING = ["<s>", "HH", "AH"]
ANSWERING = ["h", "e", "</s>"]
WEIGHTS = torch.tensor(
    [[[1.0, 0, 0], [0.25, 0.5, 0.25], [0, 0.01, 0.99]], [[0, 1.0, 0], [0.75, 0.25, 0], [0.5, 0, 0.5]]]
)


@pytest.fixture
def tap() -> Tap:
    name = "decoder.layers.0.cross_attention.attention"
    return Tap(name, ("n", "h", "q", "k"), WEIGHTS.unsqueeze(0), "softmax", "attention.py", 1, "attention = ...")


def test_a_head_is_shown_as_it_is_and_no_head_is_the_mean(tap: Tap) -> None:
    assert torch.equal(torch.tensor(attention_picture(tap, ASKING, ANSWERING, head=1).weights), WEIGHTS[1])
    assert torch.equal(torch.tensor(attention_picture(tap, ASKING, ANSWERING).weights), WEIGHTS.mean(0))


def test_fewer_words_leave_the_padding_out(tap: Tap) -> None:
    picture = attention_picture(tap, ASKING[:2], ANSWERING[:2], head=0)
    assert picture.weights == [[1.0, 0.0], [0.25, 0.5]]
    assert picture.to_dict()["columns"] == ["h", "e"]


@pytest.mark.parametrize("width", [40, 80])
def test_without_colour_shade_and_percent_stand_for_it(tap: Tap, width: int) -> None:
    text = shown(attention_drawing(attention_picture(tap, ASKING, ANSWERING, head=0)), width)
    lines = {words[0]: words[1:] for line in text.splitlines() if (words := line.split())}
    assert lines["asks"] == ["↓", *ANSWERING]
    assert lines["<s>"] == ["███100", "·", "·"]
    assert lines["HH"] == ["▒▒▒", "25", "▓▓▓", "50", "▒▒▒", "25"]
    assert lines["AH"] == ["·", "1", "███", "99"]
    assert "head 0" in text


def test_with_colour_every_cell_has_its_background(tap: Tap) -> None:
    text = shown(attention_drawing(attention_picture(tap, ASKING, ANSWERING)), coloured=True)
    red, green, blue = colour(0.5)
    assert f"48;2;{red};{green};{blue}m" in text
    assert "mean of all heads" in text


def test_more_attention_is_lighter() -> None:
    light = [sum(colour(weight / 20)) for weight in range(21)]
    assert light == sorted(light)


def test_many_columns_are_narrow_and_still_told_apart_without_colour() -> None:
    value = torch.eye(2, 35).view(1, 1, 2, 35)
    tap = Tap("x.attention", ("n", "h", "q", "k"), value, "softmax", "a.py", 1, "attention = ...")
    lines = shown(attention_drawing(attention_picture(tap, ["a", "b"], ["[i]"] * 35, head=0))).splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert next(line for line in lines if line.startswith("a ")).split()[1] == "██"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head": 2}, "head=2 is not in .* there are 2, counted from 0 to 1"),
        ({"sentence": -1}, "sentence=-1 is not in"),
        ({"asking": ["a"] * 4}, "4 asking and 3 answering words"),
    ],
)
def test_what_does_not_fit_is_said(tap: Tap, change: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"asking": ASKING, "answering": ANSWERING} | change
    with pytest.raises(UserError, match=message):
        attention_picture(tap, **arguments)  # type: ignore[arg-type]


def test_another_tap_is_refused() -> None:
    tap = Tap("memory", ("n", "s", "e"), torch.ones(1, 2, 3), "layer_norm", "a.py", 1, "memory = ...")
    with pytest.raises(UserError, match=r"memory has axes n s e: attention is n h q k"):
        attention_picture(tap, [], [])
