// What each attention head does, in numbers and a few words: the same rules as glassformer.look.heads.

import { percent } from "glass/dom.js";
import { masksOf, usualMask } from "glass/masks.js";
import { entropy } from "glass/numbers.js";

export const PARTS = ["encoder", "decoder", "cross"];

// A caption needs this much of: weight on one place; the largest possible entropy; agreement with a straight line.
const [MOST_OF_IT, EVEN, STRAIGHT] = [0.5, 0.9, 0.9];
const PLACES = {
  on_previous: ["looks one back", "the word before"],
  on_self: ["looks at itself", "itself"],
  on_next: ["looks one ahead", "the word after"],
  on_start: ["to <s>", "<s>"],
  on_end: ["to </s>", "</s>"],
  on_padding: ["to the padding", "the padding"],
};

export function tapOf(part, layer) {
  const [side, kind] = part === "cross" ? ["decoder", "cross"] : [part, "self"];
  return `${side}.layers.${layer}.${kind}_attention.attention`;
}

const KEPT = new WeakMap();

// What `make` gives, made once for a pass.
export function kept(pass, name, make) {
  if (!KEPT.has(pass)) KEPT.set(pass, new Map());
  const all = KEPT.get(pass);
  if (!all.has(name)) all.set(name, make());
  return all.get(name);
}

// One map of a pass: {rows, columns, at(row, column)}; head "mean" is the mean over all heads.
export function mapOf(pass, { part, layer, head }) {
  const {
    shape: [, heads, rows, columns],
    data,
  } = pass.taps.get(tapOf(part, layer));
  const size = rows * columns;
  const mean = () =>
    data.slice(0, size).map((_, cell) => {
      let sum = 0;
      for (let at = cell; at < data.length; at += size) sum += data[at];
      return sum / heads;
    });
  const own = () => data.subarray(head * size, (head + 1) * size);
  const weights = head === "mean" ? kept(pass, `mean ${part}.${layer}`, mean) : own();
  return { rows, columns, at: (row, column) => weights[row * columns + column] };
}

// Numbers of one map (`rows` and `columns` say how much of it counts), padding rows left out:
//   {entropy, most_entropy, peak, distance, on_..., walk, caption, sentence}, named as HeadStatistics' fields
// null: no row may look there, or the question has no meaning.
export function statistics(lab, pass, { part, layer, head }, map) {
  return kept(pass, `statistics ${part}.${layer}.${head} ${map.rows}`, () => measured(lab, pass, part, map));
}

function measured(lab, pass, part, map) {
  const { config } = lab.model;
  const usual = usualMask(part, pass.src, pass.trg, config);
  const clicked = masksOf(lab.state.masks, pass.src, pass.trg, config)[part];
  const isOpen = clicked ? (row, column) => clicked.data[row * usual.columns + column] === 1 : usual.open;
  const asks = part === "encoder" ? [pass.src, config.src_pad_idx] : [pass.trg, config.trg_pad_idx];
  const real = Array.from({ length: map.rows }, (_, row) => row).filter((row) => asks[0][row] !== asks[1]);
  const columns = Array.from({ length: map.columns }, (_, column) => column);
  const isWord = columns.map((column) => usual.words(0, column));
  const words = columns.filter((column) => isWord[column]);
  const mean = (of, over = real) => (over.length ? over.reduce((sum, row) => sum + of(row), 0) / over.length : null);
  const weights = new Map(real.map((row) => [row, columns.map((column) => map.at(row, column))]));
  const total = (row, of) => weights.get(row).reduce((sum, weight, column) => sum + weight * of(column), 0);
  const share = (placeOf) => {
    const mayLook = (row) => placeOf(row) >= 0 && placeOf(row) < map.columns && isOpen(row, placeOf(row));
    return mean((row) => weights.get(row)[placeOf(row)], real.filter(mayLook));
  };
  const own = part !== "cross";
  const found = {
    entropy: mean((row) => entropy(weights.get(row))),
    most_entropy: mean((row) => Math.log2(Math.max(1, columns.filter((column) => isOpen(row, column)).length))),
    peak: mean((row) => Math.max(...weights.get(row))),
    distance: own ? mean((row) => total(row, (column) => Math.abs(column - row))) : null,
    on_previous: own ? share((row) => row - 1) : null,
    on_self: own ? share((row) => row) : null,
    on_next: own ? share((row) => row + 1) : null,
    on_start: part === "decoder" ? share(() => 0) : null,
    on_end: part === "decoder" ? null : share(() => words.at(-1)),
    on_padding: mean((row) => total(row, (column) => (isWord[column] ? 0 : 1))),
    walk: own ? null : walkOf(real, words.slice(0, -1), weights),
  };
  return { ...found, ...captionOf(found) };
}

// The correlation of a row's place with the place it looks at among `words`, a row counting by its weight there:
// looking at </s> is no step of a walk. null with fewer than three rows.
function walkOf(rows, words, weights) {
  if (rows.length < 3) return null;
  const counts = rows.map((row) => words.reduce((sum, column) => sum + weights.get(row)[column], 0));
  const looked = rows.map(
    (row, at) =>
      words.reduce((sum, column) => sum + weights.get(row)[column] * column, 0) / Math.max(1e-12, counts[at]),
  );
  const dot = (one, other) => counts.reduce((sum, count, at) => sum + count * one[at] * other[at], 0);
  const ones = rows.map(() => 1);
  const centred = (values) => {
    const mean = dot(values, ones) / Math.max(1e-12, dot(ones, ones));
    return values.map((each) => each - mean);
  };
  const [x, y] = [centred(rows), centred(looked)];
  return dot(x, y) / Math.max(1e-12, Math.sqrt(dot(x, x) * dot(y, y)));
}

// {caption, sentence}: a few words for under a picture, and the same as a sentence.
function captionOf(found) {
  const say = (caption, sentence) => ({ caption, sentence });
  const peak = `its largest weight is ${percent(found.peak ?? 0)} on average.`;
  if (!found.most_entropy) return say("no choice: one word", "Each row has one word to look at.");
  if (found.entropy >= EVEN * found.most_entropy) {
    return say("spread evenly", "Each row spreads its weight over all the words it may see.");
  }
  const place = Object.keys(PLACES).reduce((best, name) => ((found[name] ?? 0) > (found[best] ?? 0) ? name : best));
  if ((found[place] ?? 0) >= MOST_OF_IT) {
    const [caption, where] = PLACES[place];
    return say(caption, `Each row puts most weight on ${where}: ${percent(found[place])} on average.`);
  }
  if (found.peak < MOST_OF_IT) return say("mixed", `Each row spreads its weight: ${peak}`);
  if (found.walk >= STRAIGHT) return say("walks left to right", `Row by row it walks from left to right: ${peak}`);
  if (found.walk <= -STRAIGHT) return say("walks right to left", `Row by row it walks from right to left: ${peak}`);
  return say("picks single words", `Each row picks a word of its own: ${peak}`);
}
