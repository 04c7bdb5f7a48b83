/** The model writes an answer, one token a step: the likeliest each time, or drawn by chance. */

import { largest, reader } from "glass/engine/steps.js";

export { beamSearch } from "glass/engine/beam.js";
export { limitFor } from "glass/engine/steps.js";

/**
 * Yields {token, logProb, probability, logProbs (v), forced} for each token of the answer, a last </s> among them.
 *
 * `prefix`: ids that are written first, whatever the model thinks; `forcedEnd`: the last token that `limit` allows
 * is </s>. choose "sample" draws with `random`, among the topK likeliest (0: all) at this `temperature`.
 * edit, maskOf: what changes the model (see `reader`). Padding, start and the `forbidden` ids are never chosen.
 */
export function* write(model, src, options) {
  const { start, end, limit, prefix = [], forcedEnd = true } = options;
  const choose = options.choose === "sample" ? draw : likeliest;
  const read = reader(model, src, options);
  let [state, logProbs] = read(null, start);
  for (let length = 1; length <= limit; length++) {
    const only = forcedEnd && length === limit ? end : prefix[length - 1];
    const token = only ?? choose(logProbs, options);
    const logProb = logProbs[token];
    yield { token, logProb, probability: Math.exp(logProb), logProbs, forced: only !== undefined };
    if (token === end || length === limit) return;
    [state, logProbs] = read(state, token);
  }
}

function likeliest(logProbs) {
  return largest(logProbs, 1)[0];
}

/** A token by its share, after temperature and topK. */
function draw(logProbs, { temperature = 1, topK = 0, random }) {
  const tokens = topK ? largest(logProbs, topK) : [...logProbs.keys()];
  const highest = logProbs.reduce((a, b) => Math.max(a, b));
  const shares = tokens.map((token) => Math.exp((logProbs[token] - highest) / temperature));
  const goal = random.next() * shares.reduce((a, b) => a + b);
  let reached = 0;
  return tokens.find((_, i) => (reached += shares[i]) > goal) ?? tokens.findLast((_, i) => shares[i] > 0);
}
