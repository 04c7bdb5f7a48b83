// Story: the sentence goes in, the answer comes out token by token. The training view reads the whole target at once.

import { choice, h, number, percent, readable, redraw, slider, toggle } from "glass/dom.js";
import { softmax } from "glass/numbers.js";

const SHOWN = 8; // next tokens in the bars

// The bar on top of every room: the source, the target, and what was changed.
export function storyBar(root, lab) {
  const source = field("source", "src", "what the encoder reads", lab);
  const target = field("target", "trg", "its own answer", lab);
  const pieces = h("p", { class: "pieces" });
  const said = h("p", { class: "said", role: "status" });
  root.append(
    h("form", { onsubmit: (event) => event.preventDefault() }, source.label, target.label, examples(lab)),
    pieces,
    said,
  );
  return () => {
    source.show(lab.state.src || lab.sentence);
    target.show(lab.state.trg);
    redraw(pieces, chips(lab.words(lab.src ?? [], "src")), h("span", { class: "arrow" }, "→"), answerChips(lab));
    redraw(said, lab.problem ? h("strong", { class: "problem" }, lab.problem) : changes(lab));
  };
}

function field(label, name, placeholder, lab) {
  const input = h("input", {
    type: "text",
    placeholder,
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    oninput: () => lab.set({ [name]: input.value, step: -1, force: [], row: 0 }, { quiet: true }),
  });
  const show = (text) => {
    if (document.activeElement !== input) input.value = text;
  };
  return { label: h("label", { class: "field wide" }, h("span", {}, label), input), show };
}

function examples(lab) {
  const { examples: words, models } = lab.payload;
  if (models.length === 0 || words.length < 2) return null;
  return choice(
    "examples",
    [["", "choose …"], ...words.map((word) => [word, word])],
    "",
    (src) => src && lab.set({ src, trg: "", step: -1, force: [], cell: "", row: 0 }),
    { class: "field examples" },
  );
}

const chips = (words, marked = -1, pick = null) =>
  words.map((word, at) => {
    const props = { class: at === marked ? "chip here" : "chip" };
    return pick
      ? h("button", { type: "button", "data-key": `chip ${at}`, onclick: () => pick(at), ...props }, readable(word))
      : h("span", props, readable(word));
  });

function answerChips(lab) {
  if (!lab.answer) return h("span", { class: "chip" }, "…");
  const words = lab.words(lab.answer.ids, "trg");
  const written = lab.state.step < 0 ? words.length : lab.state.step;
  const waiting = written < words.length ? h("span", { class: "chip waiting" }, "…") : null;
  return [...chips(words.slice(0, written)), waiting];
}

function changes(lab) {
  const clicked = Object.values(lab.state.masks).reduce((sum, cells) => sum + cells.length, 0);
  const parts = [];
  if (lab.state.edits.length)
    parts.push(`${lab.state.edits.length} cut${lab.state.edits.length > 1 ? "s" : ""} by surgery`);
  if (clicked) parts.push(`${clicked} mask cell${clicked > 1 ? "s" : ""} changed`);
  if (parts.length === 0) return null;
  return [
    `On screen: a changed model (${parts.join(", ")}). `,
    h(
      "button",
      { type: "button", "data-key": "undo all", onclick: () => lab.set({ edits: [], masks: {} }) },
      "undo all",
    ),
  ];
}

function mount(root, lab) {
  const training = h("section", { class: "view", "aria-label": "Training view" });
  const generating = h("section", { class: "view", "aria-label": "Generating view" });
  root.append(h("div", { class: "two" }, training, generating));
  return () => {
    redraw(training, trainingView(lab));
    redraw(generating, generatingView(lab));
  };
}

// All positions at once: what each reads, is asked for, and would have said.
function trainingView(lab) {
  const read = lab.words(lab.trg, "trg");
  const asked = lab.words(lab.asked, "trg");
  const padId = lab.model.config.trg_pad_idx;
  const rows = read.map((word, at) => {
    const shares = softmax(lab.pass.taps.get("logits"), at);
    const best = shares.indexOf(Math.max(...shares));
    const counted = lab.asked[at] !== padId;
    const right = best === lab.asked[at];
    return h(
      "tr",
      { class: lab.state.row === at ? "here" : null },
      h(
        "td",
        {},
        h(
          "button",
          {
            type: "button",
            class: "chip",
            "data-key": `row ${at}`,
            onclick: () => lab.set({ row: at }, { quiet: true }),
          },
          readable(word),
        ),
      ),
      h("td", {}, h("span", { class: "chip" }, readable(asked[at]))),
      h("td", {}, share(shares[lab.asked[at]])),
      h("td", { class: right ? "right" : "wrong" }, readable(lab.vocab.trg.piece(best)), right ? " ✓" : " ✗"),
      h("td", {}, counted ? "yes" : "no, padding"),
    );
  });
  const losses = read.map((_, at) =>
    lab.asked[at] === padId ? null : -Math.log(softmax(lab.pass.taps.get("logits"), at)[lab.asked[at]]),
  );
  const real = losses.filter((each) => each !== null);
  const row = Math.min(lab.state.row, read.length - 1);
  return [
    h("h3", {}, "Training: the whole target at once"),
    h(
      "p",
      { class: "note" },
      "The decoder reads ",
      h("code", {}, "trg[:, :-1]"),
      " and is asked for ",
      h("code", {}, "trg[:, 1:]"),
      ": at each row the next token. The look-ahead mask hides the answers to its right.",
    ),
    h(
      "div",
      { class: "scroller", tabindex: "0", role: "region", "aria-label": "training rows" },
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["reads", "is asked for", "probability", "would say", "counted in the loss"].map((each) =>
              h("th", { scope: "col" }, each),
            ),
          ),
        ),
        h("tbody", {}, rows),
      ),
    ),
    h(
      "p",
      { class: "note" },
      `Loss without smoothing: ${number(real.reduce((sum, each) => sum + each, 0) / real.length)} nats a token.`,
    ),
    h("h4", {}, "After ", h("span", { class: "chip" }, readable(read[row])), " in training"),
    bars(lab, softmax(lab.pass.taps.get("logits"), row), lab.asked[row]),
  ];
}

