"""Surgery: a cut changes that one value and what follows, its cost is the lab's, and it can be undone."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.look.page.waiting import until

HEAD = {"name": "decoder.layers.0.cross_attention.attention", "kind": "zero", "head": 1}
LOSS = """(name) => {
  const { trg, asked } = glass.lab;
  const logits = glass.lab[name].taps.get("logits");
  const costs = trg.map((_, row) => {
    const scores = Array.from({ length: logits.shape[2] }, (_, id) => logits.at(0, row, id));
    return Math.log(scores.reduce((sum, each) => sum + Math.exp(each), 0)) - scores[asked[row]];
  });
  return costs.reduce((sum, each) => sum + each, 0) / costs.length;
}"""


def surgery(*edits: dict[str, Any], **state: str) -> str:
    parts = ["room=surgery", *(f"{name}={quote(value)}" for name, value in state.items())]
    return "&".join([*parts, f"edits={quote(json.dumps(edits))}"])


def sizes(page: Any, name: str) -> list[float]:
    """The largest size in each head of an attention, (n, h, q, k)."""
    script = """(name) => {
      const { shape: [, heads, q, k], data } = glass.lab.pass.taps.get(name);
      return Array.from({ length: heads }, (_, head) => Math.max(...data.slice(head * q * k, (head + 1) * q * k)));
    }"""
    return page.evaluate(script, name)  # type: ignore[no-any-return]


def test_a_head_is_switched_off_by_keyboard_and_on_again(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page, "room=surgery")
    switch = page.get_by_role("button", name="decoder 0 cross-attention head 1 off", exact=True)
    switch.focus()
    page.keyboard.press("Enter")
    until(page, "glass.lab.state.edits.length === 1")
    assert page.evaluate("glass.lab.state.edits") == [HEAD]
    off = [size == 0 for size in sizes(page, HEAD["name"])]
    assert off == [head == HEAD["head"] for head in range(len(off))]
    shown = [float(each) for each in page.locator(".figures b").all_inner_texts()[:2]]
    assert shown == pytest.approx([page.evaluate(LOSS, "plain"), page.evaluate(LOSS, "pass")], rel=6e-3)
    assert "zero_head(1" in page.get_by_role("region", name="the cuts as Python").inner_text()
    same = page.locator(".boxes button").evaluate_all("all => all.map((each) => !each.classList.contains('moved'))")
    names = page.locator(".boxes button").evaluate_all("all => all.map((each) => each.dataset.key)")
    assert same.index(False) == names.index(f"box {HEAD['name']}")  # nothing before the cut has moved
    page.keyboard.press("Enter")  # the focus is still on the switch
    until(page, "glass.lab.state.edits.length === 0")
    assert page.evaluate("glass.lab.pass === glass.lab.plain")


def test_the_scan_shows_what_each_head_costs_and_a_bar_makes_the_cut(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page, "room=surgery")
    page.get_by_role("button", name="scan every head").click()
    until(page, "document.querySelector('[data-key=scan]').textContent === 'scan every head'")
    bars = page.locator(".costs li")
    heads = page.evaluate(
        "[...glass.lab.plain.taps].filter(([n]) => n.endsWith('_attention.attention')).map(([, t]) => t.shape[1])"
    )
    assert bars.count() == sum(heads)
    costs = [float(each.replace("−", "-")) for each in bars.locator(".share").all_inner_texts()]
    assert costs == sorted(costs, reverse=True)
    bars.nth(0).get_by_role("button").click()
    until(page, "glass.lab.state.edits.length === 1")
    assert costs[0] == pytest.approx(page.evaluate(LOSS, "pass") - page.evaluate(LOSS, "plain"), rel=6e-3)


def test_a_value_of_another_sentence_fits_where_both_have_equally_many_tokens(
    open_page: Any, reverse_page: Path
) -> None:
    page = open_page(reverse_page, "room=surgery")
    swap = page.get_by_role("button", name="swap it in")
    page.get_by_label("the other sentence").fill("a b c d")
    assert "It has 5 tokens, this one 8" in page.get_by_role("region", name="From another sentence").inner_text()
    assert swap.is_disabled()
    page.get_by_label("the other sentence").fill("j i h g f e d")
    swap.click()
    until(page, "glass.lab.state.edits.length === 1 && glass.lab.answer.text !== 'g f e d c b a'")
    equal = """() => {
      const { lab } = glass;
      const other = lab.model.forward(lab.readSource(lab.state.other), lab.trg).taps.get("memory");
      return other.data.every((each, at) => each === lab.pass.taps.get("memory").data[at]);
    }"""
    assert page.evaluate(equal)


def test_a_neuron_is_put_to_zero_everywhere_and_uniform_attention_leaves_no_choice(
    open_page: Any, reverse_page: Path
) -> None:
    uniform = {"name": "encoder.layers.0.self_attention.attention", "kind": "uniform"}
    page = open_page(reverse_page, surgery(uniform))
    assert sizes(page, uniform["name"]) == pytest.approx([1 / 8] * 4)
    page.locator('[data-key="neurons"]').focus()
    page.keyboard.press("Enter")
    until(page, "glass.lab.state.edits.length === 2")
    neuron = page.evaluate("glass.lab.state.edits[1]")
    values = """({ name, channel }) => {
      const hidden = glass.lab.pass.taps.get(name);
      return Array.from({ length: hidden.shape[1] }, (_, row) => hidden.at(0, row, channel));
    }"""
    assert neuron["kind"] == "zero"
    assert page.evaluate(values, neuron) == [0] * 8
    page.get_by_role("button", name="undo all cuts").click()
    assert page.evaluate("glass.lab.changed") is False
