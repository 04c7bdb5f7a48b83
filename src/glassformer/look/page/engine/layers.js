/** The two layers with parameters that everything else is made of. */

import { layerNorm, linear } from "glass/engine/operations.js";

/** x W^T + b, its weight and bias found by their path. */
export class Linear {
  constructor(weights, path) {
    this.weight = weights.get(`${path}.weight`);
    this.bias = weights.get(`${path}.bias`);
  }

  forward(x) {
    return linear(x, this.weight, this.bias);
  }
}

/** Mean 0 and variance 1 in each position, then weight and bias. */
export class LayerNorm {
  constructor(weights, path) {
    this.weight = weights.get(`${path}.weight`);
    this.bias = weights.get(`${path}.bias`);
  }

  forward(x) {
    return layerNorm(x, this.weight, this.bias);
  }
}
