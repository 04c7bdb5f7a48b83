"""The attention wall: every head, the same numbers as in Python, growing with the answer."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import torch

from glassformer.look.heads import head_statistics
from glassformer.look.pack import rounded
from glassformer.look.sisters import sisters
from glassformer.look.watch import watch
from tests.look.page.waiting import until

HEADS, LAYERS = 4, 2  # of the model on the page, in each stack
MAP = '[data-key="large map"]'
STATISTICS = """async () => {
  const { PARTS, mapOf, statistics } = await import("glass/panels/wall/heads.js");
  const { lab } = glass;
  return PARTS.flatMap((part) => [0, 1].flatMap((layer) => [0, 1, 2, 3].map((head) => {
    const place = { part, layer, head };
    return { ...place, ...statistics(lab, lab.pass, place, mapOf(lab.pass, place)) };
  })));
}"""


def test_entropy_distance_and_caption_of_every_head_are_those_of_python(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page, "room=wall&src=a b c d&trg=d c b a&pad=2")
    model = rounded(sisters()["honest"].loaded.model)
    with torch.no_grad(), watch(model) as seen:
        model(*(torch.tensor([page.evaluate(f"glass.lab.{side}")]) for side in ("src", "trg")))
    found, expected = page.evaluate(STATISTICS), head_statistics(seen)
    assert len(found) == len(expected) == 3 * LAYERS * HEADS
    for here, there in zip(found, (each.to_dict() for each in expected), strict=True):
        for name in here.keys() - {"sentence"}:
            assert here[name] == (
                pytest.approx(there[name], abs=1e-5) if isinstance(there[name], float) else there[name]
            )


def test_every_head_is_on_the_wall_and_arrow_keys_choose_among_them(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page, "room=wall")
    assert page.locator(".wall-head").count() == 3 * LAYERS * (HEADS + 1)
    assert page.locator(".wall-head[tabindex='0']").count() == 1
    page.locator('[data-key="head cross.0.0"]').focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    until(page, "glass.lab.state.head === 'decoder.1.1'")
    assert page.evaluate("document.activeElement.dataset.key") == "head decoder.1.1"
    assert page.locator(".wall-large h3").inner_text() == "Decoder self-attention, layer 1, head 1"


def test_maps_grow_with_the_answer(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page, "room=wall&src=a b c d&step=0&head=decoder.0.0")
    until(page, "glass.lab.answer")
    assert "1 rows, 1 columns" in page.locator(MAP).get_attribute("aria-label")
    page.locator('[data-key="step"]').click()
    page.locator('[data-key="step"]').click()
    assert "3 rows, 3 columns" in page.locator(MAP).get_attribute("aria-label")
    page.locator('[data-key="head cross.1.2"]').click()
    assert "3 rows, 5 columns" in page.locator(MAP).get_attribute("aria-label")
    page.locator('[data-key="all"]').click()
    assert "5 rows, 5 columns" in page.locator(MAP).get_attribute("aria-label")


def test_a_cell_is_said_drawn_as_lines_and_opened_at_its_tap(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page, "room=wall&src=a b c d&head=cross.1.mean")
    page.locator(MAP).focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    tap = "decoder.layers.1.cross_attention.attention"
    weights = page.evaluate("name => [0, 1, 2, 3].map((h) => glass.lab.pass.taps.get(name).at(0, h, 1, 2))", tap)
    said = page.locator(".wall-large .caption").inner_text()
    assert "to “c”" in said
    assert float(re.search(r"gives ([\d.]+) %", said)[1]) == pytest.approx(100 * sum(weights) / 4, abs=0.51)
    assert page.locator(".lines text.here").count() == 2  # the word that asks, and the one it looks at most
    page.keyboard.press("Enter")
    until(page, "cell => glass.lab.state.cell === cell", f"{tap}@0.{weights.index(max(weights))}.1.2")


def test_the_difference_to_the_unchanged_model_can_be_seen(open_page: Any, reverse_page: Path) -> None:
    masks = quote(json.dumps({"cross": ["0.1"]}))
    page = open_page(reverse_page, f"room=wall&src=a b c d&head=cross.0.0&masks={masks}")
    page.get_by_role("button", name="difference").click()
    until(page, "glass.lab.state.difference")
    page.locator(MAP).focus()
    page.keyboard.press("ArrowRight")
    before = page.evaluate("glass.lab.plain.taps.get('decoder.layers.0.cross_attention.attention').at(0, 0, 0, 1)")
    now, unchanged = re.findall(r"([\d.]+) %", page.locator(".wall-large .caption").inner_text())
    assert (float(now), float(unchanged)) == (0, pytest.approx(100 * before, abs=0.51))


def test_the_question_s_right_answer_has_the_largest_weight(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page, "room=wall&predict=true&src=a b c d&head=cross.1.1&row=1")
    assert page.locator(".wall-rooms").is_hidden()
    row = page.evaluate("""() => Array.from({ length: 5 }, (_, k) =>
      glass.lab.pass.taps.get("decoder.layers.1.cross_attention.attention").at(0, 1, 1, k))""")
    page.get_by_role("button", name=f"({row.index(max(row)) + 1})").click()
    assert page.get_by_role("status").filter(has_text="Right.").is_visible()
