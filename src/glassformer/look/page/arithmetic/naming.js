// Cells in words: which word stands at a position, what a cell is called, which one an address means.

import { placeOf } from "glass/arithmetic/places.js";

// "tap@0.3.1" -> {name, index}, or null where the pass and the model hold no such cell. Places beyond the end are
// drawn in: the sentence may have become shorter.
export function cellOf(lab, pass, text) {
  const [name, places = ""] = text.split("@");
  const shape = shapeOf(lab, pass, name);
  const index = places === "" ? [] : places.split(".").map(Number);
  if (!shape || index.length !== shape.length || !index.every((at) => Number.isInteger(at) && at >= 0)) return null;
  return { name, index: index.map((at, axis) => Math.min(at, shape[axis] - 1)) };
}

export const shapeOf = (lab, pass, name) =>
  (name === "probability" ? pass.taps.get("logits") : (pass.taps.get(name) ?? lab.model.weights?.get(name)))?.shape;

// The word at place `at` of the axis `letter` of a tap; null where the axis has numbers only.
export function wordAt(lab, pass, name, letter, at) {
  const src = () => lab.words([pass.src[at]], "src")[0];
  const trg = () => lab.words([pass.trg[at]], "trg")[0];
  const { side, part } = placeOf(name);
  if (letter === "v") return lab.words([at], side === "encoder" ? "src" : "trg")[0];
  if (letter === "s") return src();
  if (letter === "t") return lab.model.weights?.has(name) ? null : trg();
  if (letter === "q") return side === "encoder" ? src() : trg();
  if (letter === "k") return side === "encoder" || part === "cross_attention" ? src() : trg();
  return null;
}

// The largest weight of the last row of the last cross-attention: what a reader who chose nothing looks at.
export function firstCell(lab) {
  const { pass, rows } = lab.looked;
  const name = [...pass.taps.keys()].filter((each) => each.endsWith("cross_attention.attention")).at(-1);
  if (!name) return { name: "logits", index: [0, rows - 1, 0] };
  const [, heads, , keys] = pass.taps.get(name).shape;
  let index = [0, 0, rows - 1, 0];
  for (let h = 0; h < heads; h++) {
    for (let k = 0; k < keys; k++) {
      const here = [0, h, rows - 1, k];
      if (pass.taps.get(name).at(...here) > pass.taps.get(name).at(...index)) index = here;
    }
  }
  return { name, index };
}
