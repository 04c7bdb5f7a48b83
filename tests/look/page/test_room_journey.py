"""One number's journey: a true chain from a source word's embedding to the probability, in twelve stops at most."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.look.page.engine_host import Engine
from tests.look.page.test_engine import SHAPES, SRC, TRG
from tests.look.page.waiting import until
from tests.small import VARIANTS, small_model, variant_name

# Every journey of a pass: where a stop is no factor of the next one's marked term, where terms do not add up, or where
# it does not begin at a source word's embedding and end at the probability.
CHECK = """async ([src, trg]) => {
  const { journeyOf } = await import("glass/arithmetic/chain.js");
  const { origin } = await import("glass/arithmetic/explain.js");
  const pass = opened.forward(src, trg);
  const wrong = [];
  const lengths = [];
  const is = (factor, { name, index, value }) =>
    factor.tap === name && factor.index.join() === index.join() && factor.value === value;
  for (const way of ["attention", "values"]) {
    for (let row = 0; row < trg.length; row++) {
      const stops = journeyOf(opened, pass, row, 5, way);
      lengths.push(stops.length);
      const ends = [stops[0].name, stops.at(-1).name];
      if (ends.join() !== "encoder.embedded,probability") wrong.push([way, row, ends]);
      for (const [i, stop] of stops.entries()) {
        const sum = stop.terms.reduce((so, term) => so + term.value, 0);
        if (Math.abs(stop.total - stop.value) > 1e-12 * stop.sizes) wrong.push([way, row, stop.name, stop.total]);
        if (Math.abs(sum - stop.sum) > 1e-12 * stop.sizes) wrong.push([way, row, stop.name, "terms"]);
        if (i === 0) continue;
        const factors = stop.terms[stop.chosen].factors.filter((factor) => factor.tap);
        const held = factors.flatMap((factor) => [factor, origin(opened, pass, factor)]);
        if (!held.some((factor) => is(factor, stops[i - 1]))) wrong.push([way, row, stop.name, stops[i - 1].name]);
      }
      const names = stops.map((stop) => stop.name).join();
      if (way === "attention" && !names.includes("cross_attention.energy")) wrong.push([way, row, names]);
    }
  }
  return { wrong, lengths };
}"""


@pytest.fixture(scope="module")
def engine(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(browser, tmp_path_factory.mktemp("journey"))
    yield engine
    engine.page.close()


@pytest.mark.parametrize("choices", [*VARIANTS, *SHAPES, dict(num_layers=6)], ids=variant_name)
def test_each_stop_is_a_factor_of_the_next(engine: Engine, choices: dict[str, Any]) -> None:
    torch.manual_seed(0)
    engine.open(small_model(**choices))
    found = engine.call(CHECK, SRC, TRG)
    assert found["wrong"] == []
    assert max(found["lengths"]) <= 12


def test_it_is_walked_with_buttons_and_with_arrow_keys(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page, "room=journey&row=2")
    until(page, "glass.lab.answer !== null")
    count = page.locator("main .thread button").count()
    seen = []
    page.locator("main .thread button").first.focus()
    for at in range(count):
        until(page, "at => glass.lab.state.stop === at", at)
        seen.append(page.inner_text("main .stop h3"))
        assert page.evaluate("document.activeElement.getAttribute('aria-current')") == "step"
        page.keyboard.press("ArrowRight")
    assert seen[0].startswith(f"1 of {count} embedded")
    assert seen[-1].startswith(f"{count} of {count} probability")
    page.click("main >> text='◀ back'")
    until(page, "count => glass.lab.state.stop === count - 2", count)
    page.click("main >> text='to the word'")
    until(page, "glass.lab.state.stop === 0")
    page.click("main >> text='on ▶'")
    page.click("main >> text='under the microscope'")
    until(page, "glass.lab.state.cell !== ''")
    crumbs = page.inner_text("aside .crumbs").replace("\n", "").replace("›", ".")
    assert crumbs == page.get_attribute("main .thread [aria-current=step]", "title")


def test_it_ends_at_the_probability_of_the_likeliest_word(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page, "room=journey&row=1&stop=99", width=360, dark=True)
    share, word = page.evaluate(
        """async () => {
          const { softmax } = await import("glass/numbers.js");
          const shares = Array.from(softmax(glass.lab.pass.taps.get("logits"), 1));
          const most = Math.max(...shares);
          return [most, glass.lab.words([shares.indexOf(most)], "trg")[0]];
        }"""
    )
    assert page.inner_text("main .equation strong") == f"{share:.3g}".ljust(5, "0")
    assert page.inner_text("main .pieces strong") == word
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_question_is_where_the_journey_begins(open_page: Any, reverse_page: Path) -> None:
    page = open_page(reverse_page, "room=journey&row=1&predict=true")
    assert not page.is_visible("main .content")
    page.click("main .choices button >> nth=0")
    page.wait_for_selector("main .ask .right")
    right = page.inner_text("main .ask .right")
    assert right.split(": ")[1] in page.inner_text("main .thread button >> nth=0")
