// Attention wall: every map of every head in small, one of them large, growing with the answer.

import { cellMap, thumbnail } from "glass/cells.js";
import { signedColour, weightColour } from "glass/colour.js";
import { h, number, percent, readable, redraw, toggle } from "glass/dom.js";
import { difference } from "glass/numbers.js";
import { PARTS, kept, mapOf, statistics, tapOf } from "glass/panels/wall/heads.js";
import { lines } from "glass/panels/wall/lines.js";

const TITLES = {
  encoder: ["Encoder self-attention", "the source asks the source"],
  decoder: ["Decoder self-attention", "the target asks the target so far"],
  cross: ["Cross-attention", "the target asks the source"],
};
const MANY = 6; // heads in a layer; with more the pictures are smaller
const ROOM = 620; // pixels that the large map would like
const SHADES = Array.from({ length: 256 }, (_, at) => weightColour((at / 255) ** 2));

// weightColour from a table: a wall of long sentences has hundreds of thousands of cells.
const shade = (weight) => SHADES[Math.round(255 * Math.sqrt(Math.min(1, weight)))];

function mount(root, lab) {
  const controls = h("div", { class: "controls" });
  const small = h("div", { class: "wall-small", onkeydown: (event) => move(event, small, lab) });
  const large = h("section", { class: "wall-large", "aria-label": "The chosen map" });
  root.append(controls, h("div", { class: "wall-rooms" }, small, large));
  const drawLarge = largeMap(large, lab);
  return () => {
    if (!lab.pass) return;
    redraw(controls, controlsOf(lab));
    redraw(
      small,
      PARTS.map((part) => block(lab, part)),
    );
    drawLarge();
  };
}

// {part, layer, head}: the map that the state names, or the first cross-attention's.
function chosen(lab) {
  const [part, layer, head] = lab.state.head.split(".");
  const place = { part, layer: Number(layer), head: head === "mean" ? head : Number(head) };
  const tensor = PARTS.includes(part) && lab.looked.pass.taps.get(tapOf(part, place.layer));
  const isThere = tensor && (head === "mean" || tensor.shape[1] > place.head);
  return isThere ? place : { part: "cross", layer: 0, head: 0 };
}

const idOf = ({ part, layer, head }) => `${part}.${layer}.${head}`;

// The maps of a part, a list for each layer: its heads, then their mean.
function layersOf(lab, part) {
  const { config } = lab.model;
  const decoding = part !== "encoder";
  const count = decoding ? (config.decoder_layers ?? config.num_layers) : config.num_layers;
  const heads = decoding ? (config.decoder_heads ?? config.heads) : config.heads;
  return Array.from({ length: count }, (_, layer) =>
    [...Array.from({ length: heads }, (_, head) => head), "mean"].map((head) => ({ part, layer, head })),
  );
}

// How much of a map is there: rows that were written, and columns that they may look at.
function written(lab, part, map) {
  const { rows } = lab.looked;
  if (part === "encoder") return [map.rows, map.columns];
  return [rows, part === "decoder" ? rows : map.columns];
}

// Whether changes can be set against the unchanged model: only where both read the same target.
const comparing = (lab) => lab.changed && lab.state.difference && lab.looked.pass === lab.pass;

// What stands in the cells of a map: weights, or what was changed about them.
function shownIn(lab, place) {
  const map = mapOf(lab.looked.pass, place);
  const [rows, columns] = written(lab, place.part, map);
  const part = { ...map, rows, columns };
  if (!comparing(lab)) return { ...part, colour: (row, column) => shade(map.at(row, column)) };
  const before = mapOf(lab.plain, place);
  const change = (row, column) => map.at(row, column) - before.at(row, column);
  const scale = largestChange(lab);
  return { ...part, before, colour: (row, column) => signedColour(change(row, column), scale) };
}

// Over all maps of the wall, so that one colour means one size.
const largestChange = ({ pass, plain }) =>
  kept(pass, "largest change", () =>
    Math.max(
      ...[...pass.taps.keys()]
        .filter((name) => name.endsWith("_attention.attention"))
        .map((name) => difference(pass.taps.get(name), plain.taps.get(name))),
    ),
  );

