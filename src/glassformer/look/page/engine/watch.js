/** Every intermediate value under its name, and what an edit makes of it: the page's `watch(model, edit=...)`. */

import { Tensor } from "glass/engine/tensor.js";

export class Watch {
  constructor(edit = new Map()) {
    this.edit = edit;
    this.taps = new Map();
  }

  /** For the module at `path`: a function that notes what a name stands for and returns it, edited if asked to. */
  under(path) {
    return (name, tensor) => this.tap(path ? `${path}.${name}` : name, tensor);
  }

  tap(name, tensor) {
    const change = this.edit.get(name);
    const value = change ? fitted(name, change(tensor), tensor) : tensor;
    this.taps.set(name, value);
    return value;
  }

  /** Throws for an edit of a name that never came up. */
  finish() {
    for (const name of this.edit.keys()) {
      if (!this.taps.has(name)) throw new RangeError(`edit: no value of this model is called "${name}".`);
    }
    return this.taps;
  }
}

/** While nobody looks: names are noted nowhere, nothing is edited. */
export const UNWATCHED = { under: () => (name, tensor) => tensor };

/** An edited value in the Kind of the old one, whose shape it must have. */
function fitted(name, edited, tensor) {
  if (edited.shape.join() !== tensor.shape.join()) {
    throw new RangeError(`edit of "${name}": shape (${edited.shape}) in place of (${tensor.shape}).`);
  }
  return edited.Kind === tensor.Kind ? edited : new Tensor(edited.shape, tensor.Kind.from(edited.data));
}
