"""The floor plan: every tap has its box, every box its true shape, and one gets there by keyboard."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from glassformer.look.watch import watch
from tests.look.page.engine_host import Engine
from tests.look.page.waiting import until
from tests.small import small_model

SHAPES = [
    dict(norm="post"),
    dict(norm="pre", decoder_layers=3, num_layers=1, decoder_heads=4, heads=2, positions="sinusoidal"),
    dict(num_layers=3, decoder_layers=1, final_norms=True, positions="none", trg_pad_idx=None),
]
OVERLAPS = """async ([config, names, width]) => {
  const { columns, flat } = await import("glass/panels/plan/boxes.js");
  const { layout } = await import("glass/panels/plan/drawing.js");
  const parts = columns(config, new Map(names.map((name) => [name, null])));
  const places = [...layout(parts, width).boxes.values()];
  const before = (a, b) => a.x + a.width <= b.x || a.y + a.height <= b.y;
  const meet = (a, b) => a !== b && !before(a, b) && !before(b, a);
  const outside = (a) => a.x < 0 || a.y < 0 || a.x + a.width > width;
  return {
    taps: [...flat(parts.encoder), ...flat(parts.decoder)].flatMap((box) => box.taps),
    overlaps: places.filter((a) => outside(a) || places.some((b) => meet(a, b))).map((place) => place.box.id),
  };
}"""


@pytest.fixture(scope="module")
def engine(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(browser, tmp_path_factory.mktemp("plan"))
    yield engine
    engine.page.close()


@pytest.mark.parametrize("choices", SHAPES, ids=lambda choices: "-".join(map(str, choices.values())))
def test_every_tap_has_one_box_and_no_box_covers_another(engine: Engine, choices: dict[str, Any]) -> None:
    model = small_model(**choices)
    with torch.no_grad(), watch(model) as seen:
        model(torch.tensor([[5, 3, 2]]), torch.tensor([[1, 4, 3, 6]]))
    for width in (280, 720):
        found = engine.call(OVERLAPS, vars(model.config), list(seen), width)
        assert sorted(found["taps"]) == sorted([*seen, "probabilities"])
        assert found["overlaps"] == []


def box(page: Any, name: str) -> Any:
    return page.locator(f'[data-key="box {name}"]')


def test_a_box_says_its_shape_and_its_choice_the_line_of_source(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page, "room=plan&src=a b c&trg=a b c d")
    cross = "decoder.layers.1.cross_attention"
    assert box(page, cross).get_attribute("aria-label") == "decoder layer 1: Cross-attention, n h q k = 1·4·5·4"
    assert box(page, "source").get_attribute("aria-label") == "Source, n s = 1·4"
    box(page, cross).click()
    page.locator(f'[data-key="tap {cross}.energy"]').click()
    until(page, "name => glass.lab.state.tap === name", f"{cross}.energy")
    detail = page.locator(".plan-detail")
    told = page.evaluate("name => glass.lab.about(name)", f"{cross}.energy")
    assert told["where"].startswith("glassformer/model/attention.py:")
    for text in (told["where"], told["source"], told["operation"]):
        assert text in detail.inner_text()
    assert detail.locator(".taps .mono:first-child").all_inner_texts() == [
        "queries", "keys", "values", "energy", "masked_energy", "attention", "heads_out", "out",
    ]  # fmt: skip
    assert detail.locator("canvas").count() == 4


def test_arrow_keys_walk_through_the_house_and_enter_opens_a_cell(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page, "room=plan&src=a b c&tap=encoder.layers.0.self_attention.out")
    box(page, "encoder.layers.0.self_attention").focus()
    walked = []
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
        walked.append(page.evaluate("document.activeElement.dataset.key"))
    assert walked[2].startswith("box decoder.")
    assert walked[-1] == "box target"
    until(page, "glass.lab.state.tap === 'prefix'")
    assert box(page, "target").get_attribute("aria-pressed") == "true"
    page.evaluate("glass.lab.set({tap: 'decoder.layers.0.cross_attention.energy'})")
    page.locator('[data-key="planes"]').focus()
    for key in ("PageDown", "ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    until(page, "glass.lab.state.cell === 'decoder.layers.0.cross_attention.energy@0.1.1.2'")


def test_a_box_carries_how_much_its_output_was_changed(open_page: Any, reverse_page: Path) -> None:
    edits = '[{"name":"decoder.layers.0.cross_attention.attention","kind":"zero","head":0}]'
    page = open_page(reverse_page, f"room=plan&src=a b c&edits={edits}")
    label = "name => document.querySelector(`[data-key='box ${name}']`).getAttribute('aria-label')"
    assert page.evaluate(label, "encoder.top").endswith("unchanged")
    assert page.evaluate(label, "decoder.layers.0.self_attention").endswith("unchanged")
    largest = page.evaluate(
        """(name) => {
      const [a, b] = ["pass", "plain"].map((each) => glass.lab[each].taps.get(name).data);
      return Math.max(...a.map((value, at) => Math.abs(value - b[at])));
    }""",
        "decoder.layers.0.cross_attention.out",
    )
    said = page.evaluate(label, "decoder.layers.0.cross_attention")
    assert float(said.split("changed by up to ")[1]) == pytest.approx(largest, rel=5e-3)


def test_the_question_s_right_answer_is_the_energy_s_shape(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page, "room=plan&predict=true&src=a b c&trg=a b c d")
    assert page.locator(".house").is_hidden()
    answer = page.get_by_role("button", name="1·4·5·4", exact=True)
    assert page.locator(".choices button").count() == 4
    answer.click()
    assert page.get_by_role("status").filter(has_text="Right.").is_visible()
    assert page.locator(".house").is_visible()
