// Surgery: heads silenced or made uniform, neurons put to zero, activations from another sentence; what each cut costs.

import { bothRows, comparison, computes, lossOf, rowsOf } from "glass/before.js";
import { attentions, cutInWords, isCut, place, toggleCut } from "glass/cuts.js";
import { h, number, redraw, toggle } from "glass/dom.js";
import { asPython, editMap } from "glass/engine/edits.js";
import { boxes } from "glass/panels/boxes.js";
import { neurons } from "glass/panels/neurons.js";
import { scan } from "glass/panels/scan.js";
import { swapping } from "glass/panels/swap.js";

function mount(root, lab) {
  const view = (name) => h("section", { class: "view part", "aria-label": name });
  const cuts = h("section", { class: "cuts", "aria-label": "Cuts" });
  const [heads, effect, strip] = ["Heads", "What it did", "Where it shows"].map(view);
  const [costs, cells, swaps] = ["One head at a time", "Neurons", "From another sentence"].map(view);
  root.append(cuts, h("div", { class: "two" }, heads, effect), strip, costs, h("div", { class: "two" }, cells, swaps));
  const compare = comparison(() => draw());
  const parts = [scan(costs, lab), neurons(cells, lab), swapping(swaps, lab)];
  function draw() {
    if (!lab.pass) return;
    redraw(cuts, cutList(lab));
    redraw(heads, headGrid(lab));
    redraw(effect, h("h3", {}, "What it did"), compare(lab));
    redraw(strip, boxes(lab));
    for (const part of parts) part();
  }
  return draw;
}

function cutList(lab) {
  const { edits } = lab.state;
  if (edits.length === 0) {
    return [
      h("h3", {}, "Cuts"),
      h(
        "p",
        { class: "note" },
        computes(lab)
          ? "None yet: this is the model as it was trained. Switch off a head, or scan them all."
          : "This page is a recording and computes nothing new, so nothing can be cut.",
      ),
    ];
  }
  const python = inPython(lab);
  const said = h("span", { role: "status" });
  const copy = async () => {
    await navigator.clipboard?.writeText(python).catch(() => null);
    said.textContent = "copied";
  };
  const undo = (edit, at) =>
    h(
      "button",
      {
        type: "button",
        "data-key": `undo ${at}`,
        "aria-label": `undo ${cutInWords(edit)}`,
        onclick: () => lab.set({ edits: edits.filter((each) => each !== edit) }),
      },
      "undo",
    );
  return [
    h("h3", {}, `Cuts: ${edits.length}`),
    h(
      "ul",
      { class: "findings" },
      edits.map((edit, at) => h("li", {}, cutInWords(edit), " ", undo(edit, at))),
    ),
    h(
      "div",
      { class: "controls" },
      h("button", { type: "button", "data-key": "undo cuts", onclick: () => lab.set({ edits: [] }) }, "undo all cuts"),
      h("button", { type: "button", "data-key": "copy cuts", onclick: copy }, "copy as Python"),
      said,
    ),
    h("pre", { class: "python", tabindex: "0", role: "region", "aria-label": "the cuts as Python" }, python),
  ];
}

function inPython(lab) {
  const { imports, dictionary } = asPython(lab.state.edits);
  const swaps = lab.state.edits.some(({ kind }) => kind === "swap");
  const other = swaps ? lab.readSource(lab.state.other || lab.sentence) : null;
  return [
    imports,
    ...(other ? ["with watch(model) as other:", `    model(torch.tensor([[${other.join(", ")}]]), trg[:, :-1])`] : []),
    `with watch(model, edit=${dictionary}) as seen:`,
    "    out = model(src, trg[:, :-1])",
  ].join("\n");
}

// A switch for every head, and one for each attention as a whole.
function headGrid(lab) {
  const all = attentions(lab);
  const places = Array.from({ length: Math.max(...all.map(({ heads }) => heads)) }, (_, head) => head);
  const still = !computes(lab);
  const cut = (label, edit, words) =>
    toggle(label, isCut(lab, edit), () => toggleCut(lab, edit), {
      "data-key": `cut ${JSON.stringify(edit)}`,
      "aria-label": words,
      disabled: still,
    });
  const oneHead = (name, head) => {
    const edit = { name, kind: "zero", head };
    return cut(isCut(lab, edit) ? "off" : "on", edit, `${place(name)} head ${head} off`);
  };
  return [
    h("h3", {}, "Heads"),
    h(
      "p",
      { class: "note" },
      "A head that is off has weights of 0 and hands on nothing. “uniform” leaves a whole attention ",
      "its open keys, but no choice among them.",
    ),
    h(
      "div",
      { class: "scroller", tabindex: "0", role: "region", "aria-label": "switches of the heads" },
      h(
        "table",
        { class: "heads" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col" }, "attention"),
            places.map((head) => h("th", { scope: "col" }, h("span", { class: "ax ax-h" }, "h"), `=${head}`)),
            h("th", { scope: "col" }, "all heads"),
          ),
        ),
        h(
          "tbody",
          {},
          all.map(({ name, heads }) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, place(name)),
              places.map((head) => h("td", {}, head < heads ? oneHead(name, head) : null)),
              h("td", {}, cut("uniform", { name, kind: "uniform" }, `${place(name)} uniform`)),
            ),
          ),
        ),
      ),
    ),
  ];
}

// Which of four heads costs most? Computed once for a sentence.
const costs = { key: "", heads: [] };

function quiz(lab) {
  if (!lab.payload.live) return null;
  const key = JSON.stringify([lab.entry.id, lab.src, lab.trg]);
  if (costs.key !== key) Object.assign(costs, { key, heads: costsOfSome(lab) });
  const { heads } = costs;
  const dearest = heads.reduce((best, { cost }, at) => (cost > heads[best].cost ? at : best), 0);
  return {
    ask: "One of these heads is switched off. Which one costs this sentence the most loss?",
    choices: heads.map(({ words }) => words),
    right: dearest,
    because: `${heads.map(({ words, cost }) => `${words}: ${cost < 0 ? "" : "+"}${number(cost)}`).join("; ")}.`,
  };
}

function costsOfSome(lab) {
  const all = attentions(lab).flatMap(({ name, heads }) =>
    Array.from({ length: heads }, (_, head) => ({ name, kind: "zero", head })),
  );
  const usual = lossOf(bothRows(lab).before);
  const some = new Set([0, 1, 2, 3].map((at) => all[Math.floor((at * (all.length - 1)) / 3)]));
  return [...some].map((edit) => {
    const pass = lab.model.forward(lab.src, lab.trg, { edit: editMap([edit]) });
    const cost = lossOf(rowsOf(pass, lab.asked, lab.model.config.trg_pad_idx)) - usual;
    return { words: `${place(edit.name)} head ${edit.head}`, cost };
  });
}

export const surgery = {
  id: "surgery",
  title: "Surgery",
  mount,
  quiz,
  line:
    "Switch off heads and neurons, or swap in values of another sentence. Each cut shows at once what it cost, " +
    "here and in every room.",
};
