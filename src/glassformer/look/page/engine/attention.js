/** Attention, written out. Every quantity of the equation has a line and a name. */

import { Linear } from "glass/engine/layers.js";
import { dotProducts, maskedFill, softmax, weightedSums } from "glass/engine/operations.js";

/** The fill for hidden energies: the lowest finite number. */
function lowest(Kind) {
  return Kind === Float32Array ? -(2 - 2 ** -23) * 2 ** 127 : -Number.MAX_VALUE;
}

/** softmax(QK^T / sqrt(d_k)) V for all heads: queries (n, q, h, d), keys and values (n, k, h, d) -> (n, q, h, d). */
export function attention(tap, queries, keys, values, mask) {
  const energy = tap("energy", dotProducts(queries, keys, Math.sqrt(queries.shape[3])));
  const maskedEnergy = tap("masked_energy", maskedFill(energy, mask, lowest(energy.Kind)));
  // The second fill: a query with no key at all gets nothing, not an average.
  const attention = tap("attention", maskedFill(softmax(maskedEnergy), mask, 0));
  const headsOut = tap("heads_out", weightedSums(attention, values));
  return headsOut;
}

/** h attentions side by side, each in its own d channels. */
export class MultiHeadAttention {
  constructor(weights, path, heads) {
    this.path = path;
    this.heads = heads;
    this.toQueries = new Linear(weights, `${path}.to_queries`);
    this.toKeys = new Linear(weights, `${path}.to_keys`);
    this.toValues = new Linear(weights, `${path}.to_values`);
    this.fcOut = new Linear(weights, `${path}.fc_out`);
  }

  /** What the positions that answer have to offer, cut into heads. */
  keysValues(tap, key, value) {
    const keys = tap("keys", this.toKeys.forward(key).unflatten(this.heads));
    const values = tap("values", this.toValues.forward(value).unflatten(this.heads));
    return [keys, values];
  }

  /** MultiHead(Q, K, V). With a cache, earlier keys and values come from there. */
  forward(watch, query, key, value, mask, cache = null) {
    const tap = watch.under(this.path);
    const project = () => this.keysValues(tap, key, value);
    const queries = tap("queries", this.toQueries.forward(query).unflatten(this.heads));
    const [keys, values] = cache ? cache.recall(project) : project();
    const headsOut = attention(tap, queries, keys, values, mask);
    const out = tap("out", this.fcOut.forward(headsOut.flatten()));
    return out;
  }
}