function controlsOf(lab) {
  const { answer, state } = lab;
  const last = answer ? answer.read.length - 1 : 0;
  const step = state.step < 0 ? last : Math.min(state.step, last);
  const compare = () => lab.set({ difference: !comparing(lab), step: -1 }, { quiet: true });
  const to = (at) => lab.set({ step: at }, { quiet: true });
  const button = (key, words, at, disabled, props = {}) =>
    h(
      "button",
      { type: "button", "data-key": key, disabled: !answer || disabled, onclick: () => to(at), ...props },
      words,
    );
  return [
    button("first", "|◀ start", 0, state.step === 0),
    button("back", "◀ back", step - 1, step === 0),
    button("step", "step ▶", step + 1, state.step < 0 || step === last, { class: "main" }),
    button("all", "all ▶|", -1, state.step < 0),
    h(
      "span",
      { class: "note", role: "status" },
      state.step < 0
        ? "The whole target at once, as in training."
        : `After ${step} written token${step === 1 ? "" : "s"}: ${step + 1} row${step ? "s" : ""}.`,
    ),
    lab.changed ? toggle("difference", comparing(lab), compare) : null,
  ];
}

// One part of the model: a row of small maps for each layer.
function block(lab, part) {
  const layers = layersOf(lab, part);
  const id = idOf(chosen(lab));
  const [title, what] = TITLES[part];
  return h(
    "section",
    { class: layers[0].length > MANY ? "wall-part many" : "wall-part" },
    h("h3", {}, title, h("span", { class: "of" }, `: ${what}`)),
    layers.map((places, layer) =>
      h(
        "div",
        { class: "wall-layer", role: "group", "aria-label": `${title}, layer ${layer}` },
        h("span", { class: "note", "aria-hidden": "true" }, `layer ${layer}`),
        h(
          "div",
          { class: "wall-heads", style: { "--count": places.length } },
          places.map((place) => smallMap(lab, place, idOf(place) === id)),
        ),
      ),
    ),
  );
}

function smallMap(lab, place, isChosen) {
  const map = shownIn(lab, place);
  const { caption } = statistics(lab, lab.looked.pass, place, map);
  const shape = Math.min(2, Math.max(0.5, map.columns / map.rows));
  return h(
    "button",
    {
      type: "button",
      class: "wall-head",
      "aria-pressed": String(isChosen),
      tabindex: isChosen ? "0" : "-1",
      "data-key": `head ${idOf(place)}`,
      "aria-label": `${headName(place)}: ${caption}`,
      title: caption,
      onclick: () => lab.set({ head: idOf(place) }, { quiet: true }),
    },
    thumbnail(map.rows, map.columns, map.colour, { "aria-hidden": "true", style: { "aspect-ratio": String(shape) } }),
    h("span", {}, place.head === "mean" ? "mean" : [h("i", {}, "head "), String(place.head)]),
    h("small", {}, caption),
  );
}

// Arrow keys: along a layer, and to the same place in the layer above or below, through all three parts.
function move(event, small, lab) {
  if (!event.key.startsWith("Arrow") || event.ctrlKey || event.metaKey || event.altKey) return;
  const layers = PARTS.flatMap((part) => layersOf(lab, part)).map((places) => places.map(idOf));
  const id = event.target.dataset.key?.replace("head ", "");
  const layer = layers.findIndex((ids) => ids.includes(id));
  if (layer < 0) return;
  const at = layers[layer].indexOf(id);
  const next = {
    ArrowLeft: layers[layer][at - 1],
    ArrowRight: layers[layer][at + 1],
    ArrowUp: layers[layer - 1]?.[Math.min(at, layers[layer - 1].length - 1)],
    ArrowDown: layers[layer + 1]?.[Math.min(at, layers[layer + 1].length - 1)],
  }[event.key];
  event.preventDefault();
  if (!next) return;
  small.querySelector(`[data-key="head ${next}"]`).focus();
  lab.set({ head: next }, { quiet: true });
}

// The words of a map that were written: who asks, who answers.
function wordsOf(lab, place, map) {
  const { asks, answers } = lab.axesOf(tapOf(place.part, place.layer), lab.looked.pass);
  return { asks: asks.slice(0, map.rows), answers: answers.slice(0, map.columns) };
}

