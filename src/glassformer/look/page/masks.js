// The masks of the three attentions, with the cells that were clicked open or shut. True (1) = may attend.

import { Tensor } from "glass/engine/tensor.js";

export const KINDS = ["encoder", "decoder", "cross"];

// What the model itself would use: padding for encoder and cross, padding and look-ahead for the decoder.
//   -> {rows, columns, words(r, c), future(r, c), open(r, c)}: the column is no padding; it comes later; may attend.
export function usualMask(kind, src, trg, config) {
  const [asks, answers] = { encoder: [src, src], decoder: [trg, trg], cross: [trg, src] }[kind];
  const padId = kind === "decoder" ? config.trg_pad_idx : config.src_pad_idx;
  const words = (row, column) => padId === null || answers[column] !== padId;
  const future = (row, column) => kind === "decoder" && column > row;
  return { rows: asks.length, columns: answers.length, words, future, open: (r, c) => words(r, c) && !future(r, c) };
}

// {encoder, decoder, cross} as (1, 1, q, k) tensors, for those kinds where a cell was clicked ("row.column").
export function masksOf(clicked, src, trg, config) {
  const masks = {};
  for (const kind of KINDS) {
    if (!clicked[kind]?.length) continue;
    const { rows, columns, open } = usualMask(kind, src, trg, config);
    const mask = new Tensor([1, 1, rows, columns], new Uint8Array(rows * columns));
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        mask.data[row * columns + column] = Number(open(row, column) !== clicked[kind].includes(`${row}.${column}`));
      }
    }
    masks[kind] = mask;
  }
  return masks;
}
