// Who looks at whom as lines: words that ask on the left, words that answer on the right, a line as wide as its weight.

import { readable, svg } from "glass/dom.js";

const [LOWEST, HIGHEST, ROOM] = [11, 20, 560]; // pixels: of a word, and of all of them
const WIDTH = 230;
const [LEFT, RIGHT] = [75, 155]; // where lines begin and end
const FAINT = 0.15; // weight; while no row is chosen smaller ones are left out

// The drawing. `weight(row, column)` -> number, `row` the one that asks, or null for all of them.
export function lines(asks, answers, weight, row) {
  const most = Math.max(asks.length, answers.length);
  const tall = Math.max(LOWEST, Math.min(HIGHEST, ROOM / most));
  const height = tall * most + 4;
  const y = (at) => at * tall + tall / 2 + 2;
  const rows = row === null ? asks.map((_, at) => at) : [row];
  const least = row === null ? FAINT : 0.005;
  const all = rows.flatMap((from) => answers.map((_, to) => [from, to, weight(from, to)]));
  const drawn = all.filter(([, , w]) => w >= least);
  const strongest = row === null ? null : all.reduce((best, each) => (each[2] > best[2] ? each : best))[1];
  return svg(
    "svg",
    {
      class: "lines",
      viewBox: `0 0 ${WIDTH} ${height}`,
      width: WIDTH,
      height,
      "aria-hidden": "true",
      "font-size": Math.min(12, tall - 0.5),
    },
    drawn.map(([from, to, w]) =>
      svg("path", {
        d: `M${LEFT} ${y(from)}C${(LEFT + RIGHT) / 2} ${y(from)} ${(LEFT + RIGHT) / 2} ${y(to)} ${RIGHT} ${y(to)}`,
        "stroke-width": (row === null ? 4 : 12) * w + 0.5,
        "stroke-opacity": 0.25 + 0.75 * w,
      }),
    ),
    asks.map((word, at) => text(word, LEFT - 6, y(at), "end", at === row)),
    answers.map((word, at) => text(word, RIGHT + 6, y(at), "start", at === strongest)),
  );
}

const text = (word, x, y, anchor, marked) =>
  svg("text", { x, y: y + 4, "text-anchor": anchor, class: marked ? "here" : null }, short(readable(word)));

const short = (word) => (word.length > 9 ? `${word.slice(0, 8)}…` : word);
