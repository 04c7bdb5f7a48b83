"""The page's engine alone in a browser: its modules under their names, models opened in it, values brought back."""

import base64
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glassformer.look.export import PAGE, data_address, modules_of
from glassformer.look.pack import packed_weights
from glassformer.model.transformer import Transformer

START = """async ([entry, text, precision]) => {
  const { Model } = await import("glass/engine/model.js");
  window.opened = Model.fromBytes(entry, Uint8Array.fromBase64(text), precision);
}"""
TENSOR = """() => {
window.tensor = async ([shape, data, Kind]) => {
  const { Tensor } = await import("glass/engine/tensor.js");
  return new Tensor(shape, globalThis[Kind].from(data));
};
window.told = (tensor) => [tensor.shape, Array.from(tensor.data), tensor.Kind.name];
}"""
DTYPES = {
    "Float64Array": torch.float64,
    "Float32Array": torch.float32,
    "Uint8Array": torch.bool,
    "Int32Array": torch.int64,
}


def host_html() -> str:
    addresses = {f"glass/{name}": data_address(file.read_bytes()) for name, file in modules_of(PAGE).items()}
    import_map = json.dumps({"imports": addresses})
    return f'<!doctype html><title>engine</title><script type="importmap">{import_map}</script>'


class Engine:
    """`glass/engine/` in one page of a browser; one model is open at a time."""

    def __init__(self, browser: Any, folder: Path) -> None:
        path = folder / "engine.html"
        path.write_text(host_html(), encoding="utf-8")
        self.page = browser.new_page()
        self.page.goto(path.as_uri())
        self.page.evaluate(TENSOR)

    def open(self, model: Transformer, precision: str = "float64") -> None:
        """`window.opened` is this model, with its weights rounded to float16."""
        tensors, weights = packed_weights(model)
        entry = {"config": asdict(model.config), "tensors": tensors}
        self.page.evaluate(START, [entry, base64.b64encode(weights).decode(), precision])

    def taps(self, src: list[int], trg: list[int], changes: str = "{}") -> dict[str, Tensor]:
        """Every tap of `opened.forward(src, trg, changes)`; `changes` is JavaScript."""
        script = f"""async ([src, trg]) => {{
          const {{ taps }} = opened.forward(src, trg, {changes});
          return [...taps].map(([name, value]) => [name, ...told(value)]);
        }}"""
        return {
            name: torch.tensor(data, dtype=torch.float64).to(DTYPES[kind]).view(shape)
            for name, shape, data, kind in self.call(script, src, trg)
        }

    def call(self, script: str, *arguments: Any) -> Any:
        """What a function of JavaScript makes of one argument, or of the list of several."""
        given = arguments[0] if len(arguments) == 1 else list(arguments)
        # As one text each way: Playwright takes its time over long lists of numbers.
        wrapped = f"async (text) => JSON.stringify(await ({script})(JSON.parse(text)))"
        return json.loads(self.page.evaluate(wrapped, json.dumps(given)))
