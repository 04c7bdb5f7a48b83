// A model too large for the page: one pass, recorded by PyTorch. It answers what was recorded and nothing else.

import { blob } from "glass/blobs.js";
import { Tensor } from "glass/engine/tensor.js";
import { Problem } from "glass/lab.js";

const KINDS = { Float32Array, Int32Array, Uint8Array };

export class RecordedModel {
  constructor(entry, recording) {
    this.config = entry.config;
    const numbers = new Float32Array(blob(recording.blob).buffer);
    const taps = new Map();
    for (const [name, shape, offset, kind] of recording.taps) {
      const size = shape.reduce((product, each) => product * each, 1);
      taps.set(name, new Tensor(shape, KINDS[kind].from(numbers.subarray(offset, offset + size))));
    }
    this.pass = { src: recording.src, trg: recording.trg, taps };
  }

  forward(src, trg, { edit, masks } = {}) {
    const same = src.join() === this.pass.src.join() && trg.join() === this.pass.trg.join();
    if (!same || edit?.size || Object.keys(masks ?? {}).length) throw elsewhere();
    return this.pass;
  }

  // The recorded answer, token by token.
  write(src, { end, prefix = [] }) {
    if (src.join() !== this.pass.src.join() || prefix.length) throw elsewhere();
    return [...this.pass.trg.slice(1), end].map((token) => ({ token }));
  }

  beamSearch() {
    throw elsewhere();
  }
}

const elsewhere = () =>
  new Problem(
    "This page is a recording of one pass: the model is too large to compute here. " +
      "For other sentences and for changes: glassformer look MODEL --serve",
  );
