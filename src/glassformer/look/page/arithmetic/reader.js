// Numbers of a pass and of its model as factors: each says where it stands, so that it can be opened in turn.

// A tap or a weight that this page does not hold.
export class NotHere extends Error {}

export class Reader {
  constructor(model, pass) {
    this.config = model.config;
    this.weights = model.weights ?? new Map();
    this.pass = pass;
  }

  has(name) {
    return this.pass.taps.has(name) || this.weights.has(name);
  }

  // The tensor of this name. Throws NotHere.
  tensor(name) {
    const tensor = this.pass.taps.get(name) ?? this.weights.get(name);
    if (!tensor) throw new NotHere(name);
    return tensor;
  }

  shape(name) {
    return this.tensor(name).shape;
  }

  // The name of the typed array that holds it; a tap that is not kept counts as float32.
  kindOf(name) {
    return this.has(name) ? this.tensor(name).Kind.name : "Float32Array";
  }

  valueOf(name, index) {
    return this.tensor(name).at(...index);
  }

  tap(name, ...index) {
    return { tap: name, index, value: this.valueOf(name, index) };
  }

  weight(name, ...index) {
    return { weight: name, index, value: this.valueOf(name, index) };
  }
}

export const number = (value, says) => ({ number: value, says, value });

// The product of these factors as one term of a sum; `at` is its letter and place there, or `says` what it is.
export const product = (factors, at = {}, says = null) => ({
  value: factors.reduce((so, each) => so * each.value, 1),
  factors,
  at,
  says,
});

// `count` terms, made one by one.
export const each = (count, make) => Array.from({ length: count }, (_, i) => make(i));
