// One head at a time: every head is switched off in turn, in small slices, and shows the loss it costs.

import { computes, lossOf, rowsOf } from "glass/before.js";
import { h, number, redraw } from "glass/dom.js";
import { editMap } from "glass/engine/edits.js";
import { attentions, place, toggleCut } from "glass/cuts.js";

const SLICE = 12; // milliseconds of computing before the page may do something else

// The function that draws the scan.
export function scan(root, lab) {
  let known = ""; // the sentence that the costs belong to
  let costs = [];
  let running = false;
  const keyOf = () => JSON.stringify([lab.entry.id, lab.src, lab.trg]);

  async function run() {
    const { src, trg, asked, model, plain } = lab;
    const padId = model.config.trg_pad_idx;
    const usual = lossOf(rowsOf(plain, asked, padId));
    const key = keyOf();
    [known, costs, running] = [key, [], true];
    let began = performance.now();
    for (const { name, heads } of attentions(lab)) {
      for (let head = 0; head < heads; head++) {
        const edit = { name, kind: "zero", head };
        const pass = await model.forward(src, trg, { edit: editMap([edit]), edits: [edit] });
        costs.push({ edit, cost: lossOf(rowsOf(pass, asked, padId)) - usual });
        if (performance.now() - began < SLICE) continue;
        draw();
        await new Promise((resume) => setTimeout(resume));
        if (keyOf() !== key) return void stop();
        began = performance.now();
      }
    }
    stop();
  }

  function stop() {
    running = false;
    draw();
  }

  function draw() {
    const current = known === keyOf();
    const sorted = current ? [...costs].sort((a, b) => b.cost - a.cost) : [];
    const most = Math.max(...sorted.map(({ cost }) => Math.abs(cost)), 1e-12);
    redraw(
      root,
      h("h3", {}, "One head at a time"),
      h(
        "p",
        { class: "note" },
        "Each head of the uncut model is switched off alone. The bar is what that adds to this sentence's loss; " +
          "a click makes the cut.",
      ),
      h(
        "button",
        { type: "button", class: "main", "data-key": "scan", disabled: running || !computes(lab), onclick: run },
        running ? `scanning … ${costs.length}` : "scan every head",
      ),
      h(
        "ol",
        { class: "bars costs", "aria-label": "what each head costs" },
        sorted.map(({ edit, cost }) =>
          h(
            "li",
            {},
            h(
              "button",
              {
                type: "button",
                class: "chip",
                "data-key": `cost ${edit.name} ${edit.head}`,
                onclick: () => toggleCut(lab, edit),
              },
              `${place(edit.name)} h=${edit.head}`,
            ),
            h(
              "span",
              { class: cost < 0 ? "share gain" : "share", style: { "--share": Math.abs(cost) / most } },
              h("i", { "aria-hidden": "true" }),
              `${cost < 0 ? "" : "+"}${number(cost)}`,
            ),
          ),
        ),
      ),
    );
  }
  return draw;
}
