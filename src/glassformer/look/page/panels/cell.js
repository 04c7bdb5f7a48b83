// Cell microscope: one number, everything it is made of, and each part opens in turn.

import { explain } from "glass/arithmetic/explain.js";
import { cellOf, firstCell, shapeOf, wordAt } from "glass/arithmetic/naming.js";
import { h, number, readable, redraw, toggle } from "glass/dom.js";
import { codeLine, factorOf, letter, placeName, quantityOf, shortName, strip, termList } from "glass/panels/terms.js";

const KEPT = 12; // cells of the trail
const SHUT = -3e38; // the fill of shut cells is lower
const MOVES = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -Infinity, End: Infinity };
let trail = []; // the cells on the way here, shared by the room and the page's margin

function mount(root, lab) {
  const look = { ordered: false, unfolded: false, full: false, norm: false };
  root.classList.add("microscope");
  const change = (changes) => {
    Object.assign(look, changes);
    draw();
  };
  const draw = () => {
    if (!lab.pass) return redraw(root, h("p", {}, "Type a sentence first."));
    const { told, chosen, pass } = looking(lab);
    walked(addressOf(told.name, told.index));
    const seen = { lab, pass, told, look, change };
    return redraw(
      root,
      trailOf(lab),
      chosen ? null : hint(lab),
      title(seen),
      axesOf(seen),
      reading(seen),
      codeLine(lab, told.name),
      pipeline(seen),
      sumOf(seen),
    );
  };
  return draw;
}

const addressOf = (name, index) => `${name}@${index.join(".")}`;

// The cell on screen: the one that was chosen, or a telling one.
function looking(lab) {
  const { pass } = lab.looked;
  const chosen = lab.state.cell ? cellOf(lab, pass, lab.state.cell) : null;
  const { name, index } = chosen ?? firstCell(lab);
  return { pass, chosen, told: explain(lab.model, pass, name, index) };
}

// Keep the way here: going back shortens it, another place of the same tap replaces the last.
function walked(cell) {
  const at = trail.indexOf(cell);
  if (at >= 0) trail = trail.slice(0, at + 1);
  else if (trail.at(-1)?.split("@")[0] === cell.split("@")[0]) trail = [...trail.slice(0, -1), cell];
  else trail = [...trail, cell].slice(-KEPT);
}

function trailOf(lab) {
  const before = trail.slice(0, -1);
  if (before.length === 0) return null;
  const to = (cell, key, words, props = {}) =>
    h("button", { type: "button", "data-key": key, title: cell, onclick: () => lab.set({ cell }), ...props }, words);
  return h(
    "nav",
    { class: "trail", "aria-label": "The way back" },
    to(before.at(-1), "back", "◀ back"),
    before
      .slice(-5)
      .map((cell) => to(cell, `trail ${cell}`, `${quantityOf(cell.split("@")[0])} ›`, { class: "quiet" })),
  );
}

function hint(lab) {
  const lost = lab.state.cell ? `This model has no cell ${lab.state.cell.slice(0, 80)}. ` : "";
  return h(
    "p",
    { class: "note" },
    lost,
    "Shown is the largest weight of the last word's last cross-attention. ",
    "Click a cell in any room, or a factor below, to look at another.",
  );
}

function title({ told, look, change }) {
  const parts = told.name.replace(/layers\.(\d+)/, "layers $1").split(".");
  const arrow = () => h("span", { class: "arrow", "aria-hidden": "true" }, "›");
  return h(
    "div",
    { class: "cell-title" },
    h(
      "h3",
      { class: "crumbs" },
      parts.map((part, i) => [i ? arrow() : null, h("span", {}, part.replace(" ", "."))]),
    ),
    toggle("all digits", look.full, () => change({ full: !look.full })),
  );
}

