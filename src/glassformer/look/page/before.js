// Before and after a change: what each row gives the token it is asked for, the loss, and the written answer.

import { h, number, percent, readable } from "glass/dom.js";
import { beamSearch, write } from "glass/engine/decode.js";
import { Random } from "glass/engine/random.js";
import { softmax } from "glass/numbers.js";

// Each row of a pass: {share: of the token it is asked for, best: the likeliest token, counted: in the loss}.
export function rowsOf(pass, asked, padId) {
  const logits = pass.taps.get("logits");
  return asked.map((token, at) => {
    const shares = softmax(logits, at);
    const best = shares.reduce((highest, share, id) => (share > shares[highest] ? id : highest), 0);
    return { share: shares[token], best, counted: token !== padId };
  });
}

// The loss in nats a token, without smoothing, over the rows that count.
export function lossOf(rows) {
  const counted = rows.filter((row) => row.counted);
  return counted.reduce((sum, row) => sum - Math.log(row.share), 0) / counted.length;
}

// Both passes of what is on screen: {before, after} as rows.
export function bothRows(lab) {
  const padId = lab.model.config.trg_pad_idx;
  const before = rowsOf(lab.plain, lab.asked, padId);
  return { before, after: lab.pass === lab.plain ? before : rowsOf(lab.pass, lab.asked, padId) };
}

// A value that takes a while: undefined until it is made, then `draw` is called. The value of the last key is kept.
export function later(draw) {
  let known = null;
  let value;
  return (key, make) => {
    if (key !== known) {
      known = key;
      value = undefined;
      Promise.resolve()
        .then(make)
        .then((made) => {
          if (key !== known) return;
          value = made;
          draw();
        });
    }
    return value;
  };
}

// The answer that the unchanged model writes, in the way that is chosen for the answer on screen.
export async function answerBefore(lab) {
  const { model, src, state, vocab } = lab;
  const options = { ...lab.searchOptions(src), prefix: state.force };
  if (state.mode === "beam") {
    Object.assign(options, { beam: state.beam, alpha: state.alpha });
    const tree = model.beamSearch ? await model.beamSearch(src, options) : beamSearch(model, src, options);
    return vocab.trg.decode(tree.finished[0].ids);
  }
  const { mode: choose, temperature, topK } = state;
  Object.assign(options, { choose, temperature, topK, random: new Random(state.seed) });
  const steps = model.write ? await model.write(src, options) : write(model, src, options);
  return vocab.trg.decode(Array.from(steps, (step) => step.token));
}

// For one room: draw(lab) -> what the change did to each row, to the loss and to the written answer.
export function comparison(redraw) {
  const once = later(redraw);
  return (lab) => {
    const { before, after } = bothRows(lab);
    const { entry, src, state } = lab;
    const asKey = JSON.stringify([
      entry.id,
      src,
      state.mode,
      state.temperature,
      state.topK,
      state.seed,
      state.beam,
      state.alpha,
      state.force,
    ]);
    const written = lab.changed ? once(asKey, () => answerBefore(lab)) : lab.answer?.text;
    const losses = [lossOf(before), lossOf(after)];
    const loss = h(
      "span",
      {},
      "loss ",
      h("b", {}, number(losses[0])),
      lab.changed ? [" → ", h("b", {}, number(losses[1]))] : null,
      " nats a token",
    );
    return [
      h("p", { class: "figures" }, loss, answers(written, lab.answer?.text, lab.changed)),
      lab.changed ? h("p", { class: "note" }, mostMoved(lab, before, after)) : null,
      rowsTable(lab, before, after),
    ];
  };
}

// How many rows gave their token another probability, and which moved most.
function mostMoved(lab, before, after) {
  const moves = before.map(({ share }, at) => Math.abs(after[at].share - share));
  const most = moves.indexOf(Math.max(...moves));
  const count = moves.filter((move) => move > 0).length;
  if (count === 0) return "No row changed.";
  const word = readable(lab.vocab.trg.piece(lab.trg[most]));
  const points = number(100 * (after[most].share - before[most].share));
  return `${count} of ${moves.length} rows changed, row ${word} the most: by ${points} percentage points.`;
}

function answers(before, after, changed) {
  if (before === undefined || after === undefined) return h("span", {}, "writing the answer …");
  const quoted = (text) => h("b", {}, `“${text}”`);
  if (!changed) return h("span", {}, "written answer ", quoted(after));
  const same = before === after;
  return h(
    "span",
    {},
    "written answer ",
    quoted(before),
    same ? " " : [" → ", quoted(after), " "],
    h("span", { class: same ? "tag good" : "tag bad" }, same ? "still the same" : "changed"),
  );
}

function rowsTable(lab, before, after) {
  const [read, asked] = [lab.words(lab.trg, "trg"), lab.words(lab.asked, "trg")];
  const rows = read.map((word, at) => {
    const [was, is] = [before[at], after[at]];
    const [way, sign] =
      is.share === was.share
        ? ["", "="]
        : percent(is.share) === percent(was.share)
          ? ["", "≈"]
          : is.share < was.share
            ? ["wrong", "▼"]
            : ["right", "▲"];
    const right = is.best === lab.asked[at];
    const pick = () => lab.set({ row: at }, { quiet: true });
    return h(
      "tr",
      { class: at === lab.state.row ? "here" : null },
      h(
        "th",
        { scope: "row" },
        h("button", { type: "button", class: "chip", "data-key": `compare ${at}`, onclick: pick }, readable(word)),
      ),
      h("td", {}, h("span", { class: "chip" }, readable(asked[at])), is.counted ? null : " not counted"),
      h("td", { class: "figure" }, percent(was.share)),
      h("td", { class: `figure ${way}` }, percent(is.share), ` ${sign}`),
      h("td", { class: right ? "right" : "wrong" }, readable(lab.vocab.trg.piece(is.best)), right ? " ✓" : " ✗"),
    );
  });
  const titles = ["row", "asked for", "before", "after", "says now"];
  return h(
    "div",
    { class: "scroller", tabindex: "0", role: "region", "aria-label": "each row before and after" },
    h(
      "table",
      { class: "compared" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          titles.map((title) => h("th", { scope: "col" }, title)),
        ),
      ),
      h("tbody", {}, rows),
    ),
  );
}

// Whether this page can compute anything new.
export const computes = (lab) => Boolean(lab.payload.live || lab.payload.server);
