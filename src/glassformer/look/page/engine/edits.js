/**
 * Surgery as data: {name, kind: "zero" | "uniform" | "swap", head?, channel?}, for the page's address, for the engine
 * and for Python. `name` is a tap's; zero with a `head` or a `channel` (of the last axis) spares the others.
 */

import { Tensor } from "glass/engine/tensor.js";

/** name -> function for `forward(src, trg, {edit})`. A swap takes the value of `otherPass`, of the same shape. */
export function editMap(edits, otherPass = null) {
  const map = new Map();
  for (const edit of edits) {
    const earlier = map.get(edit.name) ?? ((tensor) => tensor);
    map.set(edit.name, (tensor) => edited(edit, earlier(tensor), otherPass));
  }
  return map;
}

function edited({ name, kind, head, channel }, tensor, otherPass) {
  if (kind === "swap") return otherPass.taps.get(name);
  if (kind === "uniform") return uniform(tensor);
  if (head !== undefined) return zeroAt(tensor, headAxis(name), head);
  if (channel !== undefined) return zeroAt(tensor, tensor.shape.length - 1, channel);
  return tensor.map(() => 0);
}

/** Each row's weight spread evenly over the keys that it looks at. */
function uniform(tensor) {
  const width = tensor.shape.at(-1);
  const out = Tensor.zeros(tensor.shape, tensor.Kind);
  for (let row = 0; row < tensor.size; row += width) {
    const open = tensor.data.subarray(row, row + width).map((weight) => (weight > 0 ? 1 : 0));
    const count = open.reduce((sum, each) => sum + each, 0);
    out.data.set(
      open.map((each) => each && each / count),
      row,
    );
  }
  return out;
}

/** The tensor with zeros at `index` of one axis. */
function zeroAt(tensor, axis, index) {
  const inner = tensor.shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  return tensor.map((value, place) => (Math.floor(place / inner) % tensor.shape[axis] === index ? 0 : value));
}

/** Where the heads are: (n, h, q, k) or (n, q, h, d). */
function headAxis(name) {
  return /(energy|attention)$/.test(name) ? 1 : 2;
}

/**
 * The same edits in Python: {imports, dictionary}; `dictionary` is what `watch(model, edit=...)` takes. A swap reads
 * `other`, what was seen of another pass.
 */
export function asPython(edits) {
  const names = [...new Set(edits.map((edit) => edit.name))];
  const entries = names.map((name) => {
    const chain = edits.filter((edit) => edit.name === name);
    return `${JSON.stringify(name)}: ${chain.length === 1 ? pythonFunction(chain[0]) : chained(chain)}`;
  });
  const used = [...new Set(edits.map((edit) => pythonFunction(edit).match(/^\w+/)[0]))].sort();
  return { imports: `from glassformer.look.edits import ${used.join(", ")}`, dictionary: `{${entries.join(", ")}}` };
}

function pythonFunction({ name, kind, head, channel }) {
  if (kind === "swap") return `replace_with(other[${JSON.stringify(name)}].value)`;
  if (kind === "uniform") return "uniform";
  if (head !== undefined) return `zero_head(${head}, axis=${headAxis(name)})`;
  if (channel !== undefined) return `zero_channel(${channel})`;
  return "zero";
}

/** One function after the other: the first of the chain is applied first. */
function chained(chain) {
  return `lambda value: ${chain.reduce((inner, edit) => `${pythonFunction(edit)}(${inner})`, "value")}`;
}
