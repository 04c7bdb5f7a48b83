"""page/server.js in a browser: the model behind the page answers as the engine in the page does."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

pytest.importorskip("uvicorn", reason="needs the extra web: pip install 'glassformer[web]'")
pytest.importorskip("fastapi", reason="needs the extra web: pip install 'glassformer[web]'")

import base64
from dataclasses import asdict

from glassformer.look.pack import packed_weights, rounded
from tests.look.page.engine_host import host_html
from tests.look.serving import serving, small_loaded

START = """async ([entry, text]) => {
  const { Model } = await import("glass/engine/model.js");
  const { RemoteModel } = await import("glass/server.js");
  for (const name of ["engine/decode.js", "engine/edits.js", "engine/random.js", "masks.js", "lab.js"]) {
    Object.assign(window, await import(`glass/${name}`));
  }
  window.here = Model.fromBytes(entry, Uint8Array.fromBase64(text), "float64");
  window.there = await RemoteModel.open({ ...entry, id: "main" });
  window.difference = (a, b) => {
    if ([...a.keys()].sort().join() !== [...b.keys()].sort().join()) return "names";
    let largest = 0;
    for (const [name, { shape, data }] of a) {
      if (shape.join() !== b.get(name).shape.join()) return name;
      if (name.endsWith("masked_energy")) continue; // what hides an energy is the lowest number of each dtype
      data.forEach((value, i) => (largest = Math.max(largest, Math.abs(value - b.get(name).data[i]))));
    }
    return largest;
  };
}"""
SRC, TRG = [4, 5, 6, 2, 0], [1, 7, 8]
CHANGES = """
  const edits = [{ name: "decoder.layers.0.cross_attention.heads_out", kind: "zero", head: 1 },
    { name: "encoder.layers.1.self_attention.attention", kind: "uniform" }, { name: "encoder.memory", kind: "swap" }];
  const clicked = { encoder: ["0.1"], decoder: ["0.2"], cross: ["1.4"] };
  const other = [9, 4, 4, 2, 0];
  const edit = editMap(edits, here.forward(other, trg));
  const maskOf = (read) => masksOf(clicked, src, read, here.config);
  const both = { edits, other, clicked, edit, masks: maskOf(trg), maskOf };
"""


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    torch.manual_seed(0)
    loaded = small_loaded(decoder_heads=3)
    loaded = loaded._replace(model=rounded(loaded.model))
    table, weights = packed_weights(loaded.model)
    with serving({"main": loaded}, host_html()) as client:
        opened = browser.new_page()
        opened.goto(f"http://127.0.0.1:{client.port}/")
        entry = {"config": asdict(loaded.model.config), "tensors": table}
        opened.evaluate(START, [entry, base64.b64encode(weights).decode()])
        yield opened
        opened.close()


@pytest.mark.parametrize("changes", ["const both = {};", CHANGES], ids=["plain", "changed"])
def test_a_pass_is_that_of_the_engine(page: Any, changes: str) -> None:
    script = f"""async ([src, trg]) => {{
      {changes}
      const [near, far] = [here.forward(src, trg, both), await there.forward(src, trg, both)];
      return [difference(near.taps, far.taps), near.src.join() === far.src.join(), near.trg.join() === far.trg.join()];
    }}"""
    largest, same_src, same_trg = page.evaluate(script, [SRC, TRG])
    assert same_src
    assert same_trg
    assert largest < 1e-5


@pytest.mark.parametrize("changes", ["const both = {};", CHANGES], ids=["plain", "changed"])
@pytest.mark.parametrize("choose", ["greedy", "sample"])
def test_the_steps_of_an_answer_are_those_of_the_engine(page: Any, changes: str, choose: str) -> None:
    script = f"""async ([src, trg, choose]) => {{
      {changes}
      const options = () => ({{ ...both, start: 1, end: 2, forbidden: [3], limit: 9, prefix: [6], choose, topK: 3,
        temperature: 1.5, random: new Random(4) }});
      const [near, far] = [[...write(here, src, options())], await there.write(src, options())];
      const shown = (step) => ({{ ...step, logProbs: [...step.logProbs].map(Math.exp) }});
      return [near.map(shown), far.map(shown)];
    }}"""
    near, far = page.evaluate(script, [SRC, TRG, choose])
    assert [step["token"] for step in near] == [step["token"] for step in far]
    for one, other in zip(near, far, strict=True):
        assert one["logProbs"] == pytest.approx(other["logProbs"], abs=1e-6)
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-6)
        assert (one["forced"], one["logProb"]) == (other["forced"], pytest.approx(other["logProb"], abs=1e-5))


@pytest.mark.parametrize("changes", ["const both = {};", CHANGES], ids=["plain", "changed"])
def test_the_beams_tree_is_that_of_the_engine(page: Any, changes: str) -> None:
    script = f"""async ([src, trg]) => {{
      {changes}
      const options = {{ ...both, start: 1, end: 2, forbidden: [3], limit: 7, beam: 3, alpha: 0.6, prefix: [6] }};
      return [beamSearch(here, src, options), await there.beamSearch(src, options)];
    }}"""
    near, far = page.evaluate(script, [SRC, TRG])
    assert len(near["nodes"]) == len(far["nodes"])
    for one, other in zip(near["nodes"] + near["finished"], far["nodes"] + far["finished"], strict=True):
        assert one == {name: value if name == "ids" else pytest.approx(value) for name, value in other.items()}


def test_the_page_has_all_weights_for_the_arithmetic_it_shows(page: Any) -> None:
    script = "() => [difference(here.weights, there.weights), [...there.weights.keys()].length]"
    largest, number = page.evaluate(script)
    assert (largest, number > 50) == (0, True)


def test_what_the_server_refuses_is_a_problem_for_the_person(page: Any) -> None:
    script = """async () => {
      const said = (error) => [error instanceof Problem, error.message];
      const refused = await there.forward([99, 2], [1]).catch(said);
      const fetched = window.fetch;
      window.fetch = () => Promise.reject(new TypeError("no network"));
      const gone = await there.forward([4, 2], [1]).catch(said);
      window.fetch = fetched;
      return [refused, gone];
    }"""
    refused, gone = page.evaluate(script)
    assert refused == [True, "src: the largest id of the vocabulary is 10."]
    assert gone[0]
    assert "still running" in gone[1]
