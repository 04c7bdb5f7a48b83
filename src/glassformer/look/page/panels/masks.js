// Mask desk: who may look at whom, cell by cell; what opening or closing one does; and what a missing mask hides.

import { bothRows, comparison, computes } from "glass/before.js";
import { cellMap } from "glass/cells.js";
import { css, inkOn } from "glass/colour.js";
import { h, percent, readable, redraw, slider } from "glass/dom.js";
import { cheat } from "glass/panels/cheat.js";
import { NAMES, deskOf, verdicts } from "glass/verdict.js";

// why a cell is as it is -> its colour, its sign, and the words for it
const CELLS = {
  "": [[190, 228, 202], "", "open"],
  future: [[44, 50, 78], "f", "closed: future"],
  padding: [[150, 104, 20], "p", "closed: padding"],
  both: [[84, 62, 44], "fp", "closed: future and padding"],
  opened: [[255, 206, 92], "!", "opened by you"],
  closed: [[158, 36, 60], "×", "closed by you"],
};
const CELL = 26; // pixels
const MAPS = [
  ["encoder", "Padding (source)", "src_mask", "The encoder: every row sees every word, none sees padding."],
  ["cross", "Cross", "src_mask", "The decoder reads the source. No future here: it is all there."],
  ["ahead", "Look-ahead", "look_ahead", "No row sees past itself. One half of the next mask."],
  ["decoder", "Look-ahead and padding", "trg_mask", "The decoder's self-attention: both halves at once."],
];

function mount(root, lab) {
  const view = (name) => h("section", { class: "view", "aria-label": name });
  const controls = h("div");
  const maps = h("div", { class: "desk" });
  const verdict = h("section", { class: "verdict", "aria-label": "Verdict" });
  const [effect, steps, sisters] = ["What it does", "Step by step", "The cheat"].map(view);
  const bench = h("div", { class: "bench" }, maps, h("div", { class: "view" }, verdict, effect, steps));
  root.append(controls, bench, sisters);
  let marked = null; // the cell that was clicked last: {kind, row, column}
  const compare = comparison(() => draw());
  const drawCheat = cheat(sisters, lab);
  const change = (kind, cells) => lab.set({ masks: { ...lab.state.masks, [kind]: cells } });
  const flip = (kind, row, column) => {
    marked = { kind, row, column };
    const cells = lab.state.masks[kind] ?? [];
    const cell = `${row}.${column}`;
    change(kind, cells.includes(cell) ? cells.filter((each) => each !== cell) : [...cells, cell]);
  };

  function draw() {
    if (!lab.pass) return;
    const desks = desksOf(lab);
    const at = marked && marked.row < desks[marked.kind].rows ? marked : { kind: "decoder", row: lab.state.row };
    const widest = Math.max(lab.src.length, lab.trg.length);
    bench.style.setProperty("--desk", `${2 * Math.max(290, widest * CELL + 104) + 24}px`); // two maps side by side
    redraw(controls, controlsOf(lab, desks, at, change));
    redraw(
      maps,
      MAPS.map((each) => mapOf(lab, desks, each, marked, flip)),
    );
    redraw(verdict, verdictOf(lab, desks));
    redraw(steps, stepsOf(lab, desks.decoder));
    redraw(effect, h("h3", {}, "What it does"), compare(lab));
    drawCheat();
  }
  return draw;
}

const desksOf = ({ state, src, trg, model }) =>
  Object.fromEntries(Object.keys(NAMES).map((kind) => [kind, deskOf(kind, state.masks, src, trg, model.config)]));

// The words that ask and answer at each desk.
function wordsOf(lab) {
  const [src, trg] = [lab.words(lab.src, "src"), lab.words(lab.trg, "trg")];
  return { asks: { encoder: src, decoder: trg, cross: trg }, answers: { encoder: src, decoder: trg, cross: src } };
}

