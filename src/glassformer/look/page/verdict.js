// What is wrong with a mask, and why: a leak, an empty row, a blind word, padding attended.

import { readable } from "glass/dom.js";
import { usualMask } from "glass/masks.js";

export const NAMES = { encoder: "encoder", decoder: "decoder", cross: "cross-attention" };
const LISTED = 5; // findings of one kind that are spelled out

// One mask as it is used, and why each cell is open or shut.
export function deskOf(kind, clicked, src, trg, config) {
  const usual = usualMask(kind, src, trg, config);
  const { rows, columns, words, future } = usual;
  const yours = new Uint8Array(rows * columns);
  for (const cell of clicked[kind] ?? []) {
    const [row, column] = cell.split(".").map(Number);
    if (row < rows && column < columns) yours[row * columns + column] = 1;
  }
  const byYou = (row, column) => yours[row * columns + column] === 1;
  const open = (row, column) => usual.open(row, column) !== byYou(row, column);
  const hidden = (row, column) => {
    const [late, empty] = [future(row, column), !words(row, column)];
    return late && empty ? "both" : late ? "future" : empty ? "padding" : "";
  };
  const why = (row, column) => (byYou(row, column) ? (open(row, column) ? "opened" : "closed") : hidden(row, column));
  return { ...usual, usual: usual.open, open, byYou, hidden, why };
}

// For each row of the decoder: after how many layers it has seen the next word, the one it is asked for; 0: never.
export function leakLayers({ rows, open }, layers) {
  const found = new Array(rows).fill(0);
  // holds[row][at]: whether the row knows of the word at `at`
  let holds = found.map((_, row) => Uint8Array.from(found, (_, at) => Number(at === row)));
  for (let layer = 1; layer <= layers; layer++) {
    const before = holds;
    holds = before.map((own, row) => {
      const known = own.slice();
      for (let at = 0; at < rows; at++) if (open(row, at)) before[at].forEach((has, word) => (known[word] |= has));
      return known;
    });
    holds.forEach((known, row) => (found[row] ||= known[row + 1] ? layer : 0));
  }
  return found;
}

// What there is to say about the three masks, worst first: [{kind, text}]. Nothing is wrong where it is empty.
//   desks: kind -> deskOf; asks, answers: kind -> words; counted: which rows of the decoder count in the loss;
//   effect(row): what the change did to that row's answer, in words
export function verdicts({ desks, asks, answers, asked, counted, layers, effect }) {
  const found = [];
  const say = (kind, texts) => {
    const more = texts.length > LISTED ? [`… and ${texts.length - LISTED} more.`] : [];
    for (const text of [...texts.slice(0, LISTED), ...more]) found.push({ kind, text });
  };
  say("leak", leaks(desks.decoder, asks.decoder.map(quoted), asked.map(quoted), counted, layers, effect));
  for (const kind of Object.keys(desks)) {
    const desk = desks[kind];
    const [rows, columns] = [asks[kind].map(quoted), answers[kind].map(quoted)];
    const across = Array.from({ length: desk.columns }, (_, at) => at);
    const down = Array.from({ length: desk.rows }, (_, at) => at);
    const empty = down.filter((row) => !across.some((column) => desk.open(row, column)));
    const blind = across.filter(
      (column) => down.some((row) => desk.usual(row, column)) && !down.some((row) => desk.open(row, column)),
    );
    const lost = down
      .filter((row) => !empty.includes(row))
      .map((row) => [
        row,
        across.filter((column) => desk.usual(row, column) && !desk.open(row, column) && !blind.includes(column)),
      ]);
    const padded = down.map((row) => [
      row,
      across.filter((column) => !desk.words(row, column) && desk.open(row, column)),
    ]);
    const own = kind === "encoder" ? () => "" : effect;
    say(
      "empty row",
      empty.map(
        (row) =>
          `Row ${rows[row]} of the ${NAMES[kind]} may look at nothing. Softmax over −∞ ` +
          `alone would be 0/0 = NaN; here its attention is exactly 0, and only the residual goes on.${own(row)}`,
      ),
    );
    say(
      "blind word",
      blind.map(
        (column) =>
          `No row of the ${NAMES[kind]} may look at ${columns[column]}.` +
          (kind === "cross" ? " What the encoder mixed into its other words is all that is left of it." : ""),
      ),
    );
    say(
      "blind word",
      lost
        .filter(([, words]) => words.length > 0)
        .map(
          ([row, words]) =>
            `Row ${rows[row]} of the ${NAMES[kind]} no longer sees ${list(words.map((at) => columns[at]))}.${own(row)}`,
        ),
    );
    say(
      "padding attended",
      padded
        .filter(([, words]) => words.length > 0)
        .map(
          ([row]) =>
            `Row ${rows[row]} of the ${NAMES[kind]} looks at padding, which is no word: its answer depends on how ` +
            `long the other sentences of the batch are.${own(row)}`,
        ),
    );
  }
  return found;
}

function leaks(desk, rows, asked, counted, layers, effect) {
  const after = leakLayers(desk, layers);
  const texts = [];
  for (let row = 0; row < desk.rows; row++) {
    const future = Array.from({ length: desk.columns }, (_, at) => at).filter(
      (at) => at > row && desk.open(row, at) && desk.words(row, at),
    );
    if (!counted[row]) continue;
    if (after[row] === 1) {
      texts.push([
        1,
        `Row ${rows[row]} sees its own answer ${asked[row]}: it can copy the word instead of predicting it, ` +
          `and when the model writes, that word is not there yet.${effect(row)}`,
      ]);
    } else if (after[row] > 1) {
      texts.push([
        after[row],
        `Row ${rows[row]} gets its own answer ${asked[row]} by a detour, in layer ${after[row]}: ` +
          `a row that it may look at has seen it.${effect(row)}`,
      ]);
    } else if (future.length > 0) {
      texts.push([
        layers + 1,
        `Row ${rows[row]} sees ${list(future.map((at) => rows[at]))}, which comes later: not its own ` +
          `answer, but a word that is not there when the model writes.${effect(row)}`,
      ]);
    }
  }
  return texts.sort((a, b) => a[0] - b[0]).map(([, text]) => text);
}

const quoted = (word) => `“${readable(word)}”`;
const list = (words) => (words.length > 4 ? [...words.slice(0, 3), `${words.length - 3} more`] : words).join(", ");
