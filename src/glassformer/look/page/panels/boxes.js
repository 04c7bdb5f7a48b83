// Where a change shows: every box of the model in order of computation, coloured by how far its value has moved.

import { css, inkOn, signedColour } from "glass/colour.js";
import { place } from "glass/cuts.js";
import { h, number } from "glass/dom.js";

// The taps that stand for a box: what it hands on.
const BOXES = [
  /^(memory|decoded|logits|encoder\.positioned|decoder\.positioned)$/,
  /\.(attention|hidden|attended|informed)$/,
  /(_attention|feed_forward|layers\.\d+)\.out$/,
];
const LAYER = /^(?:encoder|decoder)(?:\.layers\.\d+)?/;

// The strip: a row for each layer, a button for each box, which puts the cell that moved most under the microscope.
export function boxes(lab) {
  const moved = [...lab.plain.taps]
    .filter(([name]) => BOXES.some((each) => each.test(name)))
    .map(([name, plain]) => ({ name, ...largestMove(plain, lab.pass.taps.get(name)) }));
  const touched = moved.filter(({ share }) => share > 0).length;
  const layers = Map.groupBy(moved, ({ name }) => name.match(LAYER)?.[0] ?? name);
  return [
    h("h3", {}, "Where it shows"),
    h(
      "p",
      { class: "note" },
      `${touched} of ${moved.length} values moved, in order of computation. The number is the largest `,
      "difference, the colour its share of the largest number that was there. A click opens the cell that moved most.",
    ),
    h(
      "ol",
      { class: "boxes" },
      [...layers].map(([layer, parts]) =>
        h(
          "li",
          {},
          h("span", {}, layer.replace(".layers.", " ")),
          h(
            "ol",
            {},
            parts.map((part) => h("li", {}, box(lab, part, part.name.replace(LAYER, "").replace(/^\./, "")))),
          ),
        ),
      ),
    ),
  ];
}

function box(lab, { name, size, share, at }, label) {
  const ground = signedColour(share / 4, 1); // the pale half of the ramp: words stand on it
  const style = share > 0 ? { "--ground": css(ground), "--ink": inkOn(ground) } : {};
  const props = { type: "button", "data-key": `box ${name}`, class: share > 0 ? "moved" : null, style };
  return h(
    "button",
    { ...props, onclick: () => lab.open(name, at) },
    place(label),
    " ",
    h("b", {}, size > 0 ? number(size) : "="),
  );
}

// The largest difference of two values, where it is, and its share of the first one's largest size.
function largestMove(before, after) {
  let [size, where, scale] = [0, 0, 0];
  before.data.forEach((was, at) => {
    const move = Math.abs(after.data[at] - was);
    if (move > size) [size, where] = [move, at];
    scale = Math.max(scale, Math.abs(was));
  });
  const at = [];
  let rest = where;
  for (const axis of [...before.shape].reverse()) {
    at.unshift(rest % axis);
    rest = Math.floor(rest / axis);
  }
  return { size, share: scale > 0 ? Math.min(1, size / scale) : 0, at };
}
