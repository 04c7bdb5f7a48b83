// One rule for each quantity of the model, by the kind of its place: (reader, place, index) -> terms and what follows.

import { carried, depthOf, hasFinalNorms, leaving, maskOf, readerOf } from "glass/arithmetic/places.js";
import { each, number, product } from "glass/arithmetic/reader.js";
import { ACTIVATIONS } from "glass/engine/activations.js";

const SHUT = -3e38; // what a shut cell is filled with is lower than this, in each precision
const EPSILON = 1e-5; // of nn.LayerNorm

// x W^T + b. `inputs` gives the i-th number that is read; `at` the letters and places of the i-th term.
function linear(read, { rule, axes, einsum, path, row, inputs, at, finish }) {
  const wide = read.shape(`${path}.weight`)[1];
  const terms = each(wide, (i) => product([inputs(i), read.weight(`${path}.weight`, row, i)], at(i)));
  terms.push(product([read.weight(`${path}.bias`, row)], {}, "bias"));
  return { rule, axes: [...axes], einsum: einsum && split(einsum), terms, finish };
}

// "nqhd,nkhd->nhqk" and the letters that are summed.
function split(text) {
  const [operands, result] = text.split("->");
  const letters = [...new Set(operands.replace(",", ""))];
  return { operands: operands.split(","), result, over: letters.filter((letter) => !result.includes(letter)) };
}

// A name for a number that is there already.
const sameAs = (read, axes, tap, index) => {
  const factor = read.tap(tap, ...index);
  return { rule: `the same as ${tap}`, axes: [...axes], terms: [product([factor])], same: factor };
};

// (x - mean) / sqrt(variance + epsilon) * gain + bias, with the bracket opened.
function layerNorm(read, axes, of, path, index) {
  const [channel, place] = [index.at(-1), index.slice(0, -1)];
  const width = read.shape(of).at(-1);
  const row = each(width, (i) => read.valueOf(of, [...place, i]));
  const mean = row.reduce((sum, x) => sum + x / width, 0);
  const square = (x) => (x - mean) ** 2 / width;
  const variance = row.reduce((sum, x) => sum + square(x), 0);
  const cell = (i) => read.tap(of, ...place, i);
  const centre = () => row.map((_, i) => product([cell(i), number(1 / width, "1/e")], { e: i }));
  const spread = () => row.map((x, i) => ({ value: square(x), factors: [cell(i)], at: { e: i }, squared: true }));
  const scale = number(1 / Math.sqrt(variance + EPSILON), "1/√(variance + 1e-5)");
  const gain = read.weight(`${path}.weight`, channel);
  return {
    rule: "(x − mean) / √(variance + 1e-5) · gain + bias",
    axes: [...axes],
    norm: { mean, variance, row, centre, spread },
    terms: [
      product([read.tap(of, ...index), gain, scale], {}, "x"),
      product([number(-mean, "− mean"), gain, scale], {}, "− mean"),
      product([read.weight(`${path}.bias`, channel)], {}, "bias"),
    ],
  };
}

// The exponentials of a row, their sum, and this one's share of it. A shut cell gets nothing.
function softmax(read, { rule, axes, row, own, letter, shut }) {
  const factors = each(row.count, (i) => read.tap(row.tap, ...row.index(i)));
  const most = factors.reduce((top, factor) => Math.max(top, factor.value), -Infinity);
  const power = (x) => (most <= SHUT ? 1 : Math.exp(x - most));
  const terms = factors.map((factor, i) => ({
    value: power(factor.value),
    factors: [factor],
    at: { [letter]: i },
    exponential: true,
  }));
  const share = (sum) => ({ says: "this exponential ÷ the sum", value: terms[own].value / sum });
  const finish = (sum) => [share(sum), ...(shut ? [{ says: "shut by the mask: nothing", value: 0 }] : [])];
  return { rule, axes: [...axes], terms, finish, own, most };
}

const truth = (axes, open, why) => ({ ...given(axes, Number(open), "1 = may attend"), why });
const given = (axes, value, rule) => ({ rule, axes: [...axes], terms: [product([number(value)])] });

// The end of a stack: a norm where the model has final norms.
const endOf = (side, letter) => (read, place, index) =>
  hasFinalNorms(read.config)
    ? layerNorm(read, `n${letter}e`, `${side}.stream`, `${side}.norm`, index)
    : sameAs(read, `n${letter}e`, `${side}.stream`, index);