function controlsOf(lab, desks, at, change) {
  const { decoder } = desks;
  const desk = desks[at.kind];
  const row = Math.min(at.row, desk.rows - 1);
  const word = readable(wordsOf(lab).asks[at.kind][row]);
  const still = !computes(lab);
  const untouched = !Object.values(lab.state.masks).some((cells) => cells.length);
  const openFuture = () =>
    change(
      "decoder",
      cellsWhere(decoder, (r, c) => decoder.hidden(r, c) === "future" || decoder.byYou(r, c)),
    );
  const closeRow = () =>
    change(
      at.kind,
      cellsWhere(desk, (r, c) => (r === row ? desk.usual(r, c) : desk.byYou(r, c))),
    );
  const button = (label, onclick, disabled, key = label) =>
    h("button", { type: "button", "data-key": key, onclick, disabled }, label);
  return [
    h(
      "div",
      { class: "controls" },
      slider("columns of padding", { min: 0, max: 3, step: 1, value: lab.state.pad }, (pad) =>
        lab.set({ pad }, { quiet: true }),
      ),
      button("open the whole future", openFuture, still),
      button(`close everything for row “${word}” of the ${NAMES[at.kind]}`, closeRow, still, "close row"),
      button("reset", () => lab.set({ masks: {} }), untouched),
    ),
    h(
      "p",
      { class: "note" },
      "Row asks, column answers. Click a cell, or press Enter on it, to open or shut it. ",
      lab.state.pad > 0 ? null : "One sentence alone has no padding: add columns, as a batch with a longer one would. ",
      lab.model.config.trg_pad_idx === null
        ? "This model has no target padding mask: look-ahead hides what comes after. "
        : null,
      still ? "This page is a recording: its masks can be read, not changed." : null,
    ),
    h(
      "ul",
      { class: "legend", "aria-label": "what the colours mean" },
      Object.values(CELLS).map(([ground, sign, words]) =>
        h(
          "li",
          {},
          h("i", { "aria-hidden": "true", style: { "--ground": css(ground), "--ink": inkOn(ground) } }, sign),
          words,
        ),
      ),
    ),
  ];
}

function cellsWhere(desk, wanted) {
  const cells = [];
  for (let row = 0; row < desk.rows; row++) {
    for (let column = 0; column < desk.columns; column++) if (wanted(row, column)) cells.push(`${row}.${column}`);
  }
  return cells;
}

function mapOf(lab, desks, [kind, title, tap, line], marked, flip) {
  const ahead = kind === "ahead";
  const side = ahead ? "decoder" : kind;
  const { asks, answers } = wordsOf(lab);
  const [rows, columns] = [asks[side], answers[side]];
  const why = ahead ? (r, c) => (c > r ? "future" : "") : desks[kind].why;
  const own = marked?.kind === kind && marked.row < rows.length && marked.column < columns.length;
  const shape = lab.pass.taps.get(tap)?.shape.join(", ");
  return h(
    "section",
    { class: "view", "aria-label": title },
    h("h3", {}, title),
    h("p", { class: "note" }, line, h("br"), h("code", {}, tap), ` (${shape}), ${lab.about(tap).where}`),
    cellMap({
      name: ahead ? "look-ahead mask" : `mask of the ${NAMES[kind]}`,
      rows,
      columns,
      key: `mask ${kind}`,
      cell: CELL,
      colour: (r, c) => CELLS[why(r, c)][0],
      text: (r, c) => CELLS[why(r, c)][1],
      say: (r, c) => sayCell(side, desks[side], readable(rows[r]), readable(columns[c]), r, c, why(r, c)),
      pick: ahead || !computes(lab) ? undefined : (r, c) => flip(kind, r, c),
      marked: own ? [marked.row, marked.column] : null,
    }),
  );
}

// Why this cell is open or shut.
function sayCell(kind, desk, asks, answers, row, column, why) {
  const cell = `row ${asks}, column ${answers}: ${CELLS[why][2]}`;
  if (why === "future" || why === "both") {
    const own = kind === "decoder" && column === row + 1;
    return `${cell}. It is ${own ? `the very word that row ${asks} is asked for` : "a word after the row's own"}.`;
  }
  if (why === "padding") return `${cell}. It is no word: it fills the batch up.`;
  return why === "opened" ? `${cell}; usually closed: ${desk.hidden(row, column)}.` : cell;
}

