/** Keys and values kept while decoding, so that each step computes its new token only. */

import { Tensor } from "glass/engine/tensor.js";

/** Keys and values (n, k, h, d) of the target tokens so far; each step appends those of its new tokens. */
class SelfAttentionCache {
  constructor(kept = null) {
    this.kept = kept;
  }

  recall(project) {
    const fresh = project();
    this.kept = this.kept ? this.kept.map((earlier, i) => joined(earlier, fresh[i])) : fresh;
    return this.kept;
  }

  copy() {
    return new this.constructor(this.kept);
  }
}

/** Keys and values (n, s, h, d) of the memory, which never changes: projected once per sentence. */
class CrossAttentionCache extends SelfAttentionCache {
  recall(project) {
    this.kept ??= project();
    return this.kept;
  }
}

/** What a whole decoder keeps: the target tokens so far, and two caches per layer. */
export class Cache {
  constructor(layers, tokens = null) {
    this.layers = layers;
    this.tokens = tokens;
  }

  static empty(layers) {
    return new Cache(
      Array.from({ length: layers }, () => ({
        selfAttention: new SelfAttentionCache(),
        crossAttention: new CrossAttentionCache(),
      })),
    );
  }

  /** All target tokens so far, the new ones included. */
  extend(trg) {
    this.tokens = this.tokens ? joined(this.tokens, trg) : trg;
    return this.tokens;
  }

  /** Its own way on from here: what it appends, the other never sees. The tensors themselves are shared. */
  copy() {
    const layers = this.layers.map(({ selfAttention, crossAttention }) => ({
      selfAttention: selfAttention.copy(),
      crossAttention: crossAttention.copy(),
    }));
    return new Cache(layers, this.tokens);
  }
}

/** Both along axis 1, for n = 1. */
function joined(earlier, fresh) {
  const [n, before, ...rest] = earlier.shape;
  const both = Tensor.zeros([n, before + fresh.shape[1], ...rest], fresh.Kind);
  both.data.set(earlier.data);
  both.data.set(fresh.data, earlier.size);
  return both;
}