const model = {
  memory: (read, place, index) => sameAs(read, "nse", "encoder.memory", index),
  decoded: (read, place, index) => sameAs(read, "nte", "decoder.decoded", index),
  logits: (read, place, [n, t, v]) =>
    linear(read, {
      rule: "logits = decoded Wᵀ + b",
      axes: "ntv",
      einsum: "nte,ve->ntv",
      path: "fc_out",
      row: v,
      inputs: (e) => read.tap("decoded", n, t, e),
      at: (e) => ({ e }),
    }),
  probability: (read, place, [n, t, v]) =>
    softmax(read, {
      rule: "probability = softmax of the logits over v",
      axes: "ntv",
      own: v,
      letter: "v",
      row: { tap: "logits", count: read.shape("logits")[2], index: (i) => [n, t, i] },
    }),
  prefix: (read, place, [n, t]) => given("nt", read.pass.trg[t], "the id of the token that the decoder reads here"),
  src_mask: (read, place, [n, , , s]) => notPadding("n11s", read.pass.src[s], read.config.src_pad_idx),
  words: (read, place, [n, , , k]) => notPadding("n11k", read.pass.trg[k], read.config.trg_pad_idx),
  every_pair: () => truth("qk", true, "Every pair at first; look_ahead then shuts the future."),
  look_ahead: (read, place, [, , q, k]) =>
    truth(
      "11qk",
      k <= q,
      k <= q
        ? `Position ${k} is not later than position ${q}, so ${q} may see it.`
        : `Position ${k} comes after position ${q}: the future is hidden.`,
    ),
  trg_mask: (read, place, [n, , q, k]) => {
    const factors = [read.tap("look_ahead", 0, 0, q, k), read.tap("words", n, 0, 0, k)];
    return { rule: "trg_mask = look_ahead & words", axes: [..."n1qk"], terms: [product(factors)] };
  },
};

function notPadding(axes, id, padId) {
  if (padId === null) return truth(axes, true, "This model has no padding on this side: all are words.");
  if (id === padId) return truth(axes, false, "It is padding, which nobody may attend to.");
  return truth(axes, true, "It is a word, not padding.");
}

const stack = {
  embedded: (read, { path, side, letter }, [n, at, e]) => {
    const id = read.pass[side === "encoder" ? "src" : "trg"][at];
    const factors = [read.weight(`${path}.word_embedding.weight`, id, e)];
    if (read.config.scale_embeddings) factors.push(number(Math.sqrt(read.config.embed_size), "√e"));
    const rule = `embedded = the word's row of the table${factors.length > 1 ? " · √e" : ""}`;
    return { rule, axes: ["n", letter, "e"], terms: [product(factors)] };
  },
  positioned: (read, { path, letter }, index) => {
    const from = read.config.positions === "none" ? `${path}.embedded` : `${path}.positions.positioned`;
    return sameAs(read, `n${letter}e`, from, index);
  },
  stream: (read, { path, side, letter }, index) =>
    sameAs(read, `n${letter}e`, `${path}.layers.${depthOf(read.config, side) - 1}.out`, index),
  memory: endOf("encoder", "s"),
  decoded: endOf("decoder", "t"),
};

const positions = {
  position: (read, { letter }, index) => given([letter, "1"].slice(0, index.length), index[0], "counted from 0"),
  two_i: (read, place, [i]) => given("_", 2 * i, "two_i = 0, 2, 4, …: a wave for each pair of channels"),
  angle: (read, { path, letter }, [t, i]) => {
    const e = read.config.embed_size;
    const exponent = -read.valueOf(`${path}.two_i`, [i]) / e;
    const factors = [read.tap(`${path}.position`, t, 0), number(10000 ** exponent, `10000^(−${2 * i}/${e})`)];
    return { rule: "angle = position / 10000^(two_i / e)", axes: [letter, "_"], terms: [product(factors)] };
  },
  table: (read, { path, letter }, [t, e]) => {
    const wave = e % 2 ? "cos" : "sin";
    const finish = (angle) => [{ says: `${wave} of it`, value: Math[wave](angle) }];
    const terms = [product([read.tap(`${path}.angle`, t, e >> 1)])];
    return { rule: `table = ${wave}(angle)`, axes: [letter, "e"], terms, finish };
  },
  positioned: (read, { path, side, letter }, [n, t, e]) => {
    const learned = read.config.positions === "learned";
    const own = learned ? read.weight(`${path}.table.weight`, t, e) : read.tap(`${path}.table`, t, e);
    return {
      rule: "positioned = embedded + position",
      axes: ["n", letter, "e"],
      terms: [product([read.tap(`${side}.embedded`, n, t, e)], {}, "embedded"), product([own], {}, "position")],
    };
  },
};

// queries, keys, values: which positions they belong to, and what is projected.
const projection =
  (quantity, letter) =>
  (read, place, [n, at, h, d]) => {
    const own = quantity === "queries" || place.part === "self_attention";
    const from = own ? readerOf(read.config, place) : "memory";
    const width = read.shape(`${place.path}.${place.part}.${quantity}`)[3];
    return linear(read, {
      rule: `${quantity} = x Wᵀ + b, cut into heads`,
      axes: `n${letter}hd`,
      einsum: `n${letter}e,hde->n${letter}hd`,
      path: `${place.path}.${place.part}.to_${quantity}`,
      row: h * width + d,
      inputs: (e) => read.tap(from, n, at, e),
      at: (e) => ({ e }),
    });
  };

const pathOf = ({ path, part }) => `${path}.${part}`;

