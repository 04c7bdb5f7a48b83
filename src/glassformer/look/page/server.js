// The model behind a served page: the same questions as to engine/model.js and engine/decode.js, answered by promises.
// This is the one module that asks the network, and it asks only the server that the page came from.

import { Model } from "glass/engine/model.js";
import { Tensor } from "glass/engine/tensor.js";
import { Problem } from "glass/lab.js";

const KINDS = { Float32Array, Int32Array, Uint8Array };

/** Has all weights, for the arithmetic that the page shows; whole passes and answers are computed by the server. */
export class RemoteModel extends Model {
  /** entry: the model's in the payload. */
  static async open(entry) {
    const { header, numbers } = await ask("weights", { model: entry.id });
    const weights = new Map(header.tensors.map(([name, ...place]) => [name, tensorAt(numbers, ...place)]));
    return Object.assign(new RemoteModel(entry.config, weights, Float32Array), { id: entry.id });
  }

  /** A Pass. Changes are data here: {edits, other: ids of a swap's source, clicked: {encoder: ["0.2"], ...}}. */
  async forward(src, trg, changes = {}) {
    const { header, numbers } = await ask("pass", { model: this.id, src, trg, ...asData(changes) });
    const taps = new Map(header.taps.map(([name, ...place]) => [name, tensorAt(numbers, ...place)]));
    return { src: header.src, trg: header.trg, taps };
  }

  /** The steps of an answer, as `write` of engine/decode.js yields them; here all at once. */
  async write(src, options) {
    const { choose = "greedy", temperature = 1, topK = 0, random, limit } = options;
    const noise = choose === "sample" ? Array.from({ length: limit }, () => random.next()) : [];
    const asked = { ...this.#answer(src, options), choose, temperature, top_k: topK, noise };
    const { header, numbers } = await ask("write", asked);
    return header.steps.map((step, i) => {
      return { ...step, logProbs: Float64Array.from(numbers.subarray(i * header.size, (i + 1) * header.size)) };
    });
  }

  /** {nodes, finished}, as `beamSearch` of engine/decode.js. */
  async beamSearch(src, options) {
    const { beam, alpha } = options;
    return (await ask("write", { ...this.#answer(src, options), choose: "beam", beam, alpha })).header;
  }

  #answer(src, options) {
    const { limit, prefix = [], forcedEnd = true } = options;
    return { model: this.id, src, limit, prefix, forced_end: forcedEnd, ...asData(options) };
  }
}

/** -> {header, numbers}. Throws Problem with what the server says, or where there is none. */
async function ask(what, question) {
  const response = await fetch(`/${what}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(question),
  }).catch(() => {
    throw new Problem("The server does not answer. Is `glassformer look MODEL --serve` still running?");
  });
  if (!response.ok) throw new Problem((await response.json()).error);
  return unframed(await response.arrayBuffer());
}

function asData({ edits = [], other = null, clicked = {} }) {
  return { edits, other, masks: clicked };
}

/** The JSON's length, the JSON, float32 numbers: see `framed` in look/server/asked.py. */
function unframed(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { header, numbers: new Float32Array(buffer, 4 + length) };
}

function tensorAt(numbers, shape, offset, kind = "Float32Array") {
  const part = numbers.subarray(offset, offset + shape.reduce((product, each) => product * each, 1));
  return new Tensor(shape, kind === "Float32Array" ? part : KINDS[kind].from(part));
}
