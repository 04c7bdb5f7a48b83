// The footer of honesty: what is computed here, how far it is from PyTorch, and the same view as Python.

import { blob } from "glass/blobs.js";
import { h, number, redraw } from "glass/dom.js";
import { asPython } from "glass/engine/edits.js";
import { Model } from "glass/engine/model.js";
import { masksOf } from "glass/masks.js";
import { difference } from "glass/numbers.js";

// The function that draws the footer into `root`.
export function footer(root, lab) {
  let measured = null;
  const copied = h("span", { role: "status" });
  const python = h("pre", { class: "python", tabindex: "0", role: "region", "aria-label": "the same as Python" });
  const facts = h("dl");
  const copy = h(
    "button",
    {
      type: "button",
      onclick: async () => {
        await navigator.clipboard?.writeText(python.textContent).catch(() => null);
        copied.textContent = " copied";
      },
    },
    "copy as Python",
  );
  root.append(
    h("h2", { class: "small" }, "What is real here"),
    facts,
    h("details", {}, h("summary", {}, "The same as Python"), python, copy, copied),
  );
  // Measured when nothing else is to be done: it runs the reference sentence in both precisions.
  if (lab.payload.live) {
    requestIdleCallback(() => {
      measured = measure(lab.payload);
      draw();
    });
  }
  return draw;

  function draw() {
    redraw(
      facts,
      rows(lab, measured).map(([term, words]) => h("div", {}, h("dt", {}, term), h("dd", {}, words))),
    );
    python.textContent = asCode(lab);
  }
}

// The largest difference to PyTorch over memory, decoded and logits of the reference sentence, in both precisions.
function measure(payload) {
  const [entry] = payload.models;
  const { reference } = payload;
  const largest = (precision) => {
    const { taps } = Model.fromBytes(entry, blob(entry.blob), precision).forward(reference.src, reference.trg);
    return Math.max(
      ...Object.entries(reference.taps).map(([name, each]) =>
        difference(taps.get(name), { shape: each.shape, data: new Float64Array(blob(each.blob).buffer) }),
      ),
    );
  };
  return { float32: largest("float32"), float64: largest("float64") };
}

function rows(lab, measured) {
  const { payload, entry } = lab;
  const how = payload.live
    ? "every number on this page is computed here, in your browser, from the model's weights"
    : payload.server
      ? "every number comes from the model behind this page, on 127.0.0.1"
      : "a recording of one pass: this model is too large to compute in a page";
  const rows = [["Numbers", how]];
  if (payload.live) {
    rows.push([
      "Page and PyTorch differ by",
      measured
        ? `at most ${number(measured.float32)} in float32 and ${number(measured.float64)} in float64 ` +
          `(memory, decoded and logits of “${payload.start.src}”)`
        : "measuring …",
    ]);
  }
  if (payload.reference)
    rows.push(["Rounding the weights to float16", `moves the logits by at most ${number(payload.reference.rounding)}`]);
  rows.push(["Precision", payload.live ? "weights float16, arithmetic float32" : "float32"]);
  rows.push([
    "Model",
    `${entry.label}, ${entry.facts.parameters.toLocaleString("en")} parameters, SHA-256 ${entry.hash.slice(0, 16)}…`,
  ]);
  rows.push([
    "Seeds",
    `sampling ${lab.state.seed}${entry.facts.seed === undefined ? "" : `, training ${entry.facts.seed}`}`,
  ]);
  const last = lab.milliseconds.at(-1);
  rows.push(["This view took", `${last === undefined ? "…" : last.toFixed(0)} ms`]);
  rows.push(["Read with care", "attention shows where a layer looks, not why the model answers"]);
  return rows;
}

// What is on screen as a program: the same pass, the same changes, and the number under the microscope.
function asCode(lab) {
  const { state, entry, src, asked } = lab;
  if (!src) return "";
  const changes = state.edits.length ? asPython(state.edits) : null;
  const swaps = state.edits.some((edit) => edit.kind === "swap");
  const masks = Object.entries(masksOf(state.masks, src, lab.trg, lab.model.config));
  const target = JSON.stringify([...lab.trg, asked.at(-1)]);
  const [name, index] = state.cell.split("@");
  return [
    "import torch",
    "from glassformer import load, watch",
    changes?.imports,
    masks.length ? "from glassformer.model.attention import attention" : null,
    "",
    `model, vocabularies, config = load(${JSON.stringify(entry.facts.path ?? "runs/demo")})`,
    `src = torch.tensor([${JSON.stringify(src)}])  # ${lab.sentence}`,
    `trg = torch.tensor([${target}])`,
    ...masks.flatMap(maskCode),
    ...(swaps ? otherCode(lab) : []),
    `with torch.no_grad(), watch(model${changes ? `, edit=${changes.dictionary}` : ""}) as seen:`,
    "    out = model(src, trg[:, :-1])",
    name ? `print(seen["${name}"].value[${index.split(".").join(", ")}])` : "print(out.softmax(-1)[0, -1].topk(5))",
  ]
    .filter((line) => line !== null && line !== undefined)
    .join("\n");
}

const PLACES = {
  encoder: ["encoder", "self_attention"],
  decoder: ["decoder", "self_attention"],
  cross: ["decoder", "cross_attention"],
};

// The attentions of this kind with the mask as it was clicked.
function maskCode([kind, mask]) {
  const [stack, part] = PLACES[kind];
  const [, , rows, columns] = mask.shape;
  const cells = Array.from({ length: rows }, (_, row) => [...mask.data.subarray(row * columns, (row + 1) * columns)]);
  return [
    `${kind} = torch.tensor([[${JSON.stringify(cells)}]]).bool()  # True = may attend`,
    `for layer in model.${stack}.layers:`,
    `    layer.${part}.attend = lambda queries, keys, values, mask: attention(queries, keys, values, ${kind})`,
  ];
}

// The pass that swapped activations come from.
function otherCode(lab) {
  const other = lab.readSource(lab.state.other || lab.sentence);
  return [
    "with torch.no_grad(), watch(model) as other:",
    `    model(torch.tensor([${JSON.stringify(other)}]), trg[:, :-1])`,
  ];
}
