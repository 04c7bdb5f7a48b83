/** The whole model: source -> encoder -> memory -> decoder, which also reads the target -> logits. */

import { DecoderBlock, EncoderBlock } from "glass/engine/blocks.js";
import { Cache } from "glass/engine/cache.js";
import { fromFloat16 } from "glass/engine/float16.js";
import { LayerNorm, Linear } from "glass/engine/layers.js";
import { paddingMask, targetMask } from "glass/engine/masks.js";
import { embedding } from "glass/engine/operations.js";
import { POSITIONS } from "glass/engine/positions.js";
import { Tensor } from "glass/engine/tensor.js";
import { UNWATCHED, Watch } from "glass/engine/watch.js";

/** One side's word embedding, positions, blocks and final norm: what encoder and decoder share. */
class Stack {
  constructor(weights, path, config, Kind, Block, layers, heads) {
    this.path = path;
    this.Kind = Kind;
    this.scale = config.scale_embeddings ? Math.sqrt(config.embed_size) : 1;
    this.wordEmbedding = weights.get(`${path}.word_embedding.weight`);
    this.positions = new POSITIONS[config.positions](weights, `${path}.positions`);
    this.layers = Array.from({ length: layers }, (_, i) => new Block(weights, `${path}.layers.${i}`, heads, config));
    const hasFinalNorms = config.final_norms ?? config.norm === "pre";
    this.norm = hasFinalNorms ? new LayerNorm(weights, `${path}.norm`) : { forward: (x) => x };
  }

  embed(watch, tap, tokens, start) {
    const embedded = tap("embedded", embedding(this.wordEmbedding, tokens, this.scale, this.Kind));
    const positioned = tap("positioned", this.positions.forward(watch, embedded, start));
    return positioned;
  }
}

/** Word embedding + position, then N blocks. */
class Encoder extends Stack {
  forward(watch, src, srcMask) {
    const tap = watch.under(this.path);
    let stream = tap("stream", this.embed(watch, tap, src, 0));
    for (const layer of this.layers) {
      stream = tap("stream", layer.forward(watch, stream, srcMask));
    }
    const memory = tap("memory", this.norm.forward(stream));
    return memory;
  }
}

/** Word embedding + position, then N blocks that also look at the encoder's memory. */
class Decoder extends Stack {
  forward(watch, trg, memory, trgMask, srcMask, cache = null) {
    const tap = watch.under(this.path);
    let stream = tap("stream", this.embed(watch, tap, trg, trgMask.shape[3] - trg.size));
    for (const [i, layer] of this.layers.entries()) {
      stream = tap("stream", layer.forward(watch, stream, memory, trgMask, srcMask, cache?.layers[i]));
    }
    const decoded = tap("decoded", this.norm.forward(stream));
    return decoded;
  }
}

export class Model {
  /** `weights`: name -> Tensor of every parameter; `Kind`, Float32Array or Float64Array, is what it computes in. */
  constructor(config, weights, Kind) {
    this.config = config;
    this.weights = weights;
    const { num_layers: layers, heads, decoder_layers: decoderLayers, decoder_heads: decoderHeads } = config;
    this.encoder = new Encoder(weights, "encoder", config, Kind, EncoderBlock, layers, heads);
    this.decoder = new Decoder(
      weights,
      "decoder",
      config,
      Kind,
      DecoderBlock,
      decoderLayers ?? layers,
      decoderHeads ?? heads,
    );
    this.fcOut = new Linear(weights, "fc_out");
  }

  /** The model of a payload's entry, its weights in float16 bytes; computes in "float32" or "float64". */
  static fromBytes(entry, bytes, precision = "float32") {
    const numbers = fromFloat16(bytes);
    const weights = new Map();
    for (const [name, shape, offset] of entry.tensors) {
      const size = shape.reduce((product, each) => product * each, 1);
      weights.set(name, new Tensor(shape, numbers.subarray(offset, offset + size)));
    }
    // What shares one table is stored once, under its first name.
    const tied = { none: [], "two-way": ["decoder"], "three-way": ["encoder", "decoder"] }[entry.config.tie_embeddings];
    const [first, ...others] = tied.map((side) => `${side}.word_embedding.weight`);
    if (first) for (const name of [...others, "fc_out.weight"]) weights.set(name, weights.get(first));
    return new Model(entry.config, weights, precision === "float64" ? Float64Array : Float32Array);
  }

  makeSrcMask(watch, src) {
    const tap = watch.under("");
    const srcMask = tap("src_mask", paddingMask(tap, src, this.config.src_pad_idx));
    return srcMask;
  }

  /** Read the source once. */
  encode(watch, src, masks = {}) {
    const tap = watch.under("");
    checkLength("src", src, this.config.max_length);
    const srcMask = this.makeSrcMask(watch, src);
    const memory = tap("memory", this.encoder.forward(watch, src, masks.encoder ?? srcMask));
    return memory;
  }

  /** Everything but the last linear layer. With a cache, `trg` holds the new tokens only. */
  decode(watch, trg, memory, srcMask, cache = null, masks = {}) {
    const tap = watch.under("");
    const prefix = tap("prefix", cache ? cache.extend(trg) : trg);
    checkLength("trg", prefix, this.config.max_length);
    const trgMask = targetMask(tap, prefix, this.config.trg_pad_idx, trg.size);
    const [ownMask, crossMask] = [masks.decoder ?? trgMask, masks.cross ?? srcMask];
    const decoded = tap("decoded", this.decoder.forward(watch, trg, memory, ownMask, crossMask, cache));
    return decoded;
  }

  /**
   * Logits for the token after each target position, and everything on the way there: a Pass {src, trg, taps}.
   *
   * `src` are ids with their </s>, `trg` the ids that the decoder reads, <s> first. `edit`: name -> what becomes of
   * its tensor. `masks`: {encoder, decoder, cross}, each (1, 1, q, k), used in place of the computed ones.
   */
  forward(src, trg, { edit, masks } = {}) {
    const watch = new Watch(edit);
    const tap = watch.under("");
    const memory = this.encode(watch, ids(src), masks);
    const srcMask = this.makeSrcMask(watch, ids(src));
    const decoded = this.decode(watch, ids(trg), memory, srcMask, null, masks);
    tap("logits", this.fcOut.forward(decoded));
    return { src: [...src], trg: [...trg], taps: watch.finish() };
  }

  /** A reader of `src` for step-by-step decoding: its memory, and an empty cache. */
  begin(src) {
    const memory = this.encode(UNWATCHED, ids(src));
    return { memory, srcMask: this.makeSrcMask(UNWATCHED, ids(src)), cache: Cache.empty(this.decoder.layers.length) };
  }

  /** Logits (v) after the new tokens `trg`; those before them are in the cache, which then holds these too. */
  step({ memory, srcMask, cache }, trg) {
    const decoded = this.decode(UNWATCHED, ids(trg), memory, srcMask, cache);
    const [n, t, e] = decoded.shape;
    return this.fcOut.forward(new Tensor([n, 1, e], decoded.data.subarray((t - 1) * e))).data;
  }
}

/** (1, t) */
function ids(tokens) {
  return new Tensor([1, tokens.length], Int32Array.from(tokens));
}

function checkLength(side, tokens, maxLength) {
  if (tokens.size > maxLength) {
    throw new RangeError(`${side} has ${tokens.size} tokens, but the model reads at most max_length=${maxLength}.`);
  }
}