// One token a step, each read back as the next input.
function generatingView(lab) {
  const { answer, state } = lab;
  if (!answer) return [h("h3", {}, "Generating: one token a step"), h("p", {}, "writing …")];
  const last = answer.read.length - 1;
  const step = state.step < 0 ? last : Math.min(state.step, last);
  const logits = answer.pass.taps.get("logits");
  const shares = softmax(
    logits,
    step,
    state.mode === "sample" ? state.temperature : 1,
    state.mode === "sample" ? state.topK : 0,
  );
  const next = step < answer.ids.length ? answer.ids[step] : lab.vocab.trg.end;
  const to = (at) => lab.set({ step: at }, { quiet: true });
  return [
    h("h3", {}, "Generating: one token a step"),
    h(
      "div",
      { class: "controls" },
      choice(
        "how",
        [
          ["greedy", "greedy"],
          ["beam", "beam search"],
          ["sample", "sampling"],
        ],
        state.mode,
        (mode) => lab.set({ mode, step: -1 }),
      ),
      state.mode === "sample"
        ? [
            slider(
              "temperature",
              { min: 0.1, max: 2, step: 0.1, value: state.temperature },
              (temperature) => lab.set({ temperature }, { quiet: true }),
              (each) => each.toFixed(1),
            ),
            slider(
              "top-k",
              { min: 0, max: 20, step: 1, value: state.topK },
              (topK) => lab.set({ topK }, { quiet: true }),
              (each) => (each ? String(each) : "all"),
            ),
            h(
              "button",
              {
                type: "button",
                "data-key": "draw",
                onclick: () => lab.set({ seed: state.seed + 1, step: -1 }, { quiet: true }),
              },
              `draw again (seed ${state.seed})`,
            ),
          ]
        : null,
      state.mode === "beam"
        ? slider("width", { min: 1, max: 8, step: 1, value: state.beam }, (beam) => lab.set({ beam }, { quiet: true }))
        : null,
    ),
    h(
      "div",
      { class: "controls" },
      h("button", { type: "button", "data-key": "first", disabled: step === 0, onclick: () => to(0) }, "|◀ start"),
      h("button", { type: "button", "data-key": "back", disabled: !step, onclick: () => to(step - 1) }, "◀ back"),
      h(
        "button",
        { type: "button", "data-key": "step", class: "main", disabled: step === last, onclick: () => to(step + 1) },
        "step ▶",
      ),
      h("button", { type: "button", "data-key": "all", disabled: state.step < 0, onclick: () => to(-1) }, "all ▶|"),
    ),
    h("p", { class: "pieces" }, "has read ", chips(lab.words(answer.read.slice(0, step + 1), "trg"), step, to)),
    h(
      "p",
      { class: "note" },
      "and says ",
      h("span", { class: "chip here" }, readable(lab.vocab.trg.piece(next))),
      ` with ${percent(shares[next])}`,
      step === last ? `. Answer: “${answer.text}”` : ", which it reads next.",
      answer.score === null ? "" : ` Score ${number(answer.score)}.`,
    ),
    bars(lab, shares, next),
  ];
}

// The likeliest next tokens, and the one that counts here wherever it stands.
function bars(lab, shares, marked) {
  const order = Array.from(shares.keys()).sort((a, b) => shares[b] - shares[a] || a - b);
  const shown = order.slice(0, SHOWN);
  if (!shown.includes(marked)) shown[SHOWN - 1] = marked;
  return h(
    "ol",
    { class: "bars", "aria-label": "next tokens" },
    shown.map((id) =>
      h(
        "li",
        { class: id === marked ? "here" : null },
        h("span", { class: "chip" }, readable(lab.vocab.trg.piece(id))),
        share(shares[id]),
      ),
    ),
  );
}

const share = (part) =>
  h("span", { class: "share", style: { "--share": part } }, h("i", { "aria-hidden": "true" }), percent(part));

// Which token comes after what has been written so far?
function quiz(lab) {
  if (!lab.answer) return null;
  const step = lab.state.step < 0 ? lab.answer.read.length - 1 : Math.min(lab.state.step, lab.answer.read.length - 1);
  const shares = softmax(lab.answer.pass.taps.get("logits"), step);
  const order = Array.from(shares.keys())
    .sort((a, b) => shares[b] - shares[a] || a - b)
    .slice(0, 4);
  const choices = [...order].sort((a, b) => a - b).map((id) => readable(lab.vocab.trg.piece(id)));
  return {
    ask: `It has read ${lab
      .words(lab.answer.read.slice(0, step + 1), "trg")
      .map(readable)
      .join(" ")}. Which token is likeliest next?`,
    choices,
    right: choices.indexOf(readable(lab.vocab.trg.piece(order[0]))),
    because: `It has ${percent(shares[order[0]])}.`,
  };
}

export const story = {
  id: "story",
  title: "Story",
  mount,
  quiz,
  line:
    "A sentence goes in, an answer comes out. Left: how it is trained. Right: how it answers. " +
    "Same weights, two ways to run them.",
};
