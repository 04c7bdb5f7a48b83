"""The mask desk: cells open and shut, the verdict says what that does, and the two sisters show what it is good for."""

import json
import math
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.look.page.waiting import until

PROBABILITIES = """(name) => {
  const { trg, asked } = glass.lab;
  const logits = glass.lab[name].taps.get("logits");
  return trg.map((_, row) => {
    const scores = Array.from({ length: logits.shape[2] }, (_, id) => logits.at(0, row, id));
    return Math.exp(scores[asked[row]]) / scores.reduce((sum, each) => sum + Math.exp(each), 0);
  });
}"""


def desk(clicked: dict[str, list[str]], **state: int) -> str:
    return "&".join(["room=masks", f"masks={quote(json.dumps(clicked))}", *(f"{k}={v}" for k, v in state.items())])


def text(page: Any, name: str) -> str:
    return " ".join(page.get_by_role("region", name=name, exact=True).inner_text().split())


def test_a_future_cell_opened_by_keyboard_is_a_leak_and_the_numbers_are_the_lab_s(
    open_page: Any, reverse_page: Path
) -> None:
    page = open_page(reverse_page, "room=masks")
    assert "as it should be" in text(page, "Verdict")
    steps = [" ".join(row.split()) for row in page.locator(".steps li").all_inner_texts()]
    assert steps[:2] == ["row <s>: sees <s>, asked for g", "row g: sees <s> g, asked for f"]
    page.locator('[data-key="mask decoder"]').focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Enter"):  # row g, column f
        page.keyboard.press(key)
    until(page, "glass.lab.state.masks.decoder?.join() === '1.2'")
    until(page, "glass.lab.answer.pass !== glass.lab.plain")
    assert "leak: Row “g” sees its own answer “f”" in text(page, "Verdict")
    assert page.evaluate("glass.lab.pass.taps.get('decoder.layers.0.self_attention.attention').at(0, 0, 1, 2)") > 0
    before, after = (page.evaluate(PROBABILITIES, name) for name in ("plain", "pass"))
    losses = [-sum(map(math.log, each)) / len(each) for each in (before, after)]
    shown = page.locator(".figures b").all_inner_texts()[:2]
    assert [float(each.replace("−", "-")) for each in shown] == pytest.approx(losses, rel=6e-3)
    assert page.evaluate("document.activeElement.dataset.key") == "mask decoder"
    page.get_by_role("button", name="reset").click()
    assert "as it should be" in text(page, "Verdict")


def test_a_leak_by_a_detour_is_said_with_its_layer(open_page: Any, reverse_page: Path) -> None:
    verdict = text(open_page(reverse_page, desk({"decoder": ["0.3"]})), "Verdict")
    assert "leak: Row “<s>” gets its own answer “g” by a detour, in layer 2" in verdict
    assert "sees its own answer" not in verdict


def test_a_row_without_a_key_gets_nothing_and_is_called_empty(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page, "room=masks&row=2")
    page.get_by_role("button", name="close everything for row “f” of the decoder").click()
    assert "empty row: Row “f” of the decoder may look at nothing" in text(page, "Verdict")
    weights = """() => {
      const attention = glass.lab.pass.taps.get("decoder.layers.0.self_attention.attention");
      return Array.from({ length: 8 }, (_, key) => attention.at(0, 0, 2, key));
    }"""
    assert page.evaluate(weights) == [0] * 8
    assert "row f: sees nothing, asked for e" in " ".join(page.locator(".steps li").nth(2).inner_text().split())


def test_padding_and_blind_words_are_told_apart(open_page: Any, reverse_page: Path) -> None:
    blind = {"cross": [f"{row}.0" for row in range(9)]}
    page = open_page(reverse_page, desk({"encoder": ["0.8"], **blind}, pad=1))
    assert page.evaluate("[glass.lab.src.length, glass.lab.trg.length]") == [9, 9]
    verdict = text(page, "Verdict")
    assert "padding attended: Row “a” of the encoder looks at padding" in verdict
    assert "blind word: No row of the cross-attention may look at “a”" in verdict
    assert "leak" not in verdict


def test_the_cheating_sister_is_right_in_training_and_wrong_when_it_writes(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page, "room=masks")
    rows = {row.inner_text(): row.locator("xpath=..").locator("td") for row in page.locator(".cheat tbody th").all()}
    taught, written = rows["training view: says"].all_inner_texts(), rows["writes by itself"].all_inner_texts()
    assert ["8 of 8" in each for each in taught[:2]] == [True, True]
    assert ["right" in each for each in written[:2]] == [True, False]
    facts = page.evaluate("glass.lab.payload.models.find((each) => each.id === 'cheating').facts")
    measured = [cells.nth(1).inner_text() for title, cells in rows.items() if title.startswith("measured")]
    assert measured == [f"{facts['teacher_forced']:.1f} %", f"{facts['exact']:.1f} %"]
    page.get_by_label("letters a to j").fill("a b x")
    assert "“x” is no letter from a to j" in text(page, "The cheat")
    page.get_by_role("button", name="count over 12 random sentences").click()
    page.get_by_text("Counted here over 12 random sentences").wait_for()
    counted = page.locator(".totals tbody tr").all_inner_texts()
    assert ["(0 of 12)" in each for each in counted[:2]] == [False, True]