function verdictOf(lab, desks) {
  const { asks, answers } = wordsOf(lab);
  const { before, after } = bothRows(lab);
  const { num_layers: layers, decoder_layers: decoderLayers } = lab.model.config;
  const asked = lab.words(lab.asked, "trg");
  const found = verdicts({
    desks,
    asks,
    answers,
    asked,
    counted: after.map((row) => row.counted),
    layers: decoderLayers ?? layers,
    effect: (row) =>
      after[row].counted
        ? ` Its answer ${readable(asked[row])}: ${percent(before[row].share)} → ${percent(after[row].share)}.`
        : "",
  });
  if (found.length === 0) {
    return [
      h("h3", {}, "Verdict: ", h("span", { class: "tag good" }, "as it should be")),
      h(
        "p",
        { class: "note" },
        "Each row of the decoder sees its own word and those before it: in training exactly what it will see ",
        "when the model writes. No row sees the word that it is asked for, none looks at padding, each has a key.",
      ),
    ];
  }
  const kinds = [...new Set(found.map(({ kind }) => kind))];
  return [
    h(
      "h3",
      {},
      "Verdict: ",
      kinds.map((kind) => [h("span", { class: "tag bad" }, kind), " "]),
    ),
    h(
      "ul",
      { class: "findings" },
      found.map(({ kind, text }) => h("li", {}, h("b", {}, `${kind}: `), text)),
    ),
    kinds.includes("leak")
      ? h(
          "p",
          { class: "note" },
          "This model was trained with these cells shut: it never learnt to copy, and what it ",
          "sees there may only confuse it. A model trained with them open copies: see the cheat below.",
        )
      : null,
  ];
}

// What each row of the decoder sees and what it is asked for.
function stepsOf(lab, desk) {
  const [read, asked] = [lab.words(lab.trg, "trg").map(readable), lab.words(lab.asked, "trg").map(readable)];
  return [
    h("h3", {}, "Step by step"),
    h(
      "ol",
      { class: "steps" },
      read.map((word, row) => {
        const sees = read
          .map((each, column) => [each, column])
          .filter(([, column]) => desk.open(row, column))
          .map(([each, column]) => [" ", column > row ? h("span", { class: "late" }, each) : each]);
        const pick = {
          type: "button",
          class: "chip",
          "data-key": `step ${row}`,
          onclick: () => lab.set({ row }, { quiet: true }),
        };
        return h(
          "li",
          { class: row === lab.state.row ? "here" : null },
          h("button", pick, `row ${word}`),
          ": sees",
          sees.length ? sees : h("b", {}, " nothing"),
          ", asked for ",
          h("b", {}, asked[row]),
          lab.asked[row] === lab.model.config.trg_pad_idx ? " (not counted)" : "",
        );
      }),
    ),
    h(
      "p",
      { class: "note" },
      "A row never stands on the word that it is asked for: ",
      h("code", {}, "trg[:, :-1]"),
      " is read and ",
      h("code", {}, "trg[:, 1:]"),
      " is asked, the same target shifted by one. In training the whole target is given at once: ",
      "without the mask a row could read its answer one place to the right.",
    ),
  ];
}

// The shift: what is a row asked for?
function quiz(lab) {
  const row = Math.min(Math.max(1, lab.state.row), lab.trg.length - 1);
  const [read, asked] = [lab.words(lab.trg, "trg").map(readable), lab.words(lab.asked, "trg").map(readable)];
  const choices = [...new Set([read[row - 1], read[row], asked[row], asked.at(-1)])].sort();
  return {
    ask: `In training it reads ${read.join(" ")}. What is row number ${row + 1}, “${read[row]}”, asked for?`,
    choices,
    right: choices.indexOf(asked[row]),
    because: `It sees ${read.slice(0, row + 1).join(" ")} and is asked for the next token, which the mask hides.`,
  };
}

export const masks = {
  id: "masks",
  title: "Mask desk",
  mount,
  quiz,
  line: "Who may look at whom. Open or shut a cell, and see at once what the model makes of it and what is wrong.",
};
