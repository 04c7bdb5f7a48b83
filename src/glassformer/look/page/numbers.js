// Small arithmetic on rows of a pass.

// The probabilities that row `at` of logits (1, t, v) stands for; `topK` > 0 leaves the k likeliest.
export function softmax(logits, at, temperature = 1, topK = 0) {
  const size = logits.shape[2];
  const scores = Float64Array.from(logits.data.subarray(at * size, (at + 1) * size), (each) => each / temperature);
  if (topK > 0 && topK < size) {
    const least = Float64Array.from(scores).sort()[size - topK];
    scores.forEach((each, id) => each < least && (scores[id] = -Infinity));
  }
  const most = Math.max(...scores);
  const parts = scores.map((each) => Math.exp(each - most));
  const sum = parts.reduce((a, b) => a + b, 0);
  return parts.map((each) => each / sum);
}

// The entropy in bits of weights that add up to 1.
export const entropy = (weights) => weights.reduce((sum, w) => (w > 0 ? sum - w * Math.log2(w) : sum), 0);

// The largest difference between two tensors of the same shape; Infinity where the shapes differ.
export function difference(one, other) {
  if (!one || !other || one.shape.join() !== other.shape.join()) return Infinity;
  let largest = 0;
  for (let at = 0; at < one.data.length; at++) largest = Math.max(largest, Math.abs(one.data[at] - other.data[at]));
  return largest;
}
