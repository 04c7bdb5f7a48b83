// One number's journey: from the embedding of a source word to the probability of a target word, and back.

import { journeyOf } from "glass/arithmetic/chain.js";
import { wordAt } from "glass/arithmetic/naming.js";
import { placeOf } from "glass/arithmetic/places.js";
import { choice, h, number, percent, readable, redraw } from "glass/dom.js";
import { codeLine, factorsOf, inBrackets, placeName, shortName, strip, termList } from "glass/panels/terms.js";

const WAYS = [
  ["attention", "where it looks"],
  ["values", "what it takes from there"],
];
const ASKED = 12; // source words that the question offers at most

// What happens at a stop, by its quantity.
const SAYS = {
  embedded: "The word is looked up: its row of the table has a number for each channel. This is one of them.",
  keys: "What this position offers to those that ask: its channels, times learned weights.",
  queries: "What this position asks for: its channels, times learned weights.",
  values: "What this position hands over to those that look at it: its channels, times learned weights.",
  energy: "How well the question fits the offer: query times key, channel by channel, divided by √d.",
  attention: "The energies of all keys share 1 among them by their exponentials. This is the share of one key.",
  heads_out: "One head mixes the values of all keys, each as much as its attention says.",
  hidden: "The feed-forward layer widens the channels; the activation holds back what is below zero.",
  out: "The sublayer's result in one channel: all that it computed, times learned weights.",
  logits: "The score of one word of the vocabulary: the decoder's channels, times what it learned for this word.",
  probability: "The scores of all words share 1 among them by their exponentials. This is the answer.",
};
const STREAM = "The stream at this position, in one channel: word, position and each sublayer put something in.";

function mount(root, lab) {
  const look = { ordered: false, unfolded: false, full: false };
  let kept = { stops: [] };
  let focusing = false; // the focus goes along the thread
  root.classList.add("journey");
  const change = (changes) => {
    Object.assign(look, changes);
    draw();
  };
  const go = (to) => {
    focusing = Boolean(document.activeElement.closest(".thread"));
    lab.set({ stop: Math.min(kept.stops.length - 1, Math.max(0, to)) }, { quiet: true });
  };
  const draw = () => {
    if (!lab.pass) return redraw(root, h("p", {}, "Type a sentence first."));
    const seen = subject(lab);
    const { way } = lab.state;
    if (kept.pass !== seen.pass || kept.row !== seen.row || kept.way !== way) {
      kept = { ...seen, way, stops: journeyOf(lab.model, seen.pass, seen.row, seen.id, way) };
    }
    const at = Math.min(Math.max(0, lab.state.stop), kept.stops.length - 1);
    redraw(
      root,
      chooser(lab, kept),
      h(
        "div",
        { class: "travel", onkeydown: (event) => arrows(event, at, go) },
        thread(lab, kept, at, go),
        card(lab, kept, at, { go, look, change }),
      ),
    );
    if (focusing) root.querySelector("[aria-current=step]").focus();
    focusing = false;
    return undefined;
  };
  return draw;
}

// The row after which the decoder speaks, and the id of what it says there.
function subject(lab) {
  const { pass, rows } = lab.looked;
  const row = lab.state.step < 0 ? Math.min(Math.max(0, lab.state.row), rows - 1) : rows - 1;
  const logits = pass.taps.get("logits");
  const width = logits.shape[2];
  const scores = logits.data.subarray(row * width, (row + 1) * width);
  return { pass, row, id: scores.indexOf(scores.reduce((most, each) => Math.max(most, each))) };
}

function chooser(lab, { row, id, stops }) {
  const { asks } = lab.looked;
  const training = lab.state.step < 0;
  const chips = asks.map((word, at) =>
    h(
      "button",
      {
        type: "button",
        class: at === row ? "chip here" : "chip",
        "aria-current": at === row ? "true" : null,
        "data-key": `row ${at}`,
        onclick: () => lab.set(training ? { row: at } : { step: at }, { quiet: true }),
      },
      readable(word),
    ),
  );
  return [
    h(
      "div",
      { class: "pieces", role: "group", "aria-label": "after which word" },
      h("span", { class: "of" }, "after "),
      chips,
      h("span", { class: "of" }, " it says "),
      h("strong", { class: "chip" }, readable(lab.words([id], "trg")[0])),
      h("span", { class: "of" }, ` with ${percent(stops.at(-1).value)}`),
    ),
    h(
      "div",
      { class: "controls" },
      choice("where a head mixes, follow", WAYS, lab.state.way, (way) => lab.set({ way }, { quiet: true })),
    ),
  ];
}

function arrows(event, at, go) {
  const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
  if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  go(at + by);
}

const thread = (lab, { pass, stops }, at, go) =>
  h(
    "ol",
    { class: "thread", "aria-label": "the stops" },
    stops.map((stop, i) =>
      h(
        "li",
        {},
        h(
          "button",
          {
            type: "button",
            "data-key": `stop ${i}`,
            "aria-current": i === at ? "step" : null,
            onclick: () => go(i),
            title: stop.name,
          },
          h("span", { class: "knot" }, String(i + 1)),
          h(
            "span",
            { class: "named" },
            h("code", {}, placeOf(stop.name).quantity),
            " ",
            h("span", { class: "mono" }, wordsOf(lab, pass, stop)),
            h("span", { class: "of" }, standing(stop.name)),
          ),
          h("span", { class: "figure" }, number(stop.value)),
        ),
      ),
    ),
  );

// The words that a cell belongs to: the one that asks, and the one that answers where there are two.
function wordsOf(lab, pass, { name, index, axes }) {
  const words = axes.map((axis, i) => wordAt(lab, pass, name, axis, index[i])).filter((word) => word !== null);
  return words.map(readable).join(" → ");
}

