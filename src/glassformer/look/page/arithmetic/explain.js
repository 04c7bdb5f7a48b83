// The arithmetic of one number of a pass: what is added up, and where each factor comes from.

import { placeOf, weightAxes } from "glass/arithmetic/places.js";
import { NotHere, Reader } from "glass/arithmetic/reader.js";
import { RULES } from "glass/arithmetic/rules.js";

// What is lost when numbers are rounded to their Kind: more than that between terms and value means it was replaced.
const ROUNDING = { Float64Array: 1e-11, Float32Array: 1e-5 };

// The arithmetic of the cell `index` of a tap, a weight, or "probability" (1, t, v), the softmax of the logits.
//   value    the number in the pass
//   rule     the equation in words of the source
//   axes     a letter for each axis;  einsum {operands, result, over} where products are summed
//   terms    [{value, factors, at, says}]: each factor {tap, index, value}, {weight, index, value} or {number, says};
//            `at` the letter and place in the sum ({d: 3}), or `says` what it is; an exponential has one factor
//   sum, sizes   of the terms, and of their absolute values
//   steps    [{says, value}] what happens to the sum then: scale, activation, the share of a softmax
//   total    what comes out: equal to value, unless the value was replaced (`differs`)
//   why      a sentence on a mask's cell;  mask its address
//   norm     {row, mean, variance, centre(), spread()} in a layer norm, the last two the terms of mean and variance
//   same     the address of the tap that this one merely names
//   missing  what the page does not hold, in which case there are no terms
export function explain(model, pass, name, index) {
  const read = new Reader(model, pass);
  const own = read.has(name) ? read.valueOf(name, index) : null;
  let told;
  try {
    told = ruleFor(read, name, index);
  } catch (error) {
    if (!(error instanceof NotHere)) throw error;
    told = { rule: "", axes: [], terms: [], missing: error.message };
  }
  const terms = told.terms;
  const sum = terms.reduce((total, term) => total + term.value, 0);
  const sizes = terms.reduce((total, term) => total + Math.abs(term.value), 0);
  const steps = told.finish ? told.finish(sum) : [];
  const total = told.missing ? own : steps.length ? steps.at(-1).value : sum;
  const value = own ?? total;
  const allowed = (ROUNDING[read.kindOf(name)] ?? 0) * Math.max(sizes, Math.abs(value));
  return { ...told, name, index, value, sum, sizes, steps, total, differs: Math.abs(total - value) > allowed };
}

function ruleFor(read, name, index) {
  if (read.weights.has(name)) {
    const learned = { says: "as training left it, rounded to float16", value: read.valueOf(name, index) };
    return { rule: "a learned number", axes: weightAxes(name), terms: [], finish: () => [learned] };
  }
  const place = placeOf(name);
  const rule = RULES[place.kind]?.[place.quantity];
  if (!rule) throw new NotHere(name);
  return rule(read, place, index);
}

// The address behind names that stand for the same number: memory -> encoder.stream -> encoder.layers.1.out -> ...
export function origin(model, pass, address) {
  let at = address;
  while (at.tap) {
    const { same, differs } = explain(model, pass, at.tap, at.index);
    if (!same || differs) break;
    at = same;
  }
  return at;
}
