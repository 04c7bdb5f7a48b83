// Surgery in words: where a tap is, what a cut does, which heads there are to cut.

// A tap's name in words: "decoder 0 cross-attention".
export const place = (name) =>
  name
    .replace(/\.layers\.(\d+)\./, " $1 ")
    .replace("_attention.attention", "-attention")
    .replaceAll(/[._]/g, " ");

export function cutInWords({ name, kind, head, channel }) {
  const what = { zero: "to zero", uniform: "the same weight for every open key", swap: "from the other sentence" }[
    kind
  ];
  const part = head !== undefined ? `, head ${head}` : channel !== undefined ? `, neuron ${channel}` : "";
  return `${place(name)}${part}: ${what}`;
}

// The model's attentions in order of computation: [{name, heads}].
export const attentions = (lab) =>
  [...lab.plain.taps]
    .filter(([name]) => name.endsWith("_attention.attention"))
    .map(([name, { shape }]) => ({ name, heads: shape[1] }));

const same = (one, other) => ["name", "kind", "head", "channel"].every((key) => one[key] === other[key]);

export const isCut = (lab, edit) => lab.state.edits.some((each) => same(each, edit));

// Make this cut, or undo it where it has been made.
export function toggleCut(lab, edit) {
  const { edits } = lab.state;
  return lab.set({ edits: isCut(lab, edit) ? edits.filter((each) => !same(each, edit)) : [...edits, edit] });
}
