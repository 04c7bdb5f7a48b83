// Floor plan: the figure of the paper, drawn from this model's config, with the shapes of the sentence on screen.

import { Tensor } from "glass/engine/tensor.js";
import { h, readable, redraw } from "glass/dom.js";
import { difference, softmax } from "glass/numbers.js";
import { columns, flat } from "glass/panels/plan/boxes.js";
import { delta, draw, layout } from "glass/panels/plan/drawing.js";
import { lettersOf, operationSpans, shapeSpans } from "glass/panels/plan/letters.js";
import { planes } from "glass/panels/plan/planes.js";

const FIRST = "decoder.layers.0.cross_attention.attention"; // what is chosen when nothing is
const [NARROWEST, WIDEST] = [280, 720]; // pixels
const TIED = {
  none: "no shared tables",
  "two-way": "one table for target and output",
  "three-way": "one table for source, target and output",
};

function mount(root, lab) {
  const map = h("div", { class: "plan-map" });
  const detail = h("section", { class: "plan-detail", "aria-label": "The chosen box" });
  const facts = h("p", { class: "note" });
  root.append(facts, h("div", { class: "plan-rooms" }, map, detail));
  let width = 0;
  const drawMap = () => redraw(map, figure(lab, width));
  const measure = (room) => (width = Math.min(WIDEST, Math.max(NARROWEST, Math.floor(room))));
  new ResizeObserver(([{ contentRect }]) => {
    const before = width;
    if (measure(contentRect.width) !== before && before && lab.pass) drawMap();
  }).observe(map);
  map.addEventListener("keydown", (event) => move(event, map, lab, width));
  let shown = null;
  return () => {
    if (!lab.pass) return;
    redraw(facts, factsOf(lab.model.config));
    if (!width) measure(map.clientWidth - 6);
    drawMap();
    redraw(detail, describe(lab));
    const { box } = chosen(lab, partsOf(lab));
    if (shown !== box.id) showInside(map, map.querySelector(`[data-key="box ${box.id}"]`));
    shown = box.id;
  };
}

// Where the map is a window on a taller picture: move the picture, never the page.
function showInside(map, figure) {
  const [window, box] = [map.getBoundingClientRect(), figure.getBoundingClientRect()];
  if (box.top < window.top || box.bottom > window.bottom) {
    map.scrollTop += box.top + box.height / 2 - window.top - window.height / 2;
  }
}

// A tap's value; the probabilities are the page's own.
function valueOf(lab, name, pass = lab.looked.pass) {
  if (name !== "probabilities") return pass.taps.get(name);
  const logits = pass.taps.get("logits");
  const rows = Array.from({ length: logits.shape[1] }, (_, at) => softmax(logits, at));
  return new Tensor(logits.shape, Float64Array.from(rows.flatMap((row) => [...row])));
}

// The choices of this model in a line.
function factsOf(config) {
  const { embed_size: e, heads, decoder_heads: other, norm, positions, activation, tie_embeddings: tied } = config;
  const cut = (count) => `${count} head${count === 1 ? "" : "s"} of ${e / count} channels`;
  return [
    other === null || other === heads ? cut(heads) : `${cut(heads)} in the encoder, ${cut(other)} in the decoder`,
    norm === "post" ? "post-norm, as in the paper" : "pre-norm",
    positions === "none" ? "no positions" : `${positions} positions`,
    activation,
    TIED[tied],
  ].join(" · ");
}

const partsOf = (lab) => columns(lab.model.config, lab.looked.pass.taps);

// {box, tap}: what the state chooses, or the first cross-attention.
function chosen(lab, parts) {
  const boxes = [...flat(parts.encoder), ...flat(parts.decoder)];
  const of = (name) => boxes.find((box) => box.taps.includes(name));
  const tap = of(lab.state.tap) ? lab.state.tap : FIRST;
  return { box: of(tap), tap };
}

const choose = (lab, box) =>
  lab.set({ tap: box.taps.includes(box.shown) ? box.shown : box.taps.at(-1) }, { quiet: true });

function shapeOf(lab, box) {
  if (box.id === "source")
    return [
      ["n", "s"],
      [1, lab.looked.pass.src.length],
    ];
  const tensor = valueOf(lab, box.shown);
  return [lettersOf(lab, box.shown, tensor), tensor.shape];
}

// How much a tap differs from the unchanged model's; null where nothing was changed, or the two read different targets.
const changeOf = (lab, name) =>
  lab.changed && lab.looked.pass === lab.pass ? difference(valueOf(lab, name), valueOf(lab, name, lab.plain)) : null;

function figure(lab, width) {
  const parts = partsOf(lab);
  const { config } = lab.model;
  const { pass } = lab.looked;
  const plan = layout(parts, width);
  const layers = (count) => `${count} layer${count === 1 ? "" : "s"}`;
  return draw(parts, plan, {
    chosen: chosen(lab, parts).box.id,
    shape: (box) => shapeOf(lab, box),
    change: (box) => changeOf(lab, box.out),
    pick: (id) => choose(lab, plan.boxes.get(id).box),
    captions: {
      encoder: {
        title: `Encoder · ${layers(config.num_layers)}`,
        below: spoken(lab.words(pass.src, "src")),
        above: "memory",
      },
      decoder: {
        title: `Decoder · ${layers(config.decoder_layers ?? config.num_layers)}`,
        below: spoken(lab.words(pass.trg, "trg")),
        above: spoken(lab.words(likeliest(pass.taps.get("logits")), "trg")),
      },
    },
  });
}

