// The figure: two stacks of boxes from bottom to top, residuals around the sublayers, the memory pipe between them.

import { number, svg } from "glass/dom.js";
import { flat } from "glass/panels/plan/boxes.js";
import { shapeParts } from "glass/panels/plan/letters.js";

const ADVANCE = 0.602; // width of a monospaced letter, in font sizes
const GAP = 14; // between boxes

// Where everything stands, y downwards:
//   {width, height, narrow, gutter, outer, pipe, boxes: id -> {box, x, y, width, height}, layers: frames, sides}
export function layout(parts, width) {
  const narrow = width < 560;
  const gutter = narrow ? 30 : 84;
  const column = (width - gutter) / 2;
  const [inner, outer] = narrow ? [4, 13] : [12, 30];
  const sides = Object.entries(parts).map(([side, items]) => {
    const left = side === "encoder" ? 0 : column + gutter;
    const edges = { left, column, x: left + (side === "encoder" ? outer : inner), width: column - inner - outer };
    return { side, items, ...edges, ...stacked(items, narrow) };
  });
  const height = Math.max(...sides.map((each) => each.top)) + 46;
  const boxes = new Map();
  for (const { items, x, width: wide, places } of sides) {
    for (const box of flat(items)) {
      const [bottom, tall] = places.get(box.id);
      boxes.set(box.id, { box, x, width: wide, y: height - bottom - tall, height: tall });
    }
  }
  const layers = sides.flatMap(({ side, left, layers: frames }) =>
    frames.map(({ layer, bottom, top }) => ({
      side,
      layer,
      x: left,
      width: column,
      y: height - top,
      height: top - bottom,
    })),
  );
  return { width, height, narrow, gutter, outer, boxes, layers, sides, pipe: column + gutter / 2 };
}

// From the bottom up: id -> [bottom, height], the frames of the layers, and how high it all is.
function stacked(items, narrow) {
  const places = new Map();
  const layers = [];
  let y = 26;
  const put = (box) => {
    const tall = ["attention", "feed", "positions"].includes(box.kind) || narrow ? 44 : 34;
    places.set(box.id, [y, tall]);
    y += tall + GAP;
  };
  for (const item of items) {
    if (!item.sublayers) put(item);
    else {
      const bottom = y;
      y += 18;
      item.sublayers.flat().forEach(put);
      y += 10;
      layers.push({ layer: item.layer, bottom, top: y });
      y += GAP;
    }
  }
  return { places, layers, top: y };
}

// The picture. `look`: {chosen: id, shape(box) -> [letters, sizes], change(box) -> number or null, captions, pick(id)}.
export function draw(parts, plan, look) {
  const boxes = [...plan.boxes.values()];
  return svg(
    "svg",
    {
      width: plan.width,
      height: plan.height,
      viewBox: `0 0 ${plan.width} ${plan.height}`,
      role: "group",
      "aria-label": "The architecture. Arrow keys move from box to box.",
      class: "house",
    },
    plan.layers.map((each) => layerFrame(each)),
    memoryPipe(plan),
    plan.sides.map((side) => wires(side, plan)),
    plan.sides.map((side) => captions(side, plan, look.captions[side.side])),
    boxes.map((place) => boxFigure(place, plan, look)),
  );
}

const layerFrame = ({ side, layer, x, y, width, height }) => [
  svg("rect", { class: "layer", x: x + 0.5, y, width: width - 1, height, rx: 12 }),
  svg(
    "text",
    {
      class: "soft",
      x: side === "encoder" ? x + width - 10 : x + 10,
      y: y + 15,
      "text-anchor": side === "encoder" ? "end" : "start",
    },
    `layer ${layer}`,
  ),
];

const middle = (place) => place.y + place.height / 2;

// From the encoder's memory to each cross-attention.
function memoryPipe(plan) {
  const memory = plan.boxes.get("encoder.top");
  const from = middle(memory);
  const bend = Math.min(12, plan.gutter / 3);
  const crosses = [...plan.boxes.values()].filter(({ box }) => box.id.endsWith(".cross_attention"));
  const path = crosses
    .map((cross) => {
      const to = middle(cross);
      const turn = Math.sign(to - from) * Math.min(bend, Math.abs(to - from) / 2);
      return (
        `M${memory.x + memory.width} ${from}H${plan.pipe - bend}Q${plan.pipe} ${from} ${plan.pipe} ${from + turn}` +
        `V${to - turn}Q${plan.pipe} ${to} ${plan.pipe + bend} ${to}H${cross.x - 7}`
      );
    })
    .join("");
  const heads = crosses.map((cross) => arrow(cross.x - 1, middle(cross), "right"));
  const words = plan.narrow
    ? []
    : crosses.flatMap((cross) =>
        [
          ["keys", -9],
          ["values", 17],
        ].map(([word, down]) =>
          svg("text", { class: "soft", x: cross.x - 8, y: middle(cross) + down, "text-anchor": "end" }, word),
        ),
      );
  const thin = plan.narrow ? " thin" : "";
  const tube = ["pipe", "water"].map((name) => svg("path", { class: name + thin, d: path }));
  return svg("g", { class: "memory" }, tube, heads, words);
}

function arrow(x, y, to) {
  const points = {
    up: `${x - 4},${y + 7} ${x},${y} ${x + 4},${y + 7}`,
    right: `${x - 7},${y - 4} ${x},${y} ${x - 7},${y + 4}`,
    left: `${x + 7},${y - 4} ${x},${y} ${x + 7},${y + 4}`,
  }[to];
  return svg("polygon", { class: "head", points });
}