// The function that draws the chosen map with its words, its numbers, and its lines.
function largeMap(root, lab) {
  return () => {
    const place = chosen(lab);
    const map = shownIn(lab, place);
    const { asks, answers } = wordsOf(lab, place, map);
    const beside = h("div", { class: "wall-lines", tabindex: "0", role: "region", "aria-label": "The same as lines" });
    let hovered;
    const hover = (row) => {
      if (row === hovered) return;
      hovered = row;
      beside.replaceChildren(lines(asks, answers, map.at, row));
    };
    hover(null);
    const name = `${TITLES[place.part][0]}, layer ${place.layer}, ${headName(place)}`;
    redraw(
      root,
      h("h3", {}, name),
      figures(statistics(lab, lab.looked.pass, place, map), comparing(lab)),
      h(
        "div",
        { class: "wall-views" },
        cellMap({
          name,
          key: "large map",
          rows: asks,
          columns: answers,
          colour: map.colour,
          hover,
          cell: Math.max(12, Math.min(34, Math.floor(ROOM / Math.max(map.rows, map.columns)))),
          marked: markedIn(lab, place, map),
          text: (row, column) => cellText(map, row, column),
          say: (row, column) => sentence(asks[row], answers[column], map, row, column),
          pick: (row, column) =>
            lab.open(tapOf(place.part, place.layer), [0, headAt(lab, place, row, column), row, column]),
        }),
        beside,
      ),
    );
  };
}

const headName = ({ head }) => (head === "mean" ? "mean of all heads" : `head ${head}`);

// Percent, or percent more or less than before; a dot is exactly 0.
function cellText(map, row, column) {
  const weight = map.at(row, column);
  if (!map.before) return weight === 0 ? "·" : String(Math.round(100 * weight));
  const change = Math.round(100 * (weight - map.before.at(row, column)));
  return change === 0 ? "" : `${change > 0 ? "+" : "−"}${Math.abs(change)}`;
}

function sentence(ask, answer, map, row, column) {
  const now = `“${readable(ask)}” gives ${percent(map.at(row, column))} to “${readable(answer)}”`;
  return map.before ? `${now}; unchanged: ${percent(map.before.at(row, column))}` : `${now}.`;
}

// The head that a cell of the map opens: of the mean the one with the largest weight there.
function headAt(lab, { part, layer, head }, row, column) {
  if (head !== "mean") return head;
  const heads = layersOf(lab, part)[layer].slice(0, -1);
  const at = (place) => mapOf(lab.looked.pass, place).at(row, column);
  return heads.reduce((best, each) => (at(each) > at(best) ? each : best)).head;
}

// The cell under the microscope, where it is one of this map.
function markedIn(lab, { part, layer, head }, map) {
  const [tap, index] = lab.state.cell.split("@");
  const [, ofHead, row, column] = (index ?? "").split(".").map(Number);
  return tap === tapOf(part, layer) && ofHead === head && row < map.rows && column < map.columns ? [row, column] : null;
}

function figures(found, isDifference) {
  const pair = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  return [
    h("p", {}, found.sentence),
    h(
      "dl",
      { class: "wall-figures" },
      pair("entropy", `${number(found.entropy)} of ${number(found.most_entropy)} bits`),
      pair("largest weight", percent(found.peak)),
      found.distance === null ? null : pair("mean distance", `${number(found.distance)} words`),
      found.on_padding > 0 ? pair("on padding", percent(found.on_padding)) : null,
    ),
    isDifference
      ? h("p", { class: "note" }, "Weights minus the unchanged model's, in percent: blue is less, red is more.")
      : null,
  ];
}

// Where does this head look most?
function quiz(lab) {
  const place = chosen(lab);
  const map = shownIn(lab, place);
  const { asks, answers } = wordsOf(lab, place, map);
  const row = place.part === "decoder" ? map.rows - 1 : Math.min(lab.state.row, map.rows - 1);
  if (answers.length < 2) return null;
  const order = answers.map((_, at) => at).sort((a, b) => map.at(row, b) - map.at(row, a) || a - b);
  const label = (at) => `${readable(answers[at])} (${at + 1})`;
  const shown = order.slice(0, 4).sort((a, b) => a - b);
  const [title] = TITLES[place.part];
  const reads = `“${readable(asks[row])}” (${row + 1})`;
  return {
    ask: `${title}, layer ${place.layer}, ${headName(place)}: which word gets most weight from ${reads}?`,
    choices: shown.map(label),
    right: shown.indexOf(order[0]),
    because: `It has ${percent(map.at(row, order[0]))} of the weight.`,
  };
}

export const wall = {
  id: "wall",
  title: "Attention wall",
  mount,
  quiz,
  line:
    "Who looks at whom, in every head of every layer. A row asks, its columns answer, and a row adds up to 100 %. " +
    "Choose a map to see it large; a cell opens the microscope.",
};