// Each axis with its place and word, and a step to the neighbours there.
const axesOf = ({ lab, pass, told }) =>
  h(
    "div",
    { class: "axes" },
    shapeOf(lab, pass, told.name).map((size, axis) => {
      if (size === 1) return null;
      const name = told.axes[axis] ?? lab.about(told.name).axes.split(" ")[axis] ?? "_";
      const at = told.index[axis];
      const word = wordAt(lab, pass, told.name, name, at);
      const go = (by) => {
        const index = told.index.with(axis, Math.min(size - 1, Math.max(0, at + by)));
        lab.set({ cell: addressOf(told.name, index) }, { quiet: true });
      };
      const step = (by, sign, says) =>
        h(
          "button",
          {
            type: "button",
            class: "quiet",
            "data-key": `axis ${axis} ${by}`,
            "aria-label": `${name} ${says}`,
            onclick: () => go(by),
          },
          sign,
        );
      return h(
        "div",
        {
          class: "axis",
          role: "group",
          "aria-label": `axis ${name}, place ${at} of ${size}`,
          onkeydown: (event) => {
            if (!(event.key in MOVES) || event.ctrlKey || event.metaKey || event.altKey) return;
            event.preventDefault();
            go(MOVES[event.key]);
          },
        },
        step(-1, "◀", "back"),
        letter(name),
        ` = ${at} `,
        word === null ? h("span", { class: "of" }, `of ${size}`) : h("span", { class: "chip" }, readable(word)),
        step(1, "▶", "on"),
      );
    }),
  );

// The value, its equation, and what became of it where something was changed.
function reading({ lab, pass, told, look }) {
  const { full } = look;
  const tap = pass.taps.get(told.name);
  const before = lab.changed && pass === lab.pass && tap ? lab.plain.taps.get(told.name) : null;
  const note = (...words) => h("p", { class: "note" }, words);
  return [
    h(
      "p",
      { class: "reading" },
      h("strong", { class: "figure", title: number(told.value, true) }, brief(told.value, full)),
      told.same ? null : h("span", { class: "rule" }, told.rule),
    ),
    before ? note(`Before the changes: ${brief(before.at(...told.index), full)}.`) : null,
    told.differs
      ? h(
          "p",
          { class: "note warn" },
          replaced(lab, told.name),
          ` The terms add up to ${brief(told.total, full)}; the pass goes on with ${brief(told.value, full)}.`,
        )
      : null,
    told.missing ? note(`Its terms need ${told.missing}, which this page does not hold.`) : null,
    told.why ? note(told.why, told.mask ? [" The mask: ", factorOf(lab, told.mask), "."] : null) : null,
  ];
}

function replaced(lab, name) {
  if (lab.state.edits.some((edit) => edit.name === name)) return "Replaced by surgery.";
  return lab.changed ? "What it reads was replaced by surgery on the way." : "Recorded with fewer digits.";
}

const brief = (value, full) => (value < SHUT && !full ? "lowest" : number(value, full));

// energy, masked_energy and attention of the same pair, side by side.
function pipeline({ lab, pass, told, look }) {
  const found = /^(.*)\.(energy|masked_energy|attention)$/.exec(told.name);
  if (!found) return null;
  const taps = ["energy", "masked_energy", "attention"].map((quantity) => `${found[1]}.${quantity}`);
  return h(
    "ol",
    { class: "pipeline", "aria-label": "From energy to attention" },
    taps.map((tap) => {
      const value = pass.taps.get(tap)?.at(...told.index);
      if (value === undefined) return null;
      const current = tap === told.name ? "true" : null;
      return h(
        "li",
        {},
        h(
          "button",
          {
            type: "button",
            "data-key": `pipe ${tap}`,
            "aria-current": current,
            onclick: () => lab.open(tap, told.index),
          },
          h("span", {}, quantityOf(tap)),
          " ",
          h("span", { class: "figure" }, brief(value, look.full)),
        ),
      );
    }),
  );
}

// The whole sum: the einsum, strips of the operands, the terms, and what happens to the sum.
function sumOf(seen) {
  const { lab, pass, told, look, change } = seen;
  const then = told.steps.map(({ says, value }) => [says, value]);
  if (told.missing) return null;
  if (told.same) return h("p", { class: "note" }, "The same number as ", sameCell(lab, told.same), ".");
  const several = told.terms.length > 1;
  const label = (term) => placeName(lab, pass, told.name, term);
  return [
    einsumOf(told),
    strips(seen),
    told.most === undefined
      ? null
      : h(
          "p",
          { class: "note" },
          `e to the power of each. The largest, ${brief(told.most, look.full)}, is taken off first, `,
          "so that no power overflows; the shares stay the same.",
        ),
    told.norm ? normOf(seen) : null,
    several ? h("h4", {}, `${told.terms.length} terms`) : null,
    told.terms.length ? termList(lab, told, { look, change, label, marked: told.own ?? -1 }) : null,
    h(
      "ul",
      { class: "then" },
      [...(several ? [["sum", told.sum]] : []), ...then].map(([says, value]) =>
        h("li", {}, h("span", {}, says), h("strong", { class: "figure" }, number(value, look.full))),
      ),
    ),
  ];
}