const attention = {
  queries: projection("queries", "q"),
  keys: projection("keys", "k"),
  values: projection("values", "k"),
  energy: (read, place, [n, h, q, k]) => {
    const [queries, keys] = [`${pathOf(place)}.queries`, `${pathOf(place)}.keys`];
    const d = read.shape(queries)[3];
    return {
      rule: "energy = Σ queries · keys / √d",
      axes: ["n", "h", "q", "k"],
      einsum: split("nqhd,nkhd->nhqk"),
      terms: each(d, (i) => product([read.tap(queries, n, q, h, i), read.tap(keys, n, k, h, i)], { d: i })),
      finish: (sum) => [{ says: `÷ √${d}`, value: sum / Math.sqrt(d) }],
    };
  },
  masked_energy: (read, place, index) => {
    const [, , q, k] = index;
    const open = read.valueOf(`${pathOf(place)}.masked_energy`, index) > SHUT;
    const name = maskOf(place);
    const mask = read.tap(name, 0, 0, name === "src_mask" ? 0 : q, k);
    const clicked = Boolean(mask.value) !== open ? " It was clicked so on the mask desk." : "";
    const why = `${open ? "Open: the energy stays." : "Shut: the lowest number there is takes its place."}${clicked}`;
    if (open) return { mask, why, ...sameAs(read, "nhqk", `${pathOf(place)}.energy`, index) };
    const lowest = number(read.valueOf(`${pathOf(place)}.masked_energy`, index), "lowest");
    return { mask, why, rule: "shut by the mask", axes: [..."nhqk"], terms: [product([lowest])] };
  },
  attention: (read, place, [n, h, q, k]) => {
    const tap = `${pathOf(place)}.masked_energy`;
    return softmax(read, {
      rule: "attention = softmax of masked_energy over k",
      axes: "nhqk",
      own: k,
      letter: "k",
      shut: read.valueOf(tap, [n, h, q, k]) <= SHUT,
      row: { tap, count: read.shape(tap)[3], index: (i) => [n, h, q, i] },
    });
  },
  heads_out: (read, place, [n, q, h, d]) => {
    const values = `${pathOf(place)}.values`;
    const factors = (k) => [read.tap(`${pathOf(place)}.attention`, n, h, q, k), read.tap(values, n, k, h, d)];
    return {
      rule: "heads_out = Σ attention · values",
      axes: ["n", "q", "h", "d"],
      einsum: split("nhqk,nkhd->nqhd"),
      terms: each(read.shape(values)[1], (k) => product(factors(k), { k })),
    };
  },
  out: (read, place, [n, q, e]) => {
    const from = `${pathOf(place)}.heads_out`;
    const width = read.shape(from)[3];
    const placed = (i) => [Math.floor(i / width), i % width];
    return linear(read, {
      rule: "out = heads side by side · Wᵀ + b",
      axes: "nqe",
      einsum: "nqhd,ehd->nqe",
      path: `${pathOf(place)}.fc_out`,
      row: e,
      inputs: (i) => read.tap(from, n, q, ...placed(i)),
      at: (i) => ({ h: placed(i)[0], d: placed(i)[1] }),
    });
  },
};

const feedForward = {
  hidden: (read, place, [n, t, f]) => {
    const from = readerOf(read.config, place);
    const { activation } = read.config;
    return linear(read, {
      rule: `hidden = ${activation}(x Wᵀ + b)`,
      axes: ["n", place.letter, "f"],
      einsum: `n${place.letter}e,fe->n${place.letter}f`,
      path: `${pathOf(place)}.fc_in`,
      row: f,
      inputs: (e) => read.tap(from, n, t, e),
      at: (e) => ({ e }),
      finish: (sum) => [{ says: `${activation} of it`, value: ACTIVATIONS[activation](sum) }],
    });
  },
  out: (read, place, [n, t, e]) =>
    linear(read, {
      rule: "out = hidden Wᵀ + b",
      axes: ["n", place.letter, "e"],
      einsum: `n${place.letter}f,ef->n${place.letter}e`,
      path: `${pathOf(place)}.fc_out`,
      row: e,
      inputs: (f) => read.tap(`${pathOf(place)}.hidden`, n, t, f),
      at: (f) => ({ f }),
    }),
};

const normOf = (read, place, of, index) =>
  layerNorm(read, `n${place.letter}e`, of, `${pathOf(place)}_residual.norm`, index);

const residual = {
  normed: (read, place, index) => normOf(read, place, carried(place), index),
  branch: (read, place, index) => sameAs(read, `n${place.letter}e`, `${pathOf(place)}.out`, index),
  residual_sum: (read, place, index) => ({
    rule: "residual_sum = x + branch",
    axes: ["n", place.letter, "e"],
    terms: [
      product([read.tap(carried(place), ...index)], {}, "x"),
      product([read.tap(`${pathOf(place)}_residual.branch`, ...index)], {}, "branch"),
    ],
  }),
  out: (read, place, index) => normOf(read, place, `${pathOf(place)}_residual.residual_sum`, index),
};

const endsWith =
  (part) =>
  (read, { path, letter }, index) =>
    sameAs(read, `n${letter}e`, leaving(read.config, path, part), index);
const layer = {
  attended: endsWith("self_attention"),
  informed: endsWith("cross_attention"),
  out: endsWith("feed_forward"),
};

export const RULES = { model, stack, positions, attention, feed_forward: feedForward, residual, layer };
