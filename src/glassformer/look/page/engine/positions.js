/** Attention alone cannot tell first from last, so order is added to the word embeddings. */

import { add, embedding } from "glass/engine/operations.js";
import { Tensor } from "glass/engine/tensor.js";

/** PE(pos, 2i) = sin(pos / 10000^(2i/e)) and PE(pos, 2i+1) = cos(the same), for pos = start, start+1, ... (t, e). */
function sinusoids(tap, length, start, like) {
  const [e, Kind] = [like.shape[2], like.Kind];
  const half = e / 2;
  const position = tap(
    "position",
    new Tensor(
      [length, 1],
      Kind.from({ length }, (_, i) => start + i),
    ),
  );
  const twoI = tap(
    "two_i",
    new Tensor(
      [half],
      Kind.from({ length: half }, (_, i) => 2 * i),
    ),
  );
  // Rounded as PyTorch does at each step: an angle of 100 shows the last digit of its divisor.
  const divisors = twoI.map((each) => each / e).map((exponent) => 10000 ** exponent);
  const angles = Tensor.zeros([length, half], Kind).map((_, i) => {
    return position.data[Math.floor(i / half)] / divisors.data[i % half];
  });
  const angle = tap("angle", angles);
  const waves = Tensor.zeros([length, e], Kind).map((_, i) => {
    return i % 2 ? Math.cos(angle.data[(i - 1) / 2]) : Math.sin(angle.data[i / 2]);
  });
  const table = tap("table", waves);
  return table;
}

/** The paper's choice: fixed waves, nothing to learn. */
class SinusoidalPositions {
  constructor(weights, path) {
    this.path = path;
  }

  forward(watch, embedded, start) {
    const tap = watch.under(this.path);
    const positioned = tap("positioned", add(embedded, sinusoids(tap, embedded.shape[1], start, embedded)));
    return positioned;
  }
}

/** The origin's choice: a table (max_length, e) learned like the words. */
class LearnedPositions {
  constructor(weights, path) {
    this.path = path;
    this.table = weights.get(`${path}.table.weight`);
  }

  forward(watch, embedded, start) {
    const tap = watch.under(this.path);
    const length = embedded.shape[1];
    const position = tap(
      "position",
      new Tensor(
        [length],
        Int32Array.from({ length }, (_, i) => start + i),
      ),
    );
    const positioned = tap("positioned", add(embedded, embedding(this.table, position, 1, embedded.Kind)));
    return positioned;
  }
}

/** Order left out: the encoder then reads a bag of words. */
class NoPositions {
  forward(watch, embedded) {
    return embedded;
  }
}

export const POSITIONS = { learned: LearnedPositions, sinusoidal: SinusoidalPositions, none: NoPositions };