// Where a tap stands, in words: "decoder 1, cross-attention".
function standing(name) {
  const { side, layer, part } = placeOf(name);
  const stack = { memory: "encoder", decoded: "decoder" }[name] ?? (side || "output");
  return `${stack}${layer === undefined ? "" : ` ${layer}`}${part ? `, ${part.replace("_", "-")}` : ""}`;
}

function card(lab, { pass, stops }, at, { go, look, change }) {
  const stop = stops[at];
  const last = stops.length - 1;
  const button = (words, to, props = {}) =>
    h(
      "button",
      {
        type: "button",
        "data-key": words,
        disabled: to < 0 || to > last,
        onclick: () => go(to),
        ...props,
      },
      words,
    );
  const open = () => lab.open(stop.name, stop.index);
  const several = stop.terms.length > 1;
  const terms = stop.terms.map((term) => term.value);
  return h(
    "section",
    { class: "stop", "aria-label": `stop ${at + 1} of ${stops.length}` },
    h(
      "div",
      { class: "controls" },
      button("to the word", at === 0 ? -1 : 0),
      button("◀ back", at - 1),
      button("on ▶", at + 1, { class: "main" }),
      button("to the answer", at === last ? -1 : last),
    ),
    h("h3", {}, `${at + 1} of ${stops.length} `, shortName(lab, pass, stop.name, stop.index, stop.axes)),
    h("p", { class: "note" }, beginning(stop) ?? (stop.unrolled ? STREAM : SAYS[placeOf(stop.name).quantity])),
    equation(lab, stop, look),
    share(lab, pass, stop),
    several ? strip(h("span", { class: "cell-name" }, `its ${terms.length} terms`), terms, stop.chosen) : null,
    stop.unrolled ? termList(lab, stop, { look, change, label: putBy, marked: stop.chosen }) : null,
    codeLine(lab, stop.name),
    h("button", { type: "button", "data-key": "microscope", onclick: open }, "under the microscope"),
  );
}

// Why a journey begins at another cell than a word's embedding; undefined where it does not.
function beginning(stop) {
  if (stop.differs) return "Replaced by surgery: the journey cannot go further back.";
  return stop.missing && `Further back it needs ${stop.missing}, which this page does not hold.`;
}

// The arithmetic of a stop in one line; the term that holds the stop before is marked.
function equation(lab, stop, { full }) {
  const term = stop.terms[stop.chosen ?? 0];
  if (!term) return null;
  const result = [" = ", h("strong", {}, number(stop.value))];
  const marked = h("mark", {}, factorsOf(lab, term, full, stop.most));
  if (stop.own !== undefined) return h("p", { class: "equation" }, marked, ` ÷ ${number(stop.sum)}`, result);
  const others = stop.terms.length - 1;
  const rest = others ? ` + ${inBrackets(stop.sum - term.value)} of ${others} other${others > 1 ? "s" : ""}` : null;
  if (stop.steps.length === 0) return h("p", { class: "equation" }, marked, rest, result);
  return h(
    "p",
    { class: "equation" },
    "(",
    marked,
    rest,
    ")",
    stop.steps.map((step) => ` ${step.says}`),
    result,
  );
}

// How much of the sum the marked term is.
function share(lab, pass, stop) {
  if (stop.chosen === undefined) return null;
  const [term, most] = [stop.terms[stop.chosen], stop.terms[stop.largest]];
  const place = stop.rank === 0 ? "the largest" : `number ${stop.rank + 1}`;
  const name = stop.unrolled ? putBy(most) : placeName(lab, pass, stop.name, most);
  return h(
    "p",
    { class: "note" },
    `The marked term gives ${number(term.value)} of the sum ${number(stop.sum)}: ${place} of ${stop.terms.length}`,
    ` terms, ${percent(Math.abs(term.value) / stop.sizes)} of their sizes together.`,
    stop.rank > 0 && stop.own === undefined
      ? [" Larger: ", name, ` with ${number(most.value)}, which leads to no source word within twelve stops.`]
      : null,
  );
}

// Who put a term into the residual stream.
function putBy({ factors: [first], norm }) {
  if (norm) return `a norm's own: ${standing(norm)}`;
  const { side, kind, layer, part, quantity } = placeOf(first.tap ?? first.weight.replace(/\.weight$/, ""));
  if (quantity === "embedded") return `the word (${side})`;
  if (kind === "positions" || quantity === "table") return `its position (${side})`;
  return `${side} ${layer}, ${(part ?? quantity).replace("_", "-")}`;
}

// Where does the journey begin?
function quiz(lab) {
  const { pass, row, id } = subject(lab);
  const stops = journeyOf(lab.model, pass, row, id, lab.state.way);
  const [first] = stops;
  if (placeOf(first.name).quantity !== "embedded" || pass.src.length < 2 || pass.src.length > ASKED) return null;
  const [said, after] = lab.words([id, pass.trg[row]], "trg").map(readable);
  return {
    ask:
      `After ${after} it says ${said} with ${percent(stops.at(-1).value)}. Follow the largest terms back, stop by ` +
      "stop: at which source word does the way end?",
    choices: lab.words(pass.src, "src").map((word, at) => `${at}: ${readable(word)}`),
    right: first.index[1],
    because: `${stops.length} stops, each a number that you can open.`,
  };
}

export const journey = {
  id: "journey",
  title: "One number's journey",
  mount,
  quiz,
  line:
    "From one number of a source word to the probability of the next target word. Each stop is a factor of the " +
    "next: of its largest term that leads back to a source word.",
};