// The stream from box to box, and the residuals around the sublayers.
function wires({ side, items }, plan) {
  const places = flat(items).map((box) => plan.boxes.get(box.id));
  const centre = places[0].x + places[0].width / 2;
  const stream = places
    .slice(1)
    .map((place, at) => [
      svg("line", { class: "wire", x1: centre, x2: centre, y1: places[at].y, y2: place.y + place.height + 6 }),
      arrow(centre, place.y + place.height + 1, "up"),
    ]);
  const around = items
    .flatMap((item) => item.sublayers ?? [])
    .map((sublayer) => {
      const [first, last] = [plan.boxes.get(sublayer[0].id), plan.boxes.get(sublayer.at(-1).id)];
      const from = first.y + first.height + GAP / 2 + 1;
      const edge = side === "encoder" ? last.x : last.x + last.width;
      const lane = edge + (side === "encoder" ? -1 : 1) * (plan.outer - (plan.narrow ? 4 : 12));
      const bend = (lane < centre ? 1 : -1) * 6;
      return [
        svg("path", {
          class: "wire around",
          d:
            `M${centre} ${from}H${lane + bend}Q${lane} ${from} ${lane} ${from - 6}` +
            `V${middle(last) + 6}Q${lane} ${middle(last)} ${lane + bend} ${middle(last)}H${edge}`,
        }),
        arrow(edge, middle(last), side === "encoder" ? "right" : "left"),
      ];
    });
  return svg("g", { "aria-hidden": "true" }, stream, around);
}

// What goes in below and comes out above, in words.
function captions({ items, x, width }, plan, { title, below, above }) {
  const places = flat(items).map((box) => plan.boxes.get(box.id));
  const [first, last] = [places[0], places.at(-1)];
  const centre = x + width / 2;
  const most = Math.floor(width / (11 * ADVANCE));
  const short = (words) => (words.length > most ? `${words.slice(0, most - 1)}…` : words);
  return [
    svg("text", { class: "words", x: centre, y: first.y + first.height + 18, "text-anchor": "middle" }, short(below)),
    svg("text", { class: "words", x: centre, y: last.y - 10, "text-anchor": "middle" }, short(above)),
    svg(
      "text",
      {
        class: "title",
        x: centre,
        y: last.y - 28,
        "text-anchor": "middle",
        "font-size": fit(title, 14, width, 0.55),
      },
      title,
    ),
  ];
}

const fit = (text, size, room, advance = ADVANCE) => Math.min(size, room / (text.length * advance));

function boxFigure({ box, x, y, width, height }, plan, look) {
  const [letters, sizes] = look.shape(box);
  const shape = shapeParts(letters, sizes);
  const plain = shape.map(([, text]) => text).join(" ");
  const change = look.change(box);
  const chosen = box.id === look.chosen;
  const oneLine = height < 40;
  const shapeSize = fit(plain, 12, oneLine ? width * 0.6 : width - 8);
  const shapeRoom = oneLine ? plain.length * shapeSize * ADVANCE + 24 : 8;
  const titleSize = fit(box.title, 13, width - shapeRoom, 0.58);
  const centre = x + width / 2;
  const said = change === null ? "" : change === 0 ? ", unchanged" : `, changed by up to ${number(change)}`;
  return svg(
    "g",
    {
      class: `box kind-${box.kind}${chosen ? " chosen" : ""}`,
      role: "button",
      tabindex: chosen ? "0" : "-1",
      "aria-pressed": String(chosen),
      "aria-label": `${where(box)}${box.title}, ${plain}${said}`,
      "data-key": `box ${box.id}`,
      onclick: () => look.pick(box.id),
    },
    svg("rect", { x, y, width, height, rx: 8 }),
    oneLine
      ? [
          svg("text", { class: "name", x: x + 10, y: y + height / 2 + 4.5, "font-size": titleSize }, box.title),
          shapeText(shape, {
            x: x + width - 10,
            y: y + height / 2 + 4.5,
            "text-anchor": "end",
            "font-size": shapeSize,
          }),
        ]
      : [
          svg(
            "text",
            { class: "name", x: centre, y: y + 18, "text-anchor": "middle", "font-size": titleSize },
            box.title,
          ),
          shapeText(shape, { x: centre, y: y + 35, "text-anchor": "middle", "font-size": shapeSize }),
        ],
    change === null ? null : chip(change, x + width - 6, y),
  );
}

const where = ({ id }) => {
  const [, side, layer] = /^(encoder|decoder)(?:\.layers\.(\d+))?/.exec(id) ?? [];
  return side ? `${side}${layer === undefined ? "" : ` layer ${layer}`}: ` : "";
};

const shapeText = (shape, props) =>
  svg(
    "text",
    { class: "shape", ...props },
    shape.map(([name, text], at) => svg("tspan", { class: name || null }, at ? ` ${text}` : text)),
  );

// In a few characters; where a mask's fill came or went the size says nothing.
export const delta = (change) => (change > 1e30 ? "Δ mask" : `Δ ${number(change)}`);

// How much the box's output differs from the unchanged model's.
function chip(change, right, y) {
  const text = change === 0 ? "=" : delta(change);
  const width = text.length * 10.5 * ADVANCE + 10;
  return svg(
    "g",
    { class: change === 0 ? "chip-same" : "chip-changed" },
    svg("rect", { x: right - width, y: y - 8, width, height: 15, rx: 7.5 }),
    svg("text", { x: right - width / 2, y: y + 3.5, "text-anchor": "middle", "font-size": 10.5 }, text),
  );
}
