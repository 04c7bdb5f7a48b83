/** What greedy, sampling and beam search share: the model reads one token more and says what may come next. */

/** How many tokens an answer may have, </s> included; `srcLength` counts the source's </s>, but no padding. */
export function limitFor(config, decoding, srcLength) {
  const longest = Math.floor(srcLength * decoding.max_ratio) + decoding.max_extra;
  return Math.max(1, Math.min(longest, config.max_length));
}

/**
 * How the model reads on: (what it has read, null at first; a token) -> [what it has read then, log probabilities (v)].
 *
 * What was read is never changed, so that several hypotheses may go on from it. Where nothing is edited or masked by
 * hand it is a cache of keys and values, otherwise the tokens, which each step reads again from the beginning.
 * `maskOf`: the tokens read -> {encoder, decoder, cross}, as in `forward`.
 */
export function reader(model, src, { start, forbidden = [], edit, maskOf = () => ({}) }) {
  const never = [start, model.config.trg_pad_idx ?? start, ...forbidden];
  if (edit?.size || Object.keys(maskOf([start])).length) {
    return (before, token) => {
      const read = [...(before ?? []), token];
      const { taps } = model.forward(src, read, { edit, masks: maskOf(read) });
      const logits = taps.get("logits").data;
      return [read, logProbs(logits.subarray((read.length - 1) * (logits.length / read.length)), never)];
    };
  }
  const { memory, srcMask, cache } = model.begin(src);
  return (before, token) => {
    const read = (before ?? cache).copy();
    return [read, logProbs(model.step({ memory, srcMask, cache: read }, [token]), never)];
  };
}

/** log softmax (v). Forbidden ids have none: the others share all the probability. */
export function logProbs(logits, forbidden) {
  const out = Float64Array.from(logits);
  for (const id of forbidden) out[id] = -Infinity;
  const largest = out.reduce((a, b) => Math.max(a, b));
  const logOfSum = largest + Math.log(out.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
  return out.map((logit) => logit - logOfSum);
}

/** Where the k largest values stand, in descending order; of equal ones the lowest index first. */
export function largest(values, k) {
  const best = [];
  values.forEach((value, index) => {
    if (best.length === k && value <= values[best[k - 1]]) return;
    let place = best.length;
    while (place > 0 && values[best[place - 1]] < value) place--;
    best.splice(place, 0, index);
    best.length = Math.min(best.length, k);
  });
  return best;
}
