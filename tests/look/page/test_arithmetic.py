"""page/arithmetic/: the terms of any cell of any tap add up to the number that the engine computed."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from tests.look.page.engine_host import Engine
from tests.look.page.test_engine import SHAPES, SRC, TRG
from tests.small import VARIANTS, small_model, variant_name

TOLERANCE = {"float64": 1e-12, "float32": 1e-6}

# Twelve cells of every tap, of every weight and of the probabilities: whether the terms add up to the value, to a share
# of their sizes; whether each factor's value is what stands at its address; and whether each name has a rule.
CHECK = """async ([src, trg, tolerance]) => {
  const { explain } = await import("glass/arithmetic/explain.js");
  const { Random } = await import("glass/engine/random.js");
  const random = new Random(5);
  const pass = opened.forward(src, trg);
  const shapes = [...pass.taps, ...opened.weights].map(([name, value]) => [name, value.shape]);
  shapes.push(["probability", pass.taps.get("logits").shape]);
  const wrong = [];
  const add = (terms) => terms.reduce((sum, term) => sum + term.value, 0);
  for (const [name, shape] of shapes) {
    for (let i = 0; i < 12; i++) {
      const index = shape.map((size) => Math.floor(random.next() * size));
      const told = explain(opened, pass, name, index);
      const held = pass.taps.get(name)?.at(...index) ?? opened.weights.get(name)?.at(...index) ?? told.value;
      const off = Math.abs(told.total - held) / Math.max(told.sizes, Math.abs(held), 1e-300);
      if (told.missing || told.differs || !(off <= tolerance)) wrong.push([name, index, off, told.missing]);
      if (told.axes.length !== shape.length) wrong.push([name, "axes", told.axes]);
      for (const { value, factors, exponential, squared } of [...told.terms, ...(told.norm?.centre() ?? [])]) {
        const product = factors.reduce((so, factor) => so * factor.value, 1);
        const off = exponential || squared ? 0 : Math.abs(product - value);
        if (off > 1e-15 * Math.abs(value)) wrong.push([name, "product", product, value]);
        for (const { tap, weight, index: place, number, value: factor } of factors) {
          const there = pass.taps.get(tap) ?? opened.weights.get(weight);
          if ((there ? there.at(...place) : number) !== factor) wrong.push([name, index, tap ?? weight, place, factor]);
        }
      }
      if (told.norm && Math.abs(add(told.norm.centre()) - told.norm.mean) > 1e-15) wrong.push([name, "mean"]);
      if (told.norm && Math.abs(add(told.norm.spread()) - told.norm.variance) > 1e-15) wrong.push([name, "variance"]);
    }
  }
  return { wrong, names: shapes.length };
}"""


@pytest.fixture(scope="module")
def engine(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(browser, tmp_path_factory.mktemp("arithmetic"))
    yield engine
    engine.page.close()


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("choices", VARIANTS + SHAPES, ids=variant_name)
def test_the_terms_of_every_tap_add_up_to_its_value(engine: Engine, choices: dict[str, Any], precision: str) -> None:
    torch.manual_seed(0)
    engine.open(small_model(**choices), precision)
    found = engine.call(CHECK, SRC, TRG, TOLERANCE[precision])
    assert found["wrong"] == []
    assert found["names"] > 60
