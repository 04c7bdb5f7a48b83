// The residual stream of one channel, unrolled: word, position and each sublayer put something in, norms stretch it.

import { explain, origin } from "glass/arithmetic/explain.js";
import { placeOf } from "glass/arithmetic/places.js";
import { number, product } from "glass/arithmetic/reader.js";

const KINDS = ["model", "stack", "layer", "residual"];
const QUANTITIES = "memory decoded stream positioned attended informed out normed residual_sum".split(" ");

// Whether a tap is the stream itself at some point, so that `unroll` says what it is made of.
export const isStream = (name) => {
  const { kind, quantity } = placeOf(name);
  return KINDS.includes(kind) && QUANTITIES.includes(quantity);
};

// Terms that add up to the cell: [{value, factors: [address, number], norm?}]. The number is by how much the norms on
// the way stretch what was put in; what a norm itself adds (bias, less the mean) is a term without an address.
export function unroll(model, pass, name, index) {
  const terms = [];
  walk(model, pass, { tap: name, index }, 1, terms);
  return terms;
}

function walk(model, pass, address, stretch, terms) {
  const stretched = stretch === 1 ? [] : [number(stretch, "stretched by norms")];
  const put = (factor) => terms.push(product([factor, ...stretched]));
  const onward = address.tap && (isStream(address.tap) || /positions\.positioned$/.test(address.tap));
  const told = onward ? explain(model, pass, address.tap, address.index) : null;
  if (!told || told.differs || told.missing) return put(address.tap ? origin(model, pass, address) : address);
  if (told.norm) {
    const [x, mean, bias] = told.terms;
    walk(model, pass, x.factors[0], stretch * x.factors[1].value * x.factors[2].value, terms);
    const own = number(stretch * (mean.value + bias.value), "its bias, less the mean");
    terms.push({ ...product([own]), norm: address.tap });
    return undefined;
  }
  for (const term of told.terms) walk(model, pass, term.factors[0], stretch, terms);
  return undefined;
}
