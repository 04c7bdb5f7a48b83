// What is on screen, as the part of the address behind "#": a view is a link.

export const START = Object.freeze({
  room: "story", // the panel shown
  model: "main", // or a sister, or a checkpoint
  src: "", // the source sentence; empty: the page's first example
  trg: "", // the target sentence; empty: the model's own greedy answer
  pad: 0, // columns of padding added to both sides
  mode: "greedy", // how the answer is written: greedy, beam, sample
  temperature: 1,
  topK: 0, // 0: all
  seed: 1, // of sampling
  step: -1, // how many tokens of the answer are written; -1: all
  beam: 4,
  alpha: 0.6, // the length penalty
  force: [], // target ids that the answer must begin with
  head: "cross.0.0", // the map shown large: encoder, decoder or cross; layer; head
  difference: false, // whether the large map shows what was changed, not the weights
  tap: "", // the tap chosen on the floor plan; empty: the first cross-attention's
  row: 0, // a target position: what the decoder says after it
  cell: "", // the cell under the microscope: tap@1.2.3
  stop: 0, // of one number's journey; 0: the embedding
  way: "attention", // what the journey follows where a head mixes: attention or values
  edits: [], // surgery: [{name, kind, head, channel}]
  other: "", // the sentence that a swapped activation comes from
  masks: {}, // cells clicked open or shut: {encoder: ["0.2"], decoder: [], cross: []}
  letters: "a b c d e f g", // what the two sisters at the mask desk are given
  predict: false, // hide answers and ask first
  theme: "auto", // light, dark
});

// The state that this "#..." stands for; what cannot be read is left at its start.
export function fromAddress(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const state = { ...START };
  for (const [name, usual] of Object.entries(START)) {
    const text = given.get(name);
    if (text === null) continue;
    try {
      const value = typeof usual === "string" ? text : JSON.parse(text);
      if (typeof value === typeof usual && Array.isArray(value) === Array.isArray(usual) && value !== null) {
        state[name] = value;
      }
    } catch {
      continue;
    }
  }
  return state;
}

// The "#..." of a state; what stands at its start is left out.
export function toAddress(state) {
  const parts = new URLSearchParams();
  for (const [name, usual] of Object.entries(START)) {
    const value = state[name];
    if (JSON.stringify(value) !== JSON.stringify(usual)) {
      parts.set(name, typeof usual === "string" ? value : JSON.stringify(value));
    }
  }
  return `#${parts}`;
}
