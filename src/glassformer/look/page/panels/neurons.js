// The hidden activations of one feed-forward: where it fires, and which neuron to silence.

import { computes } from "glass/before.js";
import { cellMap, thumbnail } from "glass/cells.js";
import { signedColour } from "glass/colour.js";
import { place, toggleCut } from "glass/cuts.js";
import { choice, h, number, readable, redraw } from "glass/dom.js";

const SHOWN = 24; // neurons that can be picked

// The function that draws them.
export function neurons(root, lab) {
  let picked = "";
  let marked = null; // the cell that was clicked last: [row, place among those shown]
  const silence = (row, at, edit) => {
    marked = [row, at];
    toggleCut(lab, edit);
  };
  return function draw() {
    const names = [...lab.pass.taps.keys()].filter((name) => name.endsWith("feed_forward.hidden"));
    const name = names.includes(picked) ? picked : names.at(-1);
    const pick = (each) => {
      picked = each;
      marked = null;
      draw();
    };
    const layers = names.map((each) => [each, place(each.replace(".hidden", ""))]);
    redraw(
      root,
      h("h3", {}, "Neurons"),
      h("div", { class: "controls" }, choice("hidden of", layers, name, pick)),
      strip(lab, name, marked, silence),
    );
  };
}

function strip(lab, name, marked, silence) {
  const [hidden, uncut] = [lab.pass.taps.get(name), lab.plain.taps.get(name)];
  const [, rows, size] = hidden.shape;
  const side = name.startsWith("encoder") ? "src" : "trg";
  const words = lab.words(lab[side], side);
  const peaks = new Float64Array(size);
  uncut.data.forEach((value, at) => (peaks[at % size] = Math.max(peaks[at % size], Math.abs(value))));
  const strongest = [...peaks.keys()].sort((a, b) => peaks[b] - peaks[a] || a - b);
  const silenced = lab.state.edits
    .filter((edit) => edit.name === name && edit.channel !== undefined)
    .map(({ channel }) => channel);
  const shown = [...new Set([...strongest.slice(0, SHOWN), ...silenced])];
  const value = (row, channel) => hidden.data[row * size + channel];
  const colour = (row, channel) => signedColour(value(row, channel), peaks[strongest[0]]);
  const silent = peaks.filter((peak) => peak === 0).length;
  return [
    h(
      "p",
      { class: "note" },
      `All ${size} neurons at ${rows} positions; ${silent} of them never fire in this sentence.`,
    ),
    thumbnail(rows, size, colour, {
      class: "thumbnail neurons",
      role: "img",
      "aria-label": `${size} neurons at ${rows} positions`,
    }),
    h(
      "p",
      { class: "note" },
      `The ${Math.min(SHOWN, size)} that fire most, before any cut. A click puts a neuron to zero (×) everywhere; `,
      "a second one undoes it.",
    ),
    cellMap({
      name: `hidden activations of ${place(name)}`,
      rows: words,
      sides: ["position", "neuron"],
      key: "neurons",
      cell: 26,
      columns: shown.map((channel) => (silenced.includes(channel) ? `×${channel}` : String(channel))),
      colour: (row, at) => colour(row, shown[at]),
      say: (row, at) => `${readable(words[row])}, neuron ${shown[at]}: ${number(value(row, shown[at]))}`,
      pick: computes(lab) ? (row, at) => silence(row, at, { name, kind: "zero", channel: shown[at] }) : undefined,
      marked: marked?.[0] < rows && marked[1] < shown.length ? marked : null,
    }),
  ];
}
