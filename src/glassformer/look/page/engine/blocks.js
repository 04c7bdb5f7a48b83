/** The layers of the figure: feed-forward, add & norm, and the two blocks made of them. */

import { ACTIVATIONS } from "glass/engine/activations.js";
import { MultiHeadAttention } from "glass/engine/attention.js";
import { LayerNorm, Linear } from "glass/engine/layers.js";
import { add } from "glass/engine/operations.js";

/** max(0, x W_1 + b_1) W_2 + b_2, the same for each position. */
class FeedForward {
  constructor(weights, path, activation) {
    this.path = path;
    this.fcIn = new Linear(weights, `${path}.fc_in`);
    this.activation = ACTIVATIONS[activation];
    this.fcOut = new Linear(weights, `${path}.fc_out`);
  }

  forward(watch, x) {
    const tap = watch.under(this.path);
    const hidden = tap("hidden", this.fcIn.forward(x).map(this.activation));
    const out = tap("out", this.fcOut.forward(hidden));
    return out;
  }
}

/** Add & norm as in the paper: LayerNorm(x + Sublayer(x)). */
class PostNorm {
  constructor(weights, path) {
    this.path = path;
    this.norm = new LayerNorm(weights, `${path}.norm`);
  }

  forward(watch, x, sublayer) {
    const tap = watch.under(this.path);
    const branch = tap("branch", sublayer(x));
    const residualSum = tap("residual_sum", add(x, branch));
    const out = tap("out", this.norm.forward(residualSum));
    return out;
  }
}

/** Norm & add: x + Sublayer(LayerNorm(x)). */
class PreNorm {
  constructor(weights, path) {
    this.path = path;
    this.norm = new LayerNorm(weights, `${path}.norm`);
  }

  forward(watch, x, sublayer) {
    const tap = watch.under(this.path);
    const normed = tap("normed", this.norm.forward(x));
    const branch = tap("branch", sublayer(normed));
    const residualSum = tap("residual_sum", add(x, branch));
    return residualSum;
  }
}

const RESIDUALS = { post: PostNorm, pre: PreNorm };
const NO_CACHE = { selfAttention: null, crossAttention: null };

/** The left box of figure 1: self-attention, then feed-forward, each with its residual. */
export class EncoderBlock {
  constructor(weights, path, heads, { norm, activation }) {
    this.path = path;
    this.selfAttention = new MultiHeadAttention(weights, `${path}.self_attention`, heads);
    this.feedForward = new FeedForward(weights, `${path}.feed_forward`, activation);
    this.selfAttentionResidual = new RESIDUALS[norm](weights, `${path}.self_attention_residual`);
    this.feedForwardResidual = new RESIDUALS[norm](weights, `${path}.feed_forward_residual`);
  }

  forward(watch, x, srcMask) {
    const tap = watch.under(this.path);
    const look = (y) => this.selfAttention.forward(watch, y, y, y, srcMask);
    const attended = tap("attended", this.selfAttentionResidual.forward(watch, x, look));
    const think = (y) => this.feedForward.forward(watch, y);
    const out = tap("out", this.feedForwardResidual.forward(watch, attended, think));
    return out;
  }
}

/** The right box of figure 1: self-attention, cross-attention to the encoder's memory, feed-forward. */
export class DecoderBlock {
  constructor(weights, path, heads, { norm, activation }) {
    this.path = path;
    this.selfAttention = new MultiHeadAttention(weights, `${path}.self_attention`, heads);
    this.crossAttention = new MultiHeadAttention(weights, `${path}.cross_attention`, heads);
    this.feedForward = new FeedForward(weights, `${path}.feed_forward`, activation);
    this.selfAttentionResidual = new RESIDUALS[norm](weights, `${path}.self_attention_residual`);
    this.crossAttentionResidual = new RESIDUALS[norm](weights, `${path}.cross_attention_residual`);
    this.feedForwardResidual = new RESIDUALS[norm](weights, `${path}.feed_forward_residual`);
  }

  forward(watch, x, memory, trgMask, srcMask, cache = NO_CACHE) {
    const tap = watch.under(this.path);
    const lookBack = (y) => this.selfAttention.forward(watch, y, y, y, trgMask, cache.selfAttention);
    const attended = tap("attended", this.selfAttentionResidual.forward(watch, x, lookBack));
    const lookAcross = (y) => this.crossAttention.forward(watch, y, memory, memory, srcMask, cache.crossAttention);
    const informed = tap("informed", this.crossAttentionResidual.forward(watch, attended, lookAcross));
    const think = (y) => this.feedForward.forward(watch, y);
    const out = tap("out", this.feedForwardResidual.forward(watch, informed, think));
    return out;
  }
}
