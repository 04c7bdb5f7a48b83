// One number's journey: from a probability back to the embedding of a source word, always along one term of each sum.

import { explain, origin } from "glass/arithmetic/explain.js";
import { placeOf } from "glass/arithmetic/places.js";
import { isStream, unroll } from "glass/arithmetic/stream.js";

const MOST = 12; // stops
const STEPS_INSIDE = {
  queries: 1,
  keys: 1,
  values: 1,
  energy: 2,
  masked_energy: 3,
  attention: 3,
  heads_out: 2,
  out: 3, // of an attention
};

// The stops of the journey that ends in the probability of token `id` after row `row`, the embedding first.
//   each: explain's {name, index, value, terms, steps, sum, ...}; `chosen` is the place in `terms` of the term that
//   holds the stop before, `rank` how many terms push further in the same direction, `largest` the place of the first
// Where several terms lead on, it is the largest that still reaches a source word in time. `way` is what is followed
// where a head mixes source words: "attention", where it looks, or "values", what it takes from there.
export function journeyOf(model, pass, row, id, way = "attention") {
  const stops = [];
  let at = { tap: "probability", index: [0, row, id] };
  while (at && stops.length < MOST) {
    const stop = stopAt(model, pass, at);
    stops.unshift(stop);
    at = goOn(model, pass, stop, MOST - stops.length, way);
  }
  return stops;
}

// A cell with its terms; where it is the residual stream, all that was put into the stream.
function stopAt(model, pass, { tap, index }) {
  const told = explain(model, pass, tap, index);
  if (told.differs || !isStream(tap)) return told;
  const terms = unroll(model, pass, tap, index);
  const sum = terms.reduce((so, term) => so + term.value, 0);
  const sizes = terms.reduce((so, term) => so + Math.abs(term.value), 0);
  const rule = `${placeOf(tap).quantity} = all that was put into this channel`;
  return { ...told, rule, unrolled: true, terms, sum, sizes, steps: [], total: sum };
}

// Where the journey goes on to; notes in the stop which term that was. Null at its end.
function goOn(model, pass, stop, left, way) {
  if (stop.differs || stop.missing || placeOf(stop.name).quantity === "embedded") return null;
  const up = /^(logits|energy)$/.test(placeOf(stop.name).quantity) || stop.sum >= 0 ? 1 : -1;
  const order = [...stop.terms.keys()].sort((a, b) => up * (stop.terms[b].value - stop.terms[a].value));
  const wanted = stop.own === undefined ? order : [stop.own]; // a share goes on to its own exponential
  for (const place of wanted) {
    const next = follow(model, pass, stop.terms[place].factors, left, way);
    if (next) {
      Object.assign(stop, { chosen: place, rank: order.indexOf(place), largest: order[0] });
      return next;
    }
  }
  return null;
}

// The factor of a term that leads on, if it reaches a source word in `left` stops.
function follow(model, pass, factors, left, way) {
  const source = (factor) => (isStream(factor.tap) ? factor : origin(model, pass, factor));
  const ends = factors.filter((factor) => factor.tap).map(source);
  const near = ends.filter((end) => end.tap && 1 + distance(end.tap, way) <= left);
  const called = (quantity) => near.find((end) => placeOf(end.tap).quantity === quantity);
  return called(way) ?? called("keys") ?? near[0] ?? null;
}

// How many more stops it takes at least from this tap to the embedding of a source word.
export function distance(name, way) {
  const { kind, side, layer, part, quantity } = placeOf(name);
  // Of the decoder's stream: cross-attention's out, heads_out, what is followed there, memory, embedded.
  const across = way === "attention" ? 7 : 5;
  const stream = (informed) => (side === "encoder" ? 1 : informed ? across : Infinity);
  if (quantity === "embedded") return side === "encoder" ? 0 : Infinity;
  if (name === "memory") return 1;
  if (name === "decoded") return across;
  if (kind === "stack") return stream(quantity !== "positioned");
  if (kind === "feed_forward") return stream(true) + { hidden: 1, out: 2 }[quantity];
  if (kind === "attention") {
    const reads = part === "cross_attention" && quantity !== "queries" ? 1 : stream(layer > 0);
    const mixes = part === "cross_attention" && way === "attention" ? 2 : 0;
    return reads + STEPS_INSIDE[quantity] + (/out$/.test(quantity) ? mixes : 0);
  }
  if (kind === "layer" || kind === "residual") {
    const uninformed = part === "self_attention" || `${part}.${quantity}` === "cross_attention.normed";
    return stream(layer > 0 || !(uninformed || quantity === "attended"));
  }
  return { logits: across + 1, probability: across + 2 }[name] ?? Infinity;
}
