// Residual ledger and logit lens: what the decoder would say after each part, and which part changed it.

import { cellMap } from "glass/cells.js";
import { weightColour } from "glass/colour.js";
import { h, number, percent, readable, redraw } from "glass/dom.js";
import { softmax } from "glass/numbers.js";

const PARTS = [
  ["self_attention", "self-attention", "self"],
  ["cross_attention", "cross-attention", "cross"],
  ["feed_forward", "feed-forward", "feed"],
];
const TOP = 3; // words shown for each part

// The stops of the decoder's stream in order: {label, short, stream: tap, branch: tap of what was added or null}.
function stops(config) {
  const layers = config.decoder_layers ?? config.num_layers;
  const result = config.norm === "post" ? "out" : "residual_sum";
  const found = [{ label: "embedding + position", short: "start", stream: "decoder.positioned", branch: null }];
  for (let layer = 0; layer < layers; layer++) {
    for (const [part, words, short] of PARTS) {
      const path = `decoder.layers.${layer}.${part}_residual`;
      found.push({
        label: `layer ${layer}, ${words}`,
        short: `${layer} ${short}`,
        stream: `${path}.${result}`,
        branch: `${path}.branch`,
      });
    }
  }
  return found;
}

// For each stop the probabilities (t rows) that the last layers would make of the stream there.
// The final norm, where there is one, is run again on each stream: its mean and variance are not those of the end.
function lens(lab, pass) {
  return stops(lab.model.config).map((stop) => {
    const stream = pass.taps.get(stop.stream);
    const logits = lab.model.fcOut.forward(lab.model.decoder.norm.forward(stream));
    const rows = Array.from(pass.trg, (_, at) => softmax(logits, at));
    return { ...stop, rows, sizes: stop.branch ? sizes(pass, stop) : null };
  });
}

// How long what is added is, beside the stream it is added to, at each position.
function sizes(pass, stop) {
  const branch = pass.taps.get(stop.branch);
  const sum = pass.taps.get(stop.stream.replace(/\.(out|residual_sum)$/, ".residual_sum"));
  const channels = branch.shape[2];
  return Array.from(pass.trg, (_, at) => {
    let added = 0;
    let before = 0;
    for (let c = at * channels; c < (at + 1) * channels; c++) {
      added += branch.data[c] ** 2;
      before += (sum.data[c] - branch.data[c]) ** 2;
    }
    return Math.sqrt(added / before);
  });
}

const best = (shares) => Array.from(shares.keys()).sort((a, b) => shares[b] - shares[a] || a - b);

function mount(root, lab) {
  return () => {
    if (!lab.model.fcOut)
      return redraw(
        root,
        h(
          "p",
          { class: "note" },
          "This room runs the last layer on every stream, so it needs the weights in the page. ",
          "Open a smaller model, or a sister.",
        ),
      );
    const found = lens(lab, lab.pass);
    const before = lab.changed ? lens(lab, lab.plain) : null;
    const read = lab.words(lab.trg, "trg");
    const row = Math.min(lab.state.row, read.length - 1);
    redraw(root, overview(lab, found, read, row), account(lab, found, before, read, row));
  };
}

function overview(lab, found, read, row) {
  const asked = lab.words(lab.asked, "trg");
  const share = (at, stop) => found[stop].rows[at][lab.asked[at]];
  return h(
    "section",
    {},
    h("h3", {}, "The right next token, after each part"),
    h(
      "p",
      { class: "note" },
      "Rows are target positions, columns the parts of the decoder in order. ",
      "A light cell: the decoder would say the asked token already, if it stopped there.",
    ),
    cellMap({
      name: "Probability of the asked token after each part",
      rows: read,
      columns: found.map((stop) => stop.short),
      colour: (at, stop) => weightColour(share(at, stop)),
      text: (at, stop) => (100 * share(at, stop)).toFixed(0),
      say: (at, stop) =>
        `${readable(read[at])}, asked for ${readable(asked[at])}: ` +
        `${percent(share(at, stop))} after ${found[stop].label}`,
      pick: (at) => lab.set({ row: at }, { quiet: true }),
      marked: null,
      cell: 40,
      sides: ["reads", "part"],
      key: "lens",
    }),
  );
}

