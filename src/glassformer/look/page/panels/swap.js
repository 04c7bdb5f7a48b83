// A value of another sentence in the place of this one's.

import { computes } from "glass/before.js";
import { isCut, place, toggleCut } from "glass/cuts.js";
import { choice, h, redraw, toggle } from "glass/dom.js";

// What is read off the source alone.
const SOURCE_ONLY = [
  /^memory$/,
  /^encoder\.(embedded|positioned|layers\.\d+\.(self_attention\.attention|attended|out))$/,
  /cross_attention\.(keys|values)$/,
];

// The function that draws it.
export function swapping(root, lab) {
  let picked = "memory";
  const input = h("input", {
    type: "text",
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    oninput: () => lab.set({ other: input.value }, { quiet: true }),
  });
  const controls = h("div", { class: "controls" });
  root.append(
    h("h3", {}, "From another sentence"),
    h(
      "p",
      { class: "note" },
      "Compute another source, and put one of its values in the place of this one's. Values that come from the ",
      "source alone can be swapped. Both sentences need equally many tokens: each position takes that of the same ",
      "position. The decoder's own values grow with every word it writes, so nothing of another sentence fits them.",
    ),
    h("label", { class: "field" }, h("span", {}, "the other sentence"), input),
    controls,
  );
  return function draw() {
    if (document.activeElement !== input) input.value = lab.state.other;
    const names = [...lab.plain.taps.keys()].filter((name) => SOURCE_ONLY.some((each) => each.test(name)));
    const pick = (name) => {
      picked = name;
      draw();
    };
    const edit = { name: picked, kind: "swap" };
    const swapped = isCut(lab, edit);
    const problem = misfit(lab);
    redraw(
      controls,
      choice(
        "value",
        names.map((name) => [name, place(name)]),
        picked,
        pick,
      ),
      toggle(swapped ? "swap it back" : "swap it in", swapped, () => toggleCut(lab, edit), {
        "data-key": "swap",
        disabled: !computes(lab) || (problem !== "" && !swapped),
      }),
      h("span", { class: "note", role: "status" }, problem),
    );
  };
}

// Why the other sentence cannot lend its values; empty where it can.
function misfit(lab) {
  if (lab.state.other.trim() === "") return "Type the other sentence first.";
  try {
    const size = lab.readSource(lab.state.other).length;
    return size === lab.src.length ? "" : `It has ${size} tokens, this one ${lab.src.length}: they do not fit.`;
  } catch (error) {
    return error.message;
  }
}
