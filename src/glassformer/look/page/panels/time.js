// Time: one slider over the checkpoints of training; every room then shows the model as it was.

import { thumbnail } from "glass/cells.js";
import { weightColour } from "glass/colour.js";
import { h, number, percent, readable, redraw, svg } from "glass/dom.js";
import { write } from "glass/engine/decode.js";
import { softmax } from "glass/numbers.js";

// The model's moments, oldest first: checkpoints, then the model itself.
function moments(lab) {
  const checkpoints = lab.payload.models.filter((each) => each.role === "checkpoint");
  const [main] = lab.payload.models;
  return checkpoints.length ? [...checkpoints, main] : [];
}

const when = (moment) =>
  moment.role === "checkpoint" ? `step ${moment.facts.step.toLocaleString("en")}` : "the model";

function mount(root, lab) {
  const slider = h("div", { class: "controls" });
  const curve = h("div");
  const rows = h("div", { class: "moments" });
  root.append(slider, curve, rows);
  let version = 0;
  return async () => {
    const all = moments(lab);
    if (all.length === 0) {
      return redraw(
        rows,
        h(
          "p",
          { class: "note" },
          "This model came without checkpoints of its training. Train with ",
          h("code", {}, "--keep-for-look 20"),
          " and the page will have them; the demo keeps some.",
        ),
      );
    }
    const here = Math.max(
      0,
      all.findIndex((each) => each.id === lab.entry.id),
    );
    redraw(slider, scrub(lab, all, here));
    redraw(curve, lossCurve(lab, all, here));
    const mine = ++version;
    const seen = [];
    for (const moment of all) seen.push(await look(lab, moment));
    if (mine === version) redraw(rows, h("h3", {}, "The same sentence at every moment"), table(lab, all, seen, here));
  };
}

function scrub(lab, all, here) {
  const shown = h("output", {}, when(all[here]));
  const input = h("input", {
    type: "range",
    min: 0,
    max: all.length - 1,
    step: 1,
    value: String(here),
    "data-key": "time",
    class: "long",
    oninput: () => lab.set({ model: all[Number(input.value)].id, step: -1 }, { quiet: true }),
  });
  return h("label", { class: "field" }, h("span", {}, "moment of training: ", shown), input);
}

function lossCurve(lab, all, here) {
  const points = lab.payload.curve;
  if (points.length < 2) return null;
  const [width, height, pad] = [640, 150, 46];
  const last = points.at(-1)[0];
  const losses = points.map(([, loss]) => loss);
  const [low, high] = [Math.min(...losses), Math.max(...losses)];
  const x = (step) => pad + (step / last) * (width - 2 * pad);
  const y = (loss) => height - 24 - ((loss - low) / (high - low || 1)) * (height - 40);
  const marks = all.filter((each) => each.role === "checkpoint").map((each) => each.facts.step);
  const step = all[here].facts.step ?? last;
  return svg(
    "svg",
    {
      class: "curve",
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": `training loss from ${number(losses[0])} to ${number(losses.at(-1))} over ${last} updates`,
    },
    svg("polyline", { points: points.map(([at, loss]) => `${x(at)},${y(loss)}`).join(" ") }),
    marks.map((at) =>
      svg("line", {
        class: "mark",
        x1: x(Math.min(at, last)),
        x2: x(Math.min(at, last)),
        y1: height - 24,
        y2: height - 18,
      }),
    ),
    svg("line", { class: "now", x1: x(Math.min(step, last)), x2: x(Math.min(step, last)), y1: 8, y2: height - 24 }),
    svg("text", { x: pad, y: height - 4 }, "0"),
    svg("text", { x: width - pad, y: height - 4, class: "end" }, `${last.toLocaleString("en")} updates`),
    svg("text", { x: 2, y: y(high) + 4 }, number(high)),
    svg("text", { x: 2, y: y(low) + 4 }, number(low)),
  );
}

const looks = new Map(); // what was computed for a moment and a pair of sentences
const KEPT = 64;

// What a moment answers, how sure it is of the target on screen, and its pass.
async function look(lab, moment) {
  const key = keyOf(lab, moment);
  if (!looks.has(key)) looks.set(key, await computed(lab, moment));
  if (looks.size > KEPT) looks.delete(looks.keys().next().value);
  return looks.get(key);
}

const keyOf = (lab, moment) => [moment.id, lab.src, lab.trg].join("|");

async function computed(lab, moment) {
  const model = lab.models.get(moment.id);
  const pass = await model.forward(lab.src, lab.trg);
  const shares = lab.asked.map((id, at) => softmax(pass.taps.get("logits"), at)[id]);
  const { trg } = lab.vocab;
  const options = { ...lab.searchOptions(lab.src), choose: "greedy" };
  const steps = model.write ? await model.write(lab.src, options) : write(model, lab.src, options);
  const ids = [...steps].map((step) => step.token).filter((id) => id !== trg.end);
  return { pass, shares, text: trg.decode(ids) };
}

function table(lab, all, seen, here) {
  const [part, layer, head] = lab.state.head.split(".");
  const name =
    part === "encoder"
      ? `encoder.layers.${layer}.self_attention.attention`
      : `decoder.layers.${layer}.${part === "cross" ? "cross" : "self"}_attention.attention`;
  const asked = lab.words(lab.asked, "trg");
  return h(
    "ol",
    { class: "strip" },
    all.map((moment, at) => {
      const { pass, shares, text } = seen[at];
      const map = pass.taps.get(name);
      const [, , rows, columns] = map?.shape ?? [];
      const first = (Number(head) || 0) * rows * columns;
      const loss = -shares.reduce((sum, each) => sum + Math.log(each), 0) / shares.length;
      return h(
        "li",
        { class: at === here ? "here" : null },
        h(
          "button",
          {
            type: "button",
            "data-key": `moment ${at}`,
            "aria-pressed": String(at === here),
            onclick: () => lab.set({ model: moment.id, step: -1 }, { quiet: true }),
          },
          when(moment),
        ),
        map
          ? thumbnail(rows, columns, (r, c) => weightColour(map.data[first + r * columns + c]), {
              role: "img",
              "aria-label": `attention ${name}, head ${head}`,
            })
          : null,
        h("p", { class: "mono" }, text || "(nothing)"),
        h(
          "p",
          { class: "note" },
          `loss here ${number(loss)}; `,
          asked
            .map((word, i) => `${readable(word)} ${percent(shares[i])}`)
            .slice(0, 4)
            .join(", "),
          asked.length > 4 ? " …" : "",
        ),
      );
    }),
  );
}

// When did it first answer as it does at the end?
function quiz(lab) {
  const all = moments(lab);
  if (all.length < 3) return null;
  if (!all.every((moment) => looks.has(keyOf(lab, moment)))) return null;
  const texts = all.map((moment) => looks.get(keyOf(lab, moment)).text);
  const first = texts.findIndex((text) => text === texts.at(-1));
  const offered = [
    ...new Set([0, Math.floor(all.length / 3), Math.floor((2 * all.length) / 3), first, all.length - 1]),
  ];
  offered.sort((a, b) => a - b);
  return {
    ask: `When does it first answer “${texts.at(-1)}” to “${lab.sentence}”, as it does in the end?`,
    choices: offered.map((at) => when(all[at])),
    right: offered.indexOf(first),
    because: first === 0 ? "It did from the start." : `Before that it said “${texts[first - 1]}”.`,
  };
}

export const time = {
  id: "time",
  title: "Time",
  mount,
  quiz,
  line:
    "The model at moments of its training. Move the slider: every room then shows that model, " +
    "with its own attention, lens and answers.",
};