function account(lab, found, before, read, row) {
  const asked = lab.asked[row];
  const piece = (id) => readable(lab.vocab.trg.piece(id));
  let earlier = null;
  const lines = found.map((stop, at) => {
    const shares = stop.rows[row];
    const order = best(shares).slice(0, TOP);
    const gain = earlier === null ? null : Math.log(shares[asked]) - Math.log(earlier[asked]);
    const turned = earlier !== null && best(earlier)[0] !== order[0];
    earlier = shares;
    return h(
      "tr",
      { class: turned ? "turned" : null },
      h(
        "th",
        { scope: "row" },
        h(
          "button",
          {
            type: "button",
            class: "quiet",
            "data-key": `stop ${at}`,
            onclick: () => lab.open(stop.stream, [0, row, 0]),
          },
          stop.label,
        ),
      ),
      h(
        "td",
        {},
        order.map((id) =>
          h("span", { class: id === asked ? "chip here" : "chip" }, piece(id), ` ${percent(shares[id])}`),
        ),
        turned ? h("span", { class: "note" }, " changed its mind") : null,
      ),
      h("td", { class: "figure" }, percent(shares[asked])),
      h("td", { class: "figure" }, gain === null ? "" : `${gain > 0 ? "+" : ""}${number(gain)}`),
      h("td", { class: "figure" }, stop.sizes ? percent(stop.sizes[row]) : ""),
      before ? h("td", { class: "figure" }, percent(before[at].rows[row][asked])) : null,
    );
  });
  return h(
    "section",
    {},
    h(
      "h3",
      {},
      "The ledger of ",
      h("span", { class: "chip here" }, readable(read[row])),
      ", asked for ",
      h("span", { class: "chip" }, piece(asked)),
    ),
    h(
      "div",
      { class: "controls" },
      read.map((word, at) =>
        h(
          "button",
          {
            type: "button",
            class: at === row ? "chip here" : "chip",
            "data-key": `position ${at}`,
            onclick: () => lab.set({ row: at }, { quiet: true }),
          },
          readable(word),
        ),
      ),
    ),
    h(
      "div",
      { class: "scroller", tabindex: "0", role: "region", "aria-label": "ledger" },
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            [
              "after",
              "it would say",
              "asked token",
              "gain in nats",
              "size of what was added",
              ...(before ? ["before surgery"] : []),
            ].map((each) => h("th", { scope: "col" }, each)),
          ),
        ),
        h("tbody", {}, lines),
      ),
    ),
    h("p", { class: "note" }, lensNote(lab.model.config)),
  );
}

const lensNote = (config) =>
  (config.final_norms ?? config.norm === "pre")
    ? "The final norm is run anew on each stream. A lens is a probe: " +
      "the layers above were trained to read these streams, the output layer was not."
    : "There is no final norm here: the output layer reads each stream as it is, and the embedding before any norm. " +
      "A lens is a probe: the output layer was trained on the last stream only.";

// Which part moves the answer most?
function quiz(lab) {
  if (!lab.model.fcOut) return null;
  const piece = (id) => readable(lab.vocab.trg.piece(id));
  const found = lens(lab, lab.pass);
  const row = Math.min(lab.state.row, lab.trg.length - 1);
  const gains = found
    .slice(1)
    .map((stop, at) => Math.log(stop.rows[row][lab.asked[row]]) - Math.log(found[at].rows[row][lab.asked[row]]));
  const order = Array.from(gains.keys())
    .sort((a, b) => gains[b] - gains[a])
    .slice(0, 4);
  const choices = [...order].sort((a, b) => a - b).map((at) => found[at + 1].label);
  return {
    ask: `Which part of the decoder does most for “${piece(lab.asked[row])}” after “${piece(lab.trg[row])}”?`,
    choices,
    right: choices.indexOf(found[order[0] + 1].label),
    because: `It adds ${number(gains[order[0]])} nats to its log probability.`,
  };
}

export const ledger = {
  id: "ledger",
  title: "Ledger and lens",
  mount,
  quiz,
  line:
    "The stream runs through the decoder and each part adds something to it. " +
    "What would the decoder say if it stopped here, and who changed its mind?",
};
