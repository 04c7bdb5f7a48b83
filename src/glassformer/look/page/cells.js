// Cells on a canvas with the words on both axes in the document: who asks on the left, who answers on top.

import { css, inkOn } from "glass/colour.js";
import { h, readable } from "glass/dom.js";

// A picture without words: one pixel a cell, enlarged by the style sheet. `colour(row, column)` -> [r, g, b].
export function thumbnail(rows, columns, colour, props = {}) {
  const canvas = h("canvas", { width: columns, height: rows, class: "thumbnail", ...props });
  paint(canvas, rows, columns, colour);
  return canvas;
}

function paint(canvas, rows, columns, colour) {
  const pixels = new ImageData(columns, rows);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at += 4) {
      const [red, green, blue] = colour(row, column);
      pixels.data[at] = red;
      pixels.data[at + 1] = green;
      pixels.data[at + 2] = blue;
      pixels.data[at + 3] = 255;
    }
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

const places = new Map(); // key -> the cell that keyboard or pointer was last at

// A map with words on its axes, for mouse and keyboard.
//   name           what it is, for people who do not see it
//   rows, columns  words that ask, words that answer
//   colour(r, c)   [r, g, b]
//   text(r, c)     what stands in a cell that is wide enough; may be left out
//   say(r, c)      the sentence below the map for the cell under the pointer or the keyboard
//   pick(r, c)     a click or Enter
//   hover(r, c)    told where the pointer is; (null, null) when it leaves. May be left out
//   marked         [r, c] of a cell with a frame, or null
//   cell           the width and height that a cell would like, in pixels
//   sides          what rows and columns are called
//   key            the name under which the focus and the keyboard's cell survive a redraw
export function cellMap({
  name,
  rows,
  columns,
  colour,
  text,
  say,
  pick,
  hover,
  marked = null,
  cell = 34,
  sides = ["asks", "answers"],
  key = name,
}) {
  const size = Math.max(10, Math.min(cell, Math.floor(1400 / Math.max(columns.length, rows.length))));
  const dense = Math.min(3, window.devicePixelRatio || 1);
  const width = columns.length * size;
  const height = rows.length * size;
  const canvas = h("canvas", {
    width: Math.round(width * dense),
    height: Math.round(height * dense),
    "aria-hidden": "true",
    style: { width: `${width}px`, height: `${height}px` },
  });
  const caption = h("p", { class: "caption", "aria-live": "polite" }, "Point at a cell, or use the arrow keys.");
  let here = marked ?? places.get(key) ?? [0, 0];

  function draw(at = null) {
    const pen = canvas.getContext("2d");
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.font = `${Math.max(9, Math.round(size / 3.2))}px ui-monospace, monospace`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    for (let row = 0; row < rows.length; row++) {
      for (let column = 0; column < columns.length; column++) {
        const fill = colour(row, column);
        pen.fillStyle = css(fill);
        pen.fillRect(column * size, row * size, size - 1, size - 1);
        const words = text && size >= 26 ? text(row, column) : "";
        if (words) {
          pen.fillStyle = inkOn(fill);
          pen.fillText(words, column * size + size / 2 - 0.5, row * size + size / 2 + 0.5, size - 4);
        }
      }
    }
    for (const [place, ink] of [
      [marked, "#ffffff"],
      [at, "#7fa2ff"],
    ]) {
      if (!place) continue;
      pen.lineWidth = 4;
      pen.strokeStyle = "#14161f";
      pen.strokeRect(place[1] * size + 1, place[0] * size + 1, size - 3, size - 3);
      pen.lineWidth = 2;
      pen.strokeStyle = ink;
      pen.strokeRect(place[1] * size + 1, place[0] * size + 1, size - 3, size - 3);
    }
  }

  function go(row, column) {
    here = [clamp(row, rows.length), clamp(column, columns.length)];
    places.set(key, here);
    caption.textContent = say(...here);
    hover?.(...here);
    draw(here);
  }

  const under = (event) => {
    const box = canvas.getBoundingClientRect();
    return [
      Math.floor(((event.clientY - box.top) / box.height) * rows.length),
      Math.floor(((event.clientX - box.left) / box.width) * columns.length),
    ];
  };
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const stage = h(
    "div",
    {
      class: "stage",
      tabindex: "0",
      role: "group",
      "data-key": key,
      "aria-label": `${name}. ${rows.length} rows, ${columns.length} columns. Arrow keys move, Enter opens a cell.`,
      onkeydown: (event) => {
        if (event.key in moves && !event.ctrlKey && !event.metaKey && !event.altKey) {
          go(here[0] + moves[event.key][0], here[1] + moves[event.key][1]);
        } else if (event.key === "Enter" || event.key === " ") pick?.(...here);
        else return;
        event.preventDefault();
        event.stopPropagation();
      },
      onfocus: (event) => event.target.matches(":focus-visible") && go(...here),
      onblur: () => draw(),
      onpointermove: (event) => go(...under(event)),
      onpointerleave: () => {
        draw();
        hover?.(null, null);
      },
      onclick: (event) => pick?.(...under(event).map((at, i) => clamp(at, [rows.length, columns.length][i]))),
    },
    canvas,
  );
  draw();
  const map = h(
    "div",
    { class: "map", style: { "--cell": `${size}px` } },
    h("span", { class: "corner", "aria-hidden": "true" }, `${sides[0]} ↓  ${sides[1]} →`),
    h(
      "ol",
      { class: "columns", "aria-label": `columns: ${sides[1]}` },
      columns.map((each) => h("li", { title: each }, readable(each))),
    ),
    h(
      "ol",
      { class: "rows", "aria-label": `rows: ${sides[0]}` },
      rows.map((each) => h("li", { title: each }, readable(each))),
    ),
    stage,
  );
  return h("div", { class: "mapped" }, h("div", { class: "scroller", tabindex: "-1" }, map), caption);
}

const clamp = (at, size) => Math.min(size - 1, Math.max(0, at));
