// The laboratory: what is on screen (`state`) and everything computed for it. Panels read it, `set` changes it.

import { fromAddress, START, toAddress } from "glass/address.js";
import { beamSearch, limitFor, write } from "glass/engine/decode.js";
import { editMap } from "glass/engine/edits.js";
import { Random } from "glass/engine/random.js";
import { masksOf } from "glass/masks.js";

const LETTERS = "a b c d e f g"; // what a sister reads first
const KEPT = 8; // unedited passes and answers that are remembered

// Something a person typed that cannot be used; the message says what to do instead.
export class Problem extends Error {}

export class Lab {
  // `models`: id -> Model; `vocabularies`: in the order of the payload.
  constructor(payload, models, vocabularies) {
    this.payload = payload;
    this.models = models;
    this.vocabularies = vocabularies;
    this.listeners = [];
    this.milliseconds = []; // from each change to the picture of it
    this.remembered = new Map();
    this.version = 0;
    this.problem = "";
    this.pass = this.plain = this.answer = null;
    addEventListener("hashchange", () => this.#take(fromAddress(location.hash)));
  }

  // What the address asks for; where that cannot be read, the page's own example, and why.
  async start() {
    await this.#take(fromAddress(location.hash));
    if (this.pass) return;
    const { problem, state } = this;
    await this.#take({ ...START, room: state.room, theme: state.theme });
    this.problem = problem;
    this.#tell();
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  // Change the state. `quiet` adds nothing to the browser's history: for sliders.
  set(changes, { quiet = false } = {}) {
    const state = { ...this.state, ...changes };
    const address = toAddress(state);
    if (address !== (location.hash || "#")) history[quiet ? "replaceState" : "pushState"](null, "", address);
    return this.#take(state);
  }

  async #take(state) {
    const began = performance.now();
    const version = ++this.version;
    this.state = state;
    this.problem = "";
    await this.#tried(() => this.#compute());
    if (version !== this.version) return;
    if (!this.pass) return;
    this.#tell();
    this.milliseconds.push(performance.now() - began);
    if (this.problem) return;
    await new Promise((resume) => setTimeout(resume)); // what is there is painted before the answer is written
    if (version !== this.version) return;
    const answer = await this.#tried(() => this.#write());
    if (version !== this.version) return;
    if (answer) this.answer = answer;
    this.#tell();
  }

  // What `work` gives; null, and its message as `problem`, where it cannot be done.
  async #tried(work) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Problem || error instanceof RangeError)) throw error; // RangeError: the engine's own
      this.problem = error.message;
      return null;
    }
  }

  #tell() {
    for (const listener of this.listeners) listener(this);
  }

  get entry() {
    return this.payload.models.find((each) => each.id === this.state.model) ?? this.payload.models[0];
  }

  get model() {
    return this.models.get(this.entry.id);
  }

  get vocab() {
    return { src: this.vocabularies[this.entry.src], trg: this.vocabularies[this.entry.trg] };
  }

  // The sentence on screen.
  get sentence() {
    return this.state.src || (this.entry.role === "sister" ? LETTERS : this.payload.start.src);
  }

  // Whether surgery or the mask desk has changed anything.
  get changed() {
    return this.state.edits.length > 0 || Object.values(this.state.masks).some((cells) => cells.length > 0);
  }

  // The pass to look at: the whole target at once, or what the decoder has read after `step` written tokens.
  get looked() {
    const { answer, state } = this;
    if (state.step < 0 || !answer) return { pass: this.pass, rows: this.trg.length, asks: this.words(this.trg, "trg") };
    return {
      pass: answer.pass,
      rows: Math.min(state.step + 1, answer.read.length),
      asks: this.words(answer.read, "trg"),
    };
  }

  // What the source says about a tap: {axes, where, source, operation}; the layers of a stack share it.
  about(name) {
    const told = this.payload.taps[name.replace(/layers\.\d+/, "layers.0")];
    return told ?? { axes: "", where: "", source: "", operation: "" };
  }

  // The labels of ids: side is "src" or "trg".
  words(ids, side) {
    return Array.from(ids, (id) => this.vocab[side].piece(id));
  }

  // Who asks and who answers in an attention's tap of `pass`.
  axesOf(name, pass = this.pass) {
    const [src, trg] = [this.words(pass.src, "src"), this.words(pass.trg, "trg")];
    if (name.startsWith("encoder")) return { asks: src, answers: src };
    return { asks: trg, answers: name.includes("cross_attention") ? src : trg };
  }

  // Put a cell under the microscope.
  open(name, index) {
    return this.set({ cell: `${name}@${index.join(".")}` });
  }

  // ids of the source with its </s> and padding. Raises Problem.
  readSource(sentence) {
    const { src } = this.vocab;
    const ids = src.encode(sentence.normalize("NFC").trim());
    if (ids.length === 0) throw new Problem("There is no word to read. Type a sentence, or choose an example.");
    return this.#fit([...ids, src.end], this.model.config.src_pad_idx, "The source");
  }

  // With its padding; `unread` ids at the end are asked for, but never read. Raises Problem where it is too long.
  #fit(ids, padId, side, unread = 0) {
    const most = this.model.config.max_length + unread;
    if (ids.length > most) {
      const rule = `this model reads at most max_length=${most - unread}`;
      throw new Problem(`${side} has ${ids.length - unread} tokens, but ${rule}. Shorten it.`);
    }
    const padding = padId === null ? 0 : Math.min(this.state.pad, most - ids.length);
    return [...ids, ...Array(padding).fill(padId)];
  }

  // Everything that depends on the state, but the answer. What was there stays where a Problem is raised.
  async #compute() {
    const { state, model, vocab } = this;
    const src = this.readSource(this.sentence);
    const own = state.trg === "";
    const words = own ? (await this.#plainAnswer(src)).ids : vocab.trg.encode(state.trg.normalize("NFC").trim());
    const target = this.#fit([vocab.trg.start, ...words, vocab.trg.end], model.config.trg_pad_idx, "The target", 1);
    const trg = target.slice(0, -1);
    const plain = await this.#remember("pass", [src, trg], () => model.forward(src, trg));
    const pass = this.changed ? await this.#changedPass(src, trg) : plain;
    Object.assign(this, { src, trg, asked: target.slice(1), plain, pass });
  }

  #changedPass(src, trg) {
    const { edits, other, masks } = this.state;
    const make = async () => this.model.forward(src, trg, await this.#changes(src, trg));
    return this.#remember("changed", [src, trg, edits, other, masks], make);
  }

  // What surgery and the mask desk make of a pass over these ids.
  async #changes(src, trg) {
    const { state, model } = this;
    const swaps = state.edits.some((edit) => edit.kind === "swap");
    const other = swaps ? this.readSource(state.other || this.sentence) : null;
    const edit = editMap(state.edits, swaps ? await model.forward(other, trg) : null);
    const masks = masksOf(state.masks, src, trg, model.config);
    return { edit, masks, edits: state.edits, other, clicked: state.masks }; // the last three: for a server
  }

  async #remember(what, key, make) {
    const name = JSON.stringify([what, this.entry.id, key]);
    if (!this.remembered.has(name)) this.remembered.set(name, await make());
    if (this.remembered.size > KEPT) this.remembered.delete(this.remembered.keys().next().value);
    return this.remembered.get(name);
  }

  // How an answer is written: what both searches need to know.
  searchOptions(src) {
    const { vocab, payload, model } = this;
    const words = src.filter((id) => id !== model.config.src_pad_idx).length;
    return {
      start: vocab.trg.start,
      end: vocab.trg.end,
      forbidden: payload.decoding.forbidden_ids ?? [], // padding and start never are written anyway
      limit: limitFor(model.config, payload.decoding, words),
      forcedEnd: payload.decoding.forced_end ?? true,
    };
  }

  #plainAnswer(src) {
    return this.#remember("answer", src, async () => {
      const steps = [...(await this.#steps(src, { choose: "greedy" }))];
      return { ids: this.#withoutEnd(steps.map((step) => step.token)) };
    });
  }

  #steps(src, options) {
    const all = { ...this.searchOptions(src), ...options };
    return this.model.write ? this.model.write(src, all) : write(this.model, src, all);
  }

  #withoutEnd(ids) {
    return ids.at(-1) === this.vocab.trg.end ? ids.slice(0, -1) : ids;
  }

  // The beam's whole tree under the present changes.
  async beamTree(src = this.src) {
    const { state, model } = this;
    const options = {
      ...this.searchOptions(src),
      ...(await this.#changes(src, this.trg)),
      maskOf: this.maskOf(src),
      beam: state.beam,
      alpha: state.alpha,
      prefix: state.force,
    };
    return model.beamSearch ? model.beamSearch(src, options) : beamSearch(model, src, options);
  }

  // The masks for a target of any length: cells clicked open or shut stay so while the answer grows.
  maskOf(src) {
    return (trg) => masksOf(this.state.masks, src, trg, this.model.config);
  }

  // The answer in the chosen way, and one pass over it that shows each step's numbers.
  #write() {
    const { src, state } = this;
    const { mode, temperature, topK, seed, beam, alpha, force, edits, other, masks } = state;
    const choices = [mode, temperature, topK, seed, beam, alpha, force, edits, other, masks];
    return this.#remember("written", [src, choices], () => this.#written(src));
  }

  async #written(src) {
    const { state, model, vocab } = this;
    let ids;
    let score = null;
    if (state.mode === "beam") {
      const [best] = (await this.beamTree(src)).finished;
      ids = best.ids;
      score = best.score;
    } else {
      const steps = await this.#steps(src, {
        ...(await this.#changes(src, this.trg)),
        maskOf: this.maskOf(src),
        choose: state.mode,
        temperature: state.temperature,
        topK: state.topK,
        random: new Random(state.seed),
        prefix: state.force,
      });
      ids = this.#withoutEnd([...steps].map((step) => step.token));
    }
    const read = [vocab.trg.start, ...ids].slice(0, model.config.max_length);
    const pass = await (this.changed ? this.#changedPass(src, read) : model.forward(src, read));
    return { ids, read, pass, score, text: vocab.trg.decode(ids) };
  }
}
