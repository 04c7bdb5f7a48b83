// A tensor's shape in letters, each in the colour of its axis: n h q k = 1·4·8·10.

import { h } from "glass/dom.js";

// The letter of each axis; "1" where it is broadcast, "_" where the source does not say.
export function lettersOf(lab, name, tensor) {
  const letters = (name === "probabilities" ? "n t v" : lab.about(name).axes).split(" ");
  return letters.length === tensor.shape.length ? letters : tensor.shape.map(() => "_");
}

// Parts of text, [class, text]; a shape whose letters nobody knows is given in numbers alone.
export function shapeParts(letters, sizes) {
  const told = letters.every((letter) => letter !== "_");
  const named = told ? [...letters.map((letter) => [`ax ax-${letter}`, letter]), ["", "="]] : [];
  return [...named, ["", sizes.join("·")]];
}

export const shapeSpans = (letters, sizes) =>
  h(
    "span",
    { class: "mono" },
    shapeParts(letters, sizes).map(([name, text], at) => [at ? " " : "", name ? letter(text) : text]),
  );

// "einsum nqhd,nkhd->nhqk, div" with the einsum's letters in colour.
export const operationSpans = (operation) =>
  h(
    "span",
    { class: "mono" },
    operation
      .split(/(\S+->\S+?(?=,|$))/)
      .map((part) =>
        part.includes("->") ? [...part].map((each) => (/[a-z]/.test(each) ? letter(each) : each)) : part,
      ),
  );

const letter = (axis) => h("span", { class: `ax ax-${axis}` }, axis);
