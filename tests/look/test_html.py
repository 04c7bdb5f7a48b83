"""The same drawings in notebooks: inline, escaped, nothing fetched."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from rich.text import Text

from glassformer.look.attention import attention_drawing, attention_picture
from glassformer.look.gradients import gradient_report
from glassformer.look.heads import HeadTable, head_statistics
from glassformer.look.html import COLOURS, GROUND, INK, html_page
from glassformer.look.masks import (
    mask_drawing,
    numbers_drawing,
    shifted_drawing,
    source_mask,
    step_by_step,
    steps_drawing,
)
from glassformer.look.seen import Seen
from glassformer.look.shapes import ShapeTable, watch_pair
from glassformer.look.watch import watch
from glassformer.model.transformer import Transformer

EVIL = "<img src=x onerror=alert(1)>"
WORDS = [EVIL, "$x$", "</pre>"]
IDS = [4, 5, 2]
CROSS = "decoder.layers.0.cross_attention.attention"
FETCHING = ("<script", "<img", "<link", "url(", "http", "@import", "@font-face", "onclick", "class=")


@pytest.fixture
def seen() -> Seen:
    return watch_pair(Transformer(10, 10, 0, 0, 8, 1, heads=2, max_length=9), IDS, [1, *IDS])


@pytest.mark.parametrize(
    "drawing",
    [
        lambda seen: ShapeTable(seen, src_pieces=WORDS, trg_pieces=WORDS),
        lambda seen: attention_drawing(attention_picture(seen[CROSS], WORDS, WORDS)),
        lambda seen: mask_drawing(source_mask(WORDS, IDS, 0)),
        lambda seen: numbers_drawing(source_mask(WORDS, IDS, 0)),
        lambda seen: steps_drawing(step_by_step(WORDS, IDS, 0)),
        lambda seen: shifted_drawing(step_by_step(WORDS, IDS, 0)),
        lambda seen: HeadTable(head_statistics(seen)),
        lambda seen: seen,
        lambda seen: seen["logits"],
    ],
)  # fmt: skip
def test_every_drawing_is_html_in_a_notebook(seen: Seen, drawing: Callable[[Seen], Any]) -> None:
    html = drawing(seen)._repr_html_()
    assert html.startswith("<div style=")
    assert html.count("<pre ") == html.count("</pre>") == 1
    for fetching in FETCHING:
        assert fetching not in html
    assert set(re.findall(r"<(\w+)", html)) == {"div", "pre", "span"}


def test_a_word_is_shown_and_never_markup(seen: Seen) -> None:
    html = mask_drawing(source_mask([EVIL, "[red]", "</s>"], IDS, 0))._repr_html_()
    assert "&lt;img" in html
    assert "[red]" in html
    page = html_page(Text(EVIL), title=EVIL)
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") == 2
    assert "<img" not in page


def test_a_gradient_report_is_html_too() -> None:
    model = Transformer(10, 10, 0, 0, 8, 1, heads=2, max_length=9)
    with watch(model, gradients=True) as seen:
        model(torch.tensor([IDS]), torch.tensor([[1, 4]])).sum().backward()
    assert "parameters got a gradient" in gradient_report(model, seen)._repr_html_()


def test_what_was_seen_lists_every_name_with_its_sizes(seen: Seen) -> None:
    text = re.sub(r"<[^>]+>", "", seen._repr_html_())
    names = [line.split()[0] for line in text.splitlines()[1:]]
    assert names == list(seen)
    assert "n=1 h=2 q=3 k=3" in text
    assert "nothing was seen" in Seen()._repr_html_()


def test_a_tap_shows_its_source_and_the_range_of_its_values(seen: Seen) -> None:
    text = re.sub(r"<[^>]+>", "", seen["logits"]._repr_html_())
    assert "logits = self.fc_out(decoded)" in text
    assert f"from {float(seen['logits'].value.min()):.4g} to" in text
    assert "9 of 9" not in text
    assert "3 of 3 are True" in re.sub(r"<[^>]+>", "", seen["src_mask"]._repr_html_())


def luminance(colour: tuple[float, ...]) -> float:
    parts = [part / 255 for part in colour]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colour", [INK, *COLOURS, tuple((a + b) // 2 for a, b in zip(INK, GROUND, strict=True))])
def test_every_colour_can_be_read_on_its_own_ground(colour: tuple[int, int, int]) -> None:
    contrast = (luminance(colour) + 0.05) / (luminance(GROUND) + 0.05)
    assert contrast >= 4.5, "the last one is dim text"
