// Where a tap stands in the model, and which taps it is computed from: the wiring of the figure, by name.

const SUBLAYER = "self_attention|cross_attention|feed_forward";
const IN_A_LAYER = new RegExp(`^(encoder|decoder)\\.layers\\.(\\d+)(?:\\.(${SUBLAYER})(_residual)?)?\\.(\\w+)$`);

// {kind, side, layer, path, part, quantity, letter}: `kind` is model, stack, positions, layer, attention, feed_forward
// or residual; `path` the layer, or the module; `part` the sublayer; `letter` names the positions of this side.
export function placeOf(name) {
  const found = IN_A_LAYER.exec(name);
  if (!found) {
    const parts = name.split(".");
    const side = parts.length > 1 ? parts[0] : "";
    const kind = ["model", "stack", "positions"][parts.length - 1];
    return { kind, side, path: parts.slice(0, -1).join("."), quantity: parts.at(-1), letter: letterOf(side) };
  }
  const [, side, layer, part, residual, quantity] = found;
  const kind = !part ? "layer" : residual ? "residual" : part === "feed_forward" ? part : "attention";
  return { kind, side, layer: Number(layer), path: `${side}.layers.${layer}`, part, quantity, letter: letterOf(side) };
}

const letterOf = (side) => (side === "encoder" ? "s" : "t");

export const depthOf = (config, side) =>
  side === "encoder" ? config.num_layers : (config.decoder_layers ?? config.num_layers);

export const hasFinalNorms = (config) => config.final_norms ?? config.norm === "pre";

// What enters the sublayer's residual connection, the `x` of x + branch.
export function carried({ side, layer, path, part }) {
  if (part === "cross_attention") return `${path}.attended`;
  if (part === "feed_forward") return `${path}.${side === "encoder" ? "attended" : "informed"}`;
  return layer === 0 ? `${side}.positioned` : `${side}.layers.${layer - 1}.out`;
}

// What the sublayer itself reads: with pre-norm the normed, with post-norm the stream as it is.
export const readerOf = (config, place) =>
  config.norm === "pre" ? `${place.path}.${place.part}_residual.normed` : carried(place);

// What leaves the sublayer's residual connection.
export const leaving = (config, path, part) =>
  `${path}.${part}_residual.${config.norm === "pre" ? "residual_sum" : "out"}`;

// The mask that an attention uses: a tap of the model.
export const maskOf = ({ side, part }) => (side === "decoder" && part === "self_attention" ? "trg_mask" : "src_mask");

// The letters of a weight's axes.
export function weightAxes(name) {
  const [module, kind] = name.split(".").slice(-2);
  const inFeedForward = name.includes(".feed_forward.");
  const last = name.startsWith("fc_out");
  const row = { word_embedding: "v", table: "t", fc_in: "f", fc_out: last ? "v" : "e" }[module] ?? "e";
  if (kind === "bias" || module === "norm") return [row];
  return [row, inFeedForward && module === "fc_out" ? "f" : "e"];
}