const spoken = (words) => words.map(readable).join(" ");

// The id with the largest logit at each position.
function likeliest(logits) {
  const [, positions, size] = logits.shape;
  return Array.from({ length: positions }, (_, at) => {
    const row = logits.data.subarray(at * size, (at + 1) * size);
    return row.reduce((best, each, id) => (each > row[best] ? id : best), 0);
  });
}

// Arrow keys: up and down along a stack, left and right to the other at the same height.
function move(event, map, lab, width) {
  const id = event.target.dataset?.key?.replace("box ", "");
  if (!id || event.ctrlKey || event.metaKey || event.altKey) return;
  const plan = layout(partsOf(lab), width);
  const places = [...plan.boxes.values()];
  const here = plan.boxes.get(id);
  const own = places.filter((place) => place.x === here.x);
  const others = places.filter((place) => (event.key === "ArrowRight" ? place.x > here.x : place.x < here.x));
  const near = (one, other) => Math.abs(one.y - here.y) - Math.abs(other.y - here.y);
  const at = own.indexOf(here);
  let next = null;
  if (event.key === "ArrowUp") next = own[at + 1];
  else if (event.key === "ArrowDown") next = own[at - 1];
  else if (event.key === "ArrowLeft" || event.key === "ArrowRight") [next] = others.sort(near);
  else if (event.key === "Enter" || event.key === " ") next = here;
  else return;
  event.preventDefault();
  if (!next) return;
  map.querySelector(`[data-key="box ${next.box.id}"]`).focus();
  choose(lab, next.box);
}

// The chosen box: what it does, its taps in order, and the chosen one's source and cells.
function describe(lab) {
  const { box, tap } = chosen(lab, partsOf(lab));
  const tensor = valueOf(lab, tap);
  const { where, source, operation } = about(lab, tap);
  return [
    h("h3", {}, box.title),
    box.path ? h("p", { class: "note" }, h("code", {}, box.path)) : null,
    h("p", {}, box.says),
    h("h4", {}, "What it computes, in order"),
    h(
      "ol",
      { class: "taps" },
      box.taps.map((name) => h("li", {}, tapButton(lab, name, name === tap))),
    ),
    h("h4", {}, h("code", {}, tap)),
    where ? h("p", { class: "note" }, h("code", {}, where)) : null,
    source ? h("pre", { class: "source" }, source) : null,
    operation ? h("p", { class: "note" }, operationSpans(operation)) : null,
    planes(lab, lab.looked.pass, tap, tensor, (index) => lab.open(tap === "probabilities" ? "logits" : tap, index)),
    weights(lab, box),
  ];
}

const about = (lab, tap) =>
  tap === "probabilities"
    ? { where: "computed by this page", source: "probabilities = logits.softmax(dim=-1)", operation: "softmax" }
    : lab.about(tap);

function tapButton(lab, name, isChosen) {
  const tensor = valueOf(lab, name);
  const change = changeOf(lab, name);
  return h(
    "button",
    {
      type: "button",
      "aria-current": isChosen ? "true" : null,
      "data-key": `tap ${name}`,
      onclick: () => lab.set({ tap: name }, { quiet: true }),
    },
    h("span", { class: "mono" }, name.split(".").at(-1)),
    shapeSpans(lettersOf(lab, name, tensor), tensor.shape),
    change === null ? null : h("span", { class: change ? "changed" : "same" }, change ? delta(change) : "unchanged"),
  );
}

// What training has set in this box: its parameters with their sizes.
function weights(lab, box) {
  const own = lab.entry.tensors.filter(([name]) => name.startsWith(`${box.path}.`));
  if (own.length === 0) return null;
  const count = own.reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1), 0);
  return [
    h("h4", {}, `What training has set: ${count.toLocaleString("en")} parameters`),
    h(
      "ul",
      { class: "weights mono" },
      own.map(([name, shape]) =>
        h("li", {}, h("span", {}, name.slice(box.path.length + 1)), " ", h("span", {}, shape.join("·"))),
      ),
    ),
  ];
}

// The shape of an energy, against shapes that a slip of the axes would give.
function quiz(lab) {
  const energy = lab.pass.taps.get(FIRST.replace(/attention$/, "energy"));
  const [n, heads, t, s] = energy.shape;
  const d = lab.model.config.embed_size / heads;
  const right = [n, heads, t, s].join("·");
  const wrong = [
    [n, heads, s, t],
    [n, t, heads, s],
    [n, heads, t, t],
    [n, heads, t, d],
    [n, t, s, heads],
  ];
  const others = [...new Set(wrong.map((each) => each.join("·")))].filter((each) => each !== right).slice(0, 3);
  const choices = [right, ...others].sort();
  return {
    ask:
      `${lab.pass.src.length} source tokens, ${lab.pass.trg.length} target tokens, ${heads} heads of ${d} channels. ` +
      "What is the shape of cross-attention's energy?",
    choices,
    right: choices.indexOf(right),
    because: "Axes n h q k: the queries are the target's, the keys the source's; the channels are summed over.",
  };
}

export const plan = {
  id: "plan",
  title: "Floor plan",
  mount,
  quiz,
  line:
    "The whole model as figure 1 of the paper draws it, with the shapes of this sentence. " +
    "Choose a box to see what it computes, and the line of source that does it.",
};
