// The cheat: two sisters, trained alike but for the look-ahead mask, on the same letters. Both compute here and now.

import { h, percent, redraw } from "glass/dom.js";
import { limitFor, write } from "glass/engine/decode.js";
import { Random } from "glass/engine/random.js";
import { Tensor } from "glass/engine/tensor.js";

const SHORTEST = 4;
const LONGEST = 12;
const SENTENCES = 12; // that the button draws
// id of the sister, whether all of the target is open in training view, and when it writes
const COLUMNS = [
  ["honest", false, false, "honest", "trained and used with the look-ahead mask"],
  ["cheating", true, false, "cheating", "trained without it; when it writes, there is no future to see"],
  [
    "honest",
    true,
    true,
    "honest, mask lifted",
    "trained with it, used without: it never learnt what to do with the future",
  ],
];

// The function that draws the section.
export function cheat(root, lab) {
  const sisters = new Map(lab.payload.models.filter((each) => each.role === "sister").map((each) => [each.id, each]));
  if (!sisters.has("honest") || !sisters.has("cheating")) {
    redraw(
      root,
      h("h3", {}, "The cheat"),
      h(
        "p",
        { class: "note" },
        "This page carries no pair of sisters, one trained with and one without the look-ahead mask, to compare.",
      ),
    );
    return () => {};
  }
  const shown = h("div");
  const counted = h("div", { "aria-live": "polite" });
  let seed = 0;
  const input = h("input", {
    type: "text",
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    oninput: () => lab.set({ letters: input.value }, { quiet: true }),
  });
  const count = h(
    "button",
    {
      type: "button",
      onclick: async () => {
        count.disabled = true;
        seed += 1;
        await countRandom(lab, sisters, seed, (rows, done) =>
          redraw(counted, scroller("counted here", totals(rows, done, seed))),
        );
        count.disabled = false;
      },
    },
    `count over ${SENTENCES} random sentences`,
  );
  root.append(
    h("h3", {}, "The cheat: two sisters, one difference"),
    h(
      "p",
      { class: "note" },
      "Both learnt to write letters backwards: same sizes, same seed, same data, as many steps. One was trained ",
      "without the look-ahead mask. Both compute here, now.",
    ),
    h(
      "div",
      { class: "controls" },
      h("label", { class: "field wide" }, h("span", {}, "letters a to j, 4 to 12 of them"), input),
      count,
    ),
    shown,
    counted,
    h(
      "p",
      { class: "note" },
      "The cheating sister's training figure means nothing: with the whole target open, each row may copy its answer " +
        "from one place to the right, and copying is all it learnt. When it writes, that place is empty. What tells " +
        "the sisters apart is writing an answer, never the training figure.",
    ),
  );
  let known = ""; // the letters that `shown` is about
  return () => {
    const { letters } = lab.state;
    if (document.activeElement !== input) input.value = letters;
    if (letters === known) return;
    known = letters;
    const words = letters.toLowerCase().split(/\s+/).filter(Boolean);
    const wrong = words.find((word) => !/^[a-j]$/.test(word));
    const problem =
      wrong !== undefined
        ? `“${wrong}” is no letter from a to j. Put a space between letters.`
        : words.length < SHORTEST || words.length > LONGEST
          ? `${words.length} letters, but the sisters know ${SHORTEST} to ${LONGEST}.`
          : "";
    if (problem) redraw(shown, h("p", { class: "problem", role: "status" }, problem));
    else
      redraw(
        shown,
        comparison(
          sisters,
          COLUMNS.map((column) => tryOut(lab, sisters, column, words)),
        ),
      );
  };
}

// What one sister does with one sentence, as tokens: {asked, taught: what the training view says, written}.
function tryOut(lab, sisters, [id, openInTraining, openInWriting], words) {
  const entry = sisters.get(id);
  const model = lab.models.get(id);
  const [src, trg] = [lab.vocabularies[entry.src], lab.vocabularies[entry.trg]];
  const right = [...words].reverse();
  const source = [...src.encode(words.join(" ")), src.end];
  const target = [trg.start, ...trg.encode(right.join(" ")), trg.end];
  const read = target.slice(0, -1);
  const pass = model.forward(source, read, openInTraining ? { masks: allOpen(read) } : {});
  const taught = likeliest(pass.taps.get("logits"));
  const options = {
    start: trg.start,
    end: trg.end,
    forbidden: [trg.pad, trg.start],
    choose: "greedy",
    limit: limitFor(model.config, lab.payload.decoding, source.length),
    maskOf: openInWriting ? allOpen : undefined,
  };
  const ids = Array.from(write(model, source, options), (step) => step.token);
  return {
    asked: target.slice(1).map((token) => trg.piece(token)),
    taught: taught.map((token) => trg.piece(token)),
    written: ids.map((token) => trg.piece(token)),
  };
}

