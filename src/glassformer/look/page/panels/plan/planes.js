// A tensor in small: a picture for each head, a row for each position. Each cell can be put under the microscope.

import { thumbnail } from "glass/cells.js";
import { signedColour, weightColour } from "glass/colour.js";
import { h, number, readable } from "glass/dom.js";
import { lettersOf } from "glass/panels/plan/letters.js";

const HIDDEN = -1e30; // below it: the fill of a masked energy
const WIDEST = 512; // columns; of more than that the strongest are shown
const SHOWN = 256; // of them
const ROOM = 340; // pixels

// The pictures with their caption. `pick(index)` is told of a click or Enter, index with every axis.
export function planes(lab, pass, name, tensor, pick) {
  const view = viewOf(tensor, lettersOf(lab, name, tensor));
  const label = labels(lab, pass, name);
  const isWeight = tensor.data instanceof Uint8Array || /(\.attention|probabilities)$/.test(name);
  const scale = tensor.data.reduce((most, each) => (each > HIDDEN ? Math.max(most, Math.abs(each)) : most), 0);
  const colour = (value) => (isWeight || value <= HIDDEN ? weightColour(value) : signedColour(value, scale));
  const value = (at) => tensor.data[view.place(...at)];
  const [columns, room] = [view.columns.length, view.planes > 1 ? ROOM / 2 - 8 : ROOM];
  const wide = Math.max(1, Math.min(18, Math.floor(room / columns)));
  const tall = Math.max(wide, Math.min(12, Math.floor(ROOM / view.rows)));
  const caption = h("p", { class: "caption", "aria-live": "polite" }, "Point at a cell, or use the arrow keys.");
  const frames = Array.from({ length: view.planes }, () => h("i", { class: "frame", hidden: true }));
  let here = [0, 0, 0];

  const show = (at) => {
    frames.forEach((frame, plane) => (frame.hidden = !at || plane !== at[0]));
    if (!at) return;
    here = at;
    const style = frames[at[0]].style;
    style.setProperty("translate", `${at[2] * wide}px ${at[1] * tall}px`);
    style.setProperty("width", `${wide}px`);
    style.setProperty("height", `${tall}px`);
    caption.textContent =
      `${view
        .axes(...at)
        .map((each) => label(...each))
        .filter(Boolean)
        .join(", ")}: ` + (value(at) <= HIDDEN ? "hidden by the mask" : number(value(at)));
  };
  const inside = ([plane, row, column]) => [plane, clamp(row, view.rows), clamp(column, columns)];
  const under = (event) => {
    const canvas = event.target.closest("figure")?.querySelector("canvas");
    if (!canvas) return null;
    const box = canvas.getBoundingClientRect();
    const [down, right] = [(event.clientY - box.top) / tall, (event.clientX - box.left) / wide];
    return inside([Number(canvas.dataset.plane), Math.floor(down), Math.floor(right)]);
  };
  const pictures = frames.map((frame, plane) =>
    h(
      "figure",
      {},
      h(
        "div",
        { class: "picture" },
        thumbnail(view.rows, columns, (row, column) => colour(value([plane, row, column])), {
          "data-plane": plane,
          style: { width: `${wide * columns}px`, height: `${tall * view.rows}px` },
        }),
        frame,
      ),
      view.planes > 1 ? h("figcaption", {}, `head ${plane}`) : null,
    ),
  );
  const stage = h(
    "div",
    {
      class: "planes",
      tabindex: "0",
      role: "group",
      "data-key": "planes",
      "aria-label": `Cells of ${name}. Arrow keys move, Page Up and Page Down change the head, Enter opens a cell.`,
      onpointermove: (event) => show(under(event)),
      onpointerleave: () => show(null),
      onfocus: (event) => event.target.matches(":focus-visible") && show(here),
      onblur: () => show(null),
      onclick: (event) => {
        const at = under(event);
        if (at) pick(view.index(...at));
      },
      onkeydown: (event) => {
        const [plane, row, column] = MOVES[event.key] ?? [];
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        if (event.key === "Enter" || event.key === " ") pick(view.index(...here));
        else if (plane !== undefined) {
          show(inside([clamp(here[0] + plane, view.planes), here[1] + row, here[2] + column]));
        } else return;
        event.preventDefault();
      },
    },
    pictures,
  );
  const left = view.all - columns;
  return h(
    "div",
    { class: "tensor" },
    h("div", { class: "scroller", tabindex: "-1" }, stage),
    caption,
    left ? h("p", { class: "note" }, `The ${columns} columns with the largest numbers; ${left} are left out.`) : null,
  );
}

const MOVES = {
  ArrowUp: [0, -1, 0],
  ArrowDown: [0, 1, 0],
  ArrowLeft: [0, 0, -1],
  ArrowRight: [0, 0, 1],
  PageUp: [-1, 0, 0],
  PageDown: [1, 0, 0],
};
const clamp = (at, size) => Math.min(size - 1, Math.max(0, at));

// Which axis is a picture, which its rows and columns; n is always the first sentence.
function viewOf(tensor, letters) {
  const { shape } = tensor;
  const rank = shape.length;
  const [plane, row] = rank < 4 ? [-1, rank - 2] : letters[2] === "h" ? [2, 1] : [1, 2];
  const all = shape[rank - 1];
  const index = (a, r, c) => {
    const at = shape.map(() => 0);
    if (plane >= 0) at[plane] = a;
    if (row >= 0) at[row] = r;
    at[rank - 1] = columns[c];
    return at;
  };
  const rows = row >= 0 ? shape[row] : 1;
  const columns = all > WIDEST ? strongest(tensor, all) : Array.from({ length: all }, (_, i) => i);
  const place = (a, r, c) => index(a, r, c).reduce((sum, i, axis) => sum * shape[axis] + i, 0);
  return {
    planes: plane >= 0 ? shape[plane] : 1,
    rows,
    columns,
    all,
    index,
    place,
    axes: (...at) => index(...at).map((i, axis) => [letters[axis], i]),
  };
}

// The columns that hold the largest numbers, in their own order.
function strongest(tensor, all) {
  const most = new Float64Array(all).fill(-Infinity);
  for (let at = 0; at < tensor.data.length; at++) most[at % all] = Math.max(most[at % all], tensor.data[at]);
  const order = Array.from(most.keys()).sort((a, b) => most[b] - most[a] || a - b);
  return order.slice(0, SHOWN).sort((a, b) => a - b);
}

// What index i of an axis stands for, in words.
function labels(lab, pass, name) {
  const { asks, answers } = lab.axesOf(name, pass);
  const words = { q: asks, k: answers, s: lab.words(pass.src, "src"), t: lab.words(pass.trg, "trg") };
  const names = { h: "head", d: "channel", e: "channel", f: "channel", _: "", n: "" };
  return (letter, i) => {
    if (letter === "1" || (letter === "n" && i === 0)) return "";
    if (letter === "v") return `“${readable(lab.vocab.trg.piece(i))}”`;
    if (letter in words) return `“${readable(words[letter][i] ?? String(i))}”`;
    return `${names[letter] ?? letter} ${i}`.trim();
  };
}
