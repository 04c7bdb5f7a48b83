"""Cell microscope: the terms on screen are the model's, each opens where it comes from, by mouse and by keyboard."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.look.page.waiting import until

ENERGY = "decoder.layers.1.cross_attention.energy"
AXES = ".microscope .axes .axis"


def open_cell(open_page: Any, path: Path, cell: str = "", **options: Any) -> Any:
    page = open_page(path, f"room=cell&cell={cell}" if cell else "room=cell", **options)
    until(page, "glass.lab.answer !== null")
    return page


def figures(page: Any, selector: str) -> list[float]:
    return [float(text.replace("−", "-")) for text in page.locator(selector).all_inner_texts()]


def test_the_terms_on_screen_are_query_times_key_and_add_up(open_page: Any, reverse_page: Path) -> None:
    page = open_cell(open_page, reverse_page, f"{ENERGY}@0.1.2.3")
    page.click("text=all digits")
    unfold = page.locator("main [data-key='terms all']")
    if unfold.count():  # where the sum is long
        unfold.click()
    queries, keys, value = page.evaluate(
        """name => {
          const {taps} = glass.lab.pass;
          const d = taps.get(`${name}.queries`).shape[3];
          const row = (tap, at) => Array.from({length: d}, (_, i) => taps.get(`${name}.${tap}`).at(0, at, 1, i));
          return [row("queries", 2), row("keys", 3), taps.get(`${name}.energy`).at(0, 1, 2, 3)];
        }""",
        ENERGY.removesuffix(".energy"),
    )
    products = [query * key for query, key in zip(queries, keys, strict=True)]
    shown = figures(page, "main .terms .figure:not(.so-far)")
    assert shown == pytest.approx(sorted(products, key=abs, reverse=True), rel=1e-12)
    assert figures(page, "main .then strong") == pytest.approx([sum(products), value], rel=1e-6)
    assert figures(page, "main .reading strong") == [value]


def test_each_factor_opens_down_to_the_embeddings_and_back(open_page: Any, reverse_page: Path) -> None:
    page = open_cell(open_page, reverse_page, "encoder.layers.0.self_attention.energy@0.0.1.2")
    names = []
    for _ in range(12):
        names.append(page.inner_text("main .crumbs").replace("\n", ""))
        if names[-1].endswith("word_embedding›weight"):
            break
        kind = ".factor" if "embedded" in names[-1] else ".factor:not(.learned)"
        page.locator(f"main .factors {kind}, main [data-key=same]").first.click()
        until(page, "name => document.querySelector('main .crumbs').innerText !== name", names[-1])
    assert names[-1] == "encoder›word_embedding›weight"
    assert "as training left it" in page.inner_text("main .then")
    page.click("main [data-key=back]")
    assert page.inner_text("main .crumbs").replace("\n", "") == names[-2]
    page.go_back()
    until(page, "document.querySelector('main .crumbs').innerText.includes('weight')")


def test_arrow_keys_move_along_an_axis(open_page: Any, reverse_page: Path) -> None:
    page = open_cell(open_page, reverse_page, f"{ENERGY}@0.0.0.0")
    page.locator(f"main {AXES} >> nth=2").locator("button").last.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    until(page, "glass.lab.state.cell.endsWith('@0.0.0.1')")
    page.keyboard.press("End")
    last = page.evaluate("glass.lab.src.length - 1")
    until(page, "cell => glass.lab.state.cell === cell", f"{ENERGY}@0.0.0.{last}")
    assert "</s>" in page.inner_text(f"main {AXES} >> nth=2")
    assert page.evaluate("document.activeElement.closest('.axis') !== null")


def test_surgery_shows_both_numbers(open_page: Any, reverse_page: Path) -> None:
    name = "decoder.layers.0.cross_attention.attention"
    edits = json.dumps([{"name": name, "kind": "zero", "head": 0}])
    page = open_page(reverse_page, f"room=cell&edits={edits}&cell={name}@0.0.1.2")
    text = page.inner_text("main .microscope")
    before = page.evaluate("name => glass.lab.plain.taps.get(name).at(0, 0, 1, 2)", name)
    page.click("text=all digits")
    assert "Replaced by surgery." in text
    assert "goes on with 0" in text
    assert f"Before the changes: {before!r}".replace("e-", "e−")[:30] in page.inner_text("main .microscope")


def test_a_norm_says_its_mean_and_variance_and_a_shut_cell_why(open_page: Any, reverse_page: Path) -> None:
    page = open_cell(open_page, reverse_page, "decoder.layers.0.self_attention.attention@0.0.0.1", width=360)
    assert figures(page, "main .reading strong") == [0]
    page.click("main .pipeline button >> nth=1")
    page.wait_for_selector("main .microscope >> text=Shut")
    page.evaluate(
        """() => {
          const post = glass.lab.model.config.norm === "post";
          return glass.lab.open(`decoder.layers.0.self_attention_residual.${post ? "out" : "normed"}`, [0, 1, 2]);
        }"""
    )
    page.click("text=how they are made")
    assert "mean" in page.inner_text("main .microscope h4 >> nth=0")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_question_is_about_the_largest_term(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page, f"room=cell&predict=true&cell={ENERGY}@0.1.2.3")
    assert not page.is_visible("main .content")
    terms = page.evaluate(
        """name => {
          const {taps} = glass.lab.pass;
          const d = taps.get(`${name}.queries`).shape[3];
          return Array.from({length: d}, (_, i) =>
            Math.abs(taps.get(`${name}.queries`).at(0, 2, 1, i) * taps.get(`${name}.keys`).at(0, 3, 1, i)));
        }""",
        ENERGY.removesuffix(".energy"),
    )
    page.click(f"main .choices >> text='d = {terms.index(max(terms))}'")
    assert page.inner_text("main .ask [role=status]").startswith("Right.")
    assert page.is_visible("main .content")
