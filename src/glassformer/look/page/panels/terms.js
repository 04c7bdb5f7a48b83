// The terms of a sum, drawn: operand rows as strips of cells, products as bars of either sign, each factor a button.

import { wordAt } from "glass/arithmetic/naming.js";
import { thumbnail } from "glass/cells.js";
import { signedColour } from "glass/colour.js";
import { h, number, readable } from "glass/dom.js";

const SHOWN = 12; // of a long sum; the others in one line

export const letter = (name) => h("span", { class: `ax ax-${name}` }, name);

// "energy", "to_keys.weight": the last part of a name, for a weight the last two.
export const quantityOf = (name) =>
  name
    .split(".")
    .slice(/\.(weight|bias)$/.test(name) ? -2 : -1)
    .join(".");

// energy q "HH" k "e": a cell's short name with the words at its places; `axes` holds "1" where nothing is to be said.
export function shortName(lab, pass, name, index, axes) {
  const places = axes.map((axis, i) => [axis, index[i]]).filter(([axis]) => axis !== "n" && axis !== "1");
  return h(
    "span",
    { class: "cell-name" },
    h("code", {}, quantityOf(name)),
    places.map(([axis, at]) => {
      const word = wordAt(lab, pass, name, axis, at);
      return h("span", { class: "at" }, /[a-z]/.test(axis) ? letter(axis) : null, word === null ? at : readable(word));
    }),
  );
}

// A factor: a button that opens its cell, or a number with what it is.
export function factorOf(lab, factor, full) {
  const name = factor.tap ?? factor.weight;
  const shown = number(factor.value, full);
  if (!name) return h("span", { title: `${factor.says ?? ""} ${number(factor.value, true)}` }, shown);
  const address = `${name}[${factor.index.join(", ")}]`;
  return h(
    "button",
    {
      type: "button",
      class: factor.weight ? "factor learned" : "factor",
      "data-key": `open ${address}`,
      title: `${address} = ${number(factor.value, true)}`,
      "aria-label": `${shown}, open ${address}`,
      onclick: () => lab.open(name, factor.index),
    },
    shown,
  );
}

// A term's factors, as they stand in the equation. `most`: the largest of a row, which a softmax takes off.
export function factorsOf(lab, term, full, most) {
  const [first] = term.factors;
  if (term.exponential) return ["e^(", factorOf(lab, first, full), ` − ${inBrackets(most, full)})`];
  if (term.squared) return ["(", factorOf(lab, first, full), " − mean)² / e"];
  return term.factors.map((factor, i) => [i ? " × " : null, factorOf(lab, factor, full)]);
}

export const inBrackets = (value, full) => (value < 0 ? `(${number(value, full)})` : number(value, full));

// What a term is, or its letter with the place and word.
export const placeName = (lab, pass, name, { at, says }) =>
  says ??
  Object.entries(at).map(([key, place]) => {
    const word = wordAt(lab, pass, name, key, place);
    return [letter(key), ` ${word === null ? place : readable(word)} `];
  });

// The largest terms as rows, the others in one line. `look`: {ordered, unfolded, full}; `change` is given what to draw
// instead; `label(term)` stands in front; `marked` is the place of a term to mark.
export function termList(lab, told, { look, change, label, marked = -1, key = "terms" }) {
  const { terms } = told;
  const bySize = [...terms.keys()].sort((a, b) => Math.abs(terms[b].value) - Math.abs(terms[a].value) || a - b);
  const few = look.unfolded ? bySize : bySize.slice(0, SHOWN);
  if (marked >= 0 && !few.includes(marked)) few[few.length - 1] = marked;
  if (look.ordered) few.sort((a, b) => a - b);
  const scale = Math.abs(terms[bySize[0]].value);
  let running = 0;
  const rows = few.map((place) => {
    running += terms[place].value;
    return row(lab, told, terms[place], { scale, running, look, label, marked: place === marked });
  });
  const rest = terms.length - few.length;
  const button = (what, pressed, words, changes) =>
    h(
      "button",
      {
        type: "button",
        "data-key": `${key} ${what}`,
        "aria-pressed": String(pressed),
        onclick: () => change(changes),
      },
      words,
    );
  return [
    terms.length < 3
      ? null
      : h(
          "div",
          { class: "controls tight" },
          button("order", !look.ordered, "largest first", { ordered: !look.ordered }),
          rest === 0 && !look.unfolded
            ? null
            : button("all", look.unfolded, `all ${terms.length} terms`, { unfolded: !look.unfolded }),
        ),
    h(
      "ol",
      { class: "terms" },
      rows,
      rest === 0
        ? null
        : h(
            "li",
            { class: "rest" },
            h("span", {}, `and ${rest} more`),
            h("span", { class: "figure" }, number(told.sum - running, look.full)),
            h("span"),
            h("span", { class: "figure so-far" }, number(told.sum, look.full)),
          ),
    ),
  ];
}

function row(lab, told, term, { scale, running, look, label, marked }) {
  const size = scale > 0 ? Math.abs(term.value) / scale : 0;
  const bar = term.value < 0 ? "signed minus" : "signed";
  return h(
    "li",
    { class: marked ? "here" : null },
    h("span", { class: "term-place" }, label(term)),
    h("span", { class: "factors" }, factorsOf(lab, term, look.full, told.most)),
    h("span", { class: "figure" }, number(term.value, look.full)),
    h("span", { class: bar, style: { "--size": size }, "aria-hidden": "true" }, h("i")),
    h("span", { class: "figure so-far", title: "the sum so far" }, number(running, look.full)),
  );
}

// A row of numbers as cells under its name, one of them marked.
export function strip(name, values, marked = -1) {
  const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const cells = thumbnail(1, values.length, (_, at) => signedColour(values[at], scale), { "aria-hidden": "true" });
  const pin = { class: "pin", "aria-hidden": "true", style: { "--at": (marked + 0.5) / values.length } };
  return h(
    "div",
    { class: "cells-row", style: { "--cells": values.length } },
    h("span", { class: "cells-name" }, name),
    h("div", { class: "cells-line" }, cells, marked < 0 ? null : h("span", pin)),
  );
}

// The line of the source that makes a tap.
export function codeLine(lab, name) {
  const { source, where } = lab.about(name);
  return source
    ? h("p", { class: "code-line" }, h("code", {}, source), " ", h("span", { class: "where" }, where))
    : null;
}
