// Beam tree: every beginning that the search looked at, those it kept and those it let go.

import { h, number, readable, redraw, slider, svg } from "glass/dom.js";

const COLUMN = 132; // pixels between two steps
const LINE = 34; // pixels between two nodes of one step

const latest = new WeakMap(); // lab -> the tree on screen

function mount(root, lab) {
  const controls = h("div");
  const picture = h("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": "beam tree" });
  const told = h(
    "p",
    { class: "caption", "aria-live": "polite" },
    "Point at a node; click it to make the answer begin like that.",
  );
  const ranking = h("div");
  root.append(controls, picture, told, ranking);
  let version = 0;
  return async () => {
    const mine = ++version;
    redraw(controls, sliders(lab));
    const tree = await lab.beamTree();
    if (mine !== version) return;
    latest.set(lab, tree);
    redraw(picture, drawing(lab, tree, told));
    redraw(ranking, list(lab, tree));
  };
}

function sliders(lab) {
  const { state } = lab;
  return [
    h(
      "div",
      { class: "controls" },
      slider("width", { min: 1, max: 8, step: 1, value: state.beam }, (beam) => lab.set({ beam }, { quiet: true })),
      slider(
        "length penalty α",
        { min: 0, max: 2, step: 0.1, value: state.alpha },
        (alpha) => lab.set({ alpha }, { quiet: true }),
        (each) => each.toFixed(1),
      ),
      state.force.length
        ? h(
            "button",
            { type: "button", "data-key": "free", onclick: () => lab.set({ force: [] }) },
            `let it begin as it likes (now: ${lab.words(state.force, "trg").map(readable).join(" ")})`,
          )
        : null,
    ),
    h(
      "p",
      { class: "note" },
      "score = log p / ((5 + length) / 6)",
      h("sup", {}, "α"),
      ", length the number of tokens with </s> (section 6.1 of the paper cites it).",
    ),
  ];
}

// The ids from the root to this node.
function path(tree, node) {
  const ids = [];
  for (let at = node; at; at = at.parent === null || at.parent < 0 ? null : tree.nodes[at.parent])
    ids.unshift(at.token);
  return ids;
}

function drawing(lab, tree, told) {
  const columns = new Map(); // step -> its nodes, best first
  for (const node of tree.nodes) {
    if (!columns.has(node.step)) columns.set(node.step, []);
    columns.get(node.step).push(node);
  }
  const steps = [...columns.keys()].sort((a, b) => a - b);
  const place = new Map();
  for (const [x, step] of steps.entries()) {
    columns
      .get(step)
      .sort((a, b) => b.sum - a.sum || a.index - b.index)
      .forEach((node, y) => place.set(node.index, [x, y]));
  }
  const tallest = Math.max(...[...columns.values()].map((nodes) => nodes.length));
  const [width, height] = [steps.length * COLUMN + 70, tallest * LINE + 16];
  const [left, top] = [70, LINE / 2 + 8];
  const at = ([x, y]) => [left + x * COLUMN, top + y * LINE];
  const kept = new Set(); // on the way to a finished answer or a live end
  const winners = new Set();
  for (const [rank, each] of tree.finished.entries()) {
    for (let node = tree.nodes[each.node]; node; node = tree.nodes[node.parent]) {
      kept.add(node.index);
      if (rank === 0) winners.add(node.index);
    }
  }
  const kind = (node) => (winners.has(node.index) ? "winner" : kept.has(node.index) ? "kept" : node.state);
  const links = tree.nodes.map((node) => {
    const [x, y] = at(place.get(node.index));
    const parent = tree.nodes[node.parent];
    const [fromX, fromY] = parent ? at(place.get(parent.index)).map((each, i) => (i ? each : each + 92)) : [34, top];
    const middle = (fromX + x) / 2;
    return svg("path", {
      class: `link ${kind(node)}`,
      d: `M${fromX} ${fromY}C${middle} ${fromY} ${middle} ${y} ${x} ${y}`,
    });
  });
  const boxes = tree.nodes.map((node) => {
    const [x, y] = at(place.get(node.index));
    const word = readable(lab.vocab.trg.piece(node.token));
    const say = () =>
      (told.textContent =
        `${lab.words(path(tree, node), "trg").map(readable).join(" ")}   ` +
        `log p ${number(node.sum)}, score ${number(node.score)}, ${node.state}`);
    const force = () =>
      lab.set({ force: path(tree, node).filter((id) => id !== lab.vocab.trg.end), mode: "beam", step: -1 });
    return svg(
      "g",
      {
        class: `node ${kind(node)}`,
        tabindex: "0",
        role: "button",
        "data-key": `node ${node.index}`,
        "aria-label": `${word}, log p ${number(node.sum)}, ${node.state}. Begin the answer like this.`,
        onclick: force,
        onpointerenter: say,
        onfocus: say,
        onkeydown: (event) => event.key === "Enter" && force(),
      },
      svg("rect", { x, y: y - 13, width: 92, height: 26, rx: 7 }),
      svg("text", { x: x + 7, y: y + 4 }, word.length > 6 ? `${word.slice(0, 5)}…` : word),
      svg("text", { x: x + 86, y: y + 4, class: "small" }, number(node.sum)),
    );
  });
  const start = readable(lab.vocab.trg.piece(lab.vocab.trg.start));
  return svg(
    "svg",
    {
      class: "tree",
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "group",
      "aria-label": "search tree, steps from left to right",
    },
    svg("text", { x: 4, y: top + 4 }, start),
    links,
    boxes,
  );
}

function list(lab, tree) {
  return [
    h("h3", {}, "Finished, best score first"),
    h(
      "div",
      { class: "scroller", tabindex: "0", role: "region", "aria-label": "finished answers" },
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["answer", "log p", "tokens", "score"].map((each) => h("th", { scope: "col" }, each)),
          ),
        ),
        h(
          "tbody",
          {},
          tree.finished.map((each, rank) =>
            h(
              "tr",
              { class: rank === 0 ? "here" : null },
              h("td", {}, lab.vocab.trg.decode(each.ids)),
              h("td", { class: "figure" }, number(each.sum)),
              h("td", { class: "figure" }, String(each.ids.length + 1)),
              h("td", { class: "figure" }, number(each.score)),
            ),
          ),
        ),
      ),
    ),
    h("p", { class: "note" }, `${tree.nodes.length} beginnings were looked at; grey ones were let go.`),
  ];
}

// Which finished answer wins?
function quiz(lab) {
  const finished = latest.get(lab)?.finished.slice(0, 4) ?? [];
  if (finished.length < 2) return null;
  const texts = finished.map((each) => lab.vocab.trg.decode(each.ids));
  const choices = [...texts].sort();
  return {
    ask: `Width ${lab.state.beam}, length penalty ${lab.state.alpha}: which finished answer has the best score?`,
    choices,
    right: choices.indexOf(texts[0]),
    because: `Its score is ${number(finished[0].score)}, the next one's ${number(finished[1].score)}.`,
  };
}

export const beam = {
  id: "beam",
  title: "Beam tree",
  mount,
  quiz,
  line:
    "Beam search keeps a few beginnings side by side. Change its width and length penalty, see what it lets go, " +
    "and click a node to make the answer begin like that.",
};
