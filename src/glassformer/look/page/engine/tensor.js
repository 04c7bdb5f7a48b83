/** Numbers with a shape, kept row after row: the last axis is the nearest in memory, as in PyTorch. */

export class Tensor {
  /** `data` is a typed array; its class, `Kind`, is the tensor's dtype. */
  constructor(shape, data) {
    this.shape = shape;
    this.data = data;
  }

  static zeros(shape, Kind) {
    return new Tensor(shape, new Kind(shape.reduce((product, size) => product * size, 1)));
  }

  get size() {
    return this.data.length;
  }

  get Kind() {
    return this.data.constructor;
  }

  /** One number: `energy.at(0, head, query, key)`. */
  at(...index) {
    return this.data[index.reduce((place, i, axis) => place * this.shape[axis] + i, 0)];
  }

  /** The same numbers with f applied to each. */
  map(f) {
    return new Tensor(this.shape, this.data.map(f));
  }

  /** (n, q, e) -> (n, q, h, d): the channels cut into heads. */
  unflatten(heads) {
    const [n, q, e] = this.shape;
    return new Tensor([n, q, heads, e / heads], this.data);
  }

  /** (n, q, h, d) -> (n, q, e): the heads side by side again. */
  flatten() {
    const [n, q, h, d] = this.shape;
    return new Tensor([n, q, h * d], this.data);
  }
}