const sameCell = (lab, { tap, index }) =>
  h(
    "button",
    { type: "button", class: "factor", "data-key": "same", onclick: () => lab.open(tap, index) },
    `${tap}[${index.join(", ")}]`,
  );

function einsumOf({ einsum }) {
  if (!einsum) return null;
  const [one, other, result] = [...einsum.operands, einsum.result].map((word) => [...word].map(letter));
  const summed = [h("span", { class: "of" }, "  summed: "), einsum.over.map(letter)];
  return h("p", { class: "einsum" }, "einsum ", one, ", ", other, " → ", result, summed);
}

// The two operand rows and their products, cell under cell.
function strips({ lab, pass, told }) {
  const pairs = told.einsum ? told.terms.filter((term) => term.factors.length === 2) : [];
  if (pairs.length < 2) return null;
  const nameOf = (which) => {
    const [{ tap, weight, index }, next] = pairs.map((term) => term.factors[which]);
    const { axes } = explain(lab.model, pass, tap ?? weight, index);
    const kept = axes.map((axis, i) => (index[i] === next.index[i] ? axis : "1"));
    return shortName(lab, pass, tap ?? weight, index, kept);
  };
  return h(
    "div",
    { class: "strips" },
    [0, 1].map((which) =>
      strip(
        nameOf(which),
        pairs.map((term) => term.factors[which].value),
      ),
    ),
    strip(
      h("span", { class: "cell-name" }, "products"),
      pairs.map((term) => term.value),
    ),
  );
}

// The row that a layer norm levels, its mean and its variance.
function normOf({ lab, told, look, change }) {
  const { row, mean, variance, centre, spread } = told.norm;
  const marked = told.index.at(-1);
  const label = (term) => [letter("e"), ` ${term.at.e}`];
  const part = (says, terms, sum) => [
    h("h4", {}, `${says} ${number(sum, look.full)}`),
    termList(lab, { terms, sum }, { look, change, label, marked, key: says }),
  ];
  return [
    h("div", { class: "strips" }, strip(h("span", { class: "cell-name" }, "x, the row that is levelled"), row, marked)),
    h(
      "p",
      { class: "note" },
      `mean ${number(mean, look.full)}, variance ${number(variance, look.full)} `,
      toggle("how they are made", look.norm, () => change({ norm: !look.norm })),
    ),
    look.norm ? [part("mean", centre(), mean), part("variance", spread(), variance)] : null,
  ];
}

// Which of four terms is the largest?
function quiz(lab) {
  const { pass, told } = looking(lab);
  const { terms, name, index } = told;
  const order = [...terms.keys()].sort((a, b) => Math.abs(terms[b].value) - Math.abs(terms[a].value) || a - b);
  if (order.length < 3) return null;
  const spread = [0, 1, Math.floor(order.length / 2), order.length - 1];
  const places = [...new Set(spread.map((at) => order[at]))].sort((a, b) => a - b);
  const inWords = ({ at, says }) =>
    says ??
    Object.entries(at)
      .map(([key, i]) => {
        const word = wordAt(lab, pass, name, key, i);
        return `${key} = ${i}${word === null ? "" : ` (${readable(word)})`}`;
      })
      .join(", ");
  return {
    ask: `${name}[${index.join(", ")}] is ${number(told.value)}: ${told.rule}. Which of these terms is the largest?`,
    choices: places.map((place) => inWords(terms[place])),
    right: places.indexOf(order[0]),
    because: `It is ${number(terms[order[0]].value)}; all ${terms.length} together make ${number(told.sum)}.`,
  };
}

export const microscope = {
  id: "cell",
  title: "Cell microscope",
  mount,
  quiz,
  line:
    "One number and all that it is made of. Every factor is a button that opens where it comes from, " +
    "down to the embeddings.",
};