const allOpen = (trg) => ({
  decoder: new Tensor([1, 1, trg.length, trg.length], new Uint8Array(trg.length ** 2).fill(1)),
});

function likeliest({ shape: [, rows, size], data }) {
  return Array.from({ length: rows }, (_, row) => {
    const scores = data.subarray(row * size, (row + 1) * size);
    return scores.reduce((best, score, id) => (score > scores[best] ? id : best), 0);
  });
}

const hits = (said, asked) => asked.filter((word, at) => said[at] === word).length;
const exact = ({ written, asked }) => written.join() === asked.join();

function comparison(sisters, results) {
  const [first] = results;
  const facts = COLUMNS.map(([id, , lifted]) => (lifted ? null : sisters.get(id).facts));
  const row = (title, cells) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, title),
      cells.map((cell) => h("td", {}, cell)),
    );
  const measured = (key) => facts.map((fact) => (fact?.[key] === undefined ? "–" : `${fact[key].toFixed(1)} %`));
  const over = facts[0]?.sentences === undefined ? "over the test set" : `over ${facts[0].sentences} test sentences`;
  return scroller(
    "the two sisters side by side",
    h(
      "table",
      { class: "cheat" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("td"),
          COLUMNS.map(([, , , title, line]) => h("th", { scope: "col" }, title, h("br"), h("small", {}, line))),
        ),
      ),
      h(
        "tbody",
        {},
        row(
          "right answer",
          COLUMNS.map(() => marks(first.asked, first.asked, false)),
        ),
        row(
          "training view: says",
          results.map((each) => [
            marks(each.taught, each.asked),
            h("b", {}, ` ${hits(each.taught, each.asked)} of ${each.asked.length}`),
          ]),
        ),
        row(
          "writes by itself",
          results.map((each) => [
            marks(each.written, each.asked),
            h("b", {}, exact(each) ? " right" : ` wrong: ${hits(each.written, each.asked)} of ${each.asked.length}`),
          ]),
        ),
        row(`measured ${over}: tokens right in training view`, measured("teacher_forced")),
        row(`measured ${over}: answers right from end to end`, measured("exact")),
      ),
    ),
  );
}

const scroller = (name, table) =>
  h("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": name }, table);

// Each token beside the one it should be: right or wrong.
const marks = (said, asked, judge = true) =>
  said.map((word, at) =>
    h(
      "span",
      {
        class: `mark ${judge ? (word === asked[at] ? "hit" : "miss") : ""}`,
        title: judge && word !== asked[at] ? `should be ${asked[at] ?? "nothing"}` : null,
      },
      word,
    ),
  );

// A dozen sentences of letters, sentence by sentence, so that the page stays awake.
async function countRandom(lab, sisters, seed, tell) {
  const random = new Random(seed);
  const below = (size) => Math.floor(random.next() * size);
  const sums = COLUMNS.map(() => ({ tokens: 0, taught: 0, exact: 0 }));
  for (let done = 1; done <= SENTENCES; done++) {
    const words = Array.from({ length: SHORTEST + below(LONGEST - SHORTEST + 1) }, () => "abcdefghij"[below(10)]);
    for (const [at, column] of COLUMNS.entries()) {
      const result = tryOut(lab, sisters, column, words);
      sums[at].tokens += result.asked.length;
      sums[at].taught += hits(result.taught, result.asked);
      sums[at].exact += Number(exact(result));
    }
    tell(sums, done);
    await new Promise((resume) => setTimeout(resume));
  }
}

const totals = (sums, done, seed) =>
  h(
    "table",
    { class: "totals" },
    h("caption", {}, `Counted here over ${done} random sentences (seed ${seed})`),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ["sister", "tokens right in training view", "answers right from end to end"].map((title) =>
          h("th", { scope: "col" }, title),
        ),
      ),
    ),
    h(
      "tbody",
      {},
      sums.map((sum, at) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, COLUMNS[at][3]),
          h("td", { class: "figure" }, `${percent(sum.taught / sum.tokens)} (${sum.taught} of ${sum.tokens})`),
          h("td", { class: "figure" }, `${percent(sum.exact / done)} (${sum.exact} of ${done})`),
        ),
      ),
    ),
  );
