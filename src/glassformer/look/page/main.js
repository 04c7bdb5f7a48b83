// The page starts here: read what the file holds, build the laboratory, draw the room that the address names.

import { START } from "glass/address.js";
import { blob, payload } from "glass/blobs.js";
import { choice, h, redraw, toggle } from "glass/dom.js";
import { Model } from "glass/engine/model.js";
import { Lab, Problem } from "glass/lab.js";
import { footer } from "glass/panels/footer.js";
import { microscope } from "glass/panels/cell.js";
import { beam } from "glass/panels/beam.js";
import { journey } from "glass/panels/journey.js";
import { ledger } from "glass/panels/ledger.js";
import { masks } from "glass/panels/masks.js";
import { plan } from "glass/panels/plan.js";
import { story, storyBar } from "glass/panels/story.js";
import { surgery } from "glass/panels/surgery.js";
import { time } from "glass/panels/time.js";
import { wall } from "glass/panels/wall.js";
import { question } from "glass/predict.js";
import { Vocabulary } from "glass/tokens.js";

// The rooms in the order of their keys 1 to 9 and 0. Each: {id, title, line, mount(root, lab) -> draw, quiz?(lab)}.
const ROOMS = [story, plan, masks, wall, microscope, journey, ledger, surgery, beam, time];

export async function start() {
  const data = payload();
  const models = await openModels(data);
  const lab = new Lab(
    data,
    models,
    data.vocabularies.map((entry) => new Vocabulary(entry)),
  );
  window.glass = { ready: false, lab };
  const draw = frame(lab);
  lab.onChange(draw);
  await lab.start();
  window.glass.ready = true;
  window.glass.opened = performance.now(); // milliseconds since the file was asked for
}

// Something with get(id) -> model: computed here, or by the server, or recorded.
async function openModels(data) {
  if (data.server) {
    const { RemoteModel } = await import("glass/server.js");
    const [main] = data.models;
    return new Models(data.models, [[main.id, await RemoteModel.open(main)]]);
  }
  if (data.recording) {
    const { RecordedModel } = await import("glass/recording.js");
    return new Map([[data.models[0].id, new RecordedModel(data.models[0], data.recording)]]);
  }
  return new Models(data.models);
}

// Sisters and checkpoints are unpacked when they are first looked at.
class Models {
  constructor(entries, opened = []) {
    this.entries = entries;
    this.opened = new Map(opened);
  }

  get(id) {
    if (!this.opened.has(id)) {
      const entry = this.entries.find((each) => each.id === id);
      this.opened.set(id, Model.fromBytes(entry, blob(entry.blob)));
    }
    return this.opened.get(id);
  }
}

// The frame around the rooms; gives the function that draws everything anew.
function frame(lab) {
  const bar = h("div", { class: "bar" });
  const nav = h("nav", { class: "rooms", "aria-label": "Rooms" });
  const room = h("main", { id: "room", tabindex: "-1" });
  const beside = h("aside", { class: "beside", "aria-label": "Cell microscope" });
  const foot = h("footer", { class: "honesty" });
  const drawBar = storyBar(bar, lab);
  const glass = h("div");
  beside.append(
    h("button", { type: "button", class: "quiet close", onclick: () => lab.set({ cell: "" }) }, "✕ close"),
    glass,
  );
  const drawBeside = microscope.mount(glass, lab);
  const drawFoot = footer(foot, lab);
  let shown = null;
  let drawRoom = null;
  const top = h("header", { class: "top" });
  redraw(document.querySelector("#app"), skip(), top, bar, h("div", { class: "body" }, nav, room, beside), foot);
  document.addEventListener("keydown", (event) => hotkey(event, lab, room));
  return () => {
    const current = ROOMS.find((each) => each.id === lab.state.room) ?? story;
    document.documentElement.dataset.theme = lab.state.theme;
    redraw(top, header(lab));
    drawBar();
    redraw(
      nav,
      ROOMS.map((each, at) => link(each, at, current, lab)),
    );
    if (shown !== current.id) {
      shown = current.id;
      const content = h("div", { class: "content" });
      const ask = h("div", { class: "ask" });
      const draw = current.mount(content, lab);
      const drawQuestion = question(ask, content, lab, current);
      room.replaceChildren(heading(current, lab), ask, content);
      const trouble = h("p", { class: "trouble", role: "status" });
      room.append(trouble);
      drawRoom = async () => {
        trouble.textContent = await problemOf(draw);
        drawQuestion();
      };
    }
    drawRoom();
    beside.hidden = !lab.state.cell || current.id === microscope.id;
    if (!beside.hidden) drawBeside();
    drawFoot();
  };
}

// What cannot be done here, in words, where drawing fails for that reason: a beam asked of a recording, say.
async function problemOf(draw) {
  try {
    await draw();
    return "";
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return error.message;
  }
}

const skip = () =>
  h(
    "a",
    {
      href: "#room",
      class: "skip",
      onclick: (event) => {
        event.preventDefault();
        document.querySelector("#room").focus();
      },
    },
    "Skip to the room",
  );

const THEMES = { auto: ["◐", "light"], light: ["☀", "dark"], dark: ["☾", "auto"] }; // sign, and what comes next

function header(lab) {
  const [sign, next] = THEMES[lab.state.theme] ?? THEMES.auto;
  const models = lab.payload.models.filter((each) => each.role !== "checkpoint" || each === lab.entry);
  return [
    h("h1", {}, h("span", { class: "brand" }, "Glassformer"), " ", h("span", { class: "of" }, lab.payload.title)),
    models.length > 1
      ? choice(
          "model",
          models.map((each) => [each.id, each.label]),
          lab.entry.id,
          (model) => lab.set({ ...FRESH, model }),
        )
      : null,
    h(
      "button",
      { type: "button", class: "quiet", "data-key": "theme", onclick: () => lab.set({ theme: next }, { quiet: true }) },
      `${sign} theme: ${lab.state.theme}`,
    ),
  ];
}

// What another model does not share with the one before it.
const FRESH = Object.fromEntries(
  ["src", "trg", "step", "edits", "masks", "force", "cell", "head", "row"].map((name) => [name, START[name]]),
);

const link = (room, at, current, lab) =>
  h(
    "a",
    {
      href: "#",
      "aria-current": room === current ? "page" : null,
      "data-key": `room ${room.id}`,
      onclick: (event) => {
        event.preventDefault();
        lab.set({ room: room.id });
      },
    },
    h("kbd", {}, String((at + 1) % 10)),
    " ",
    room.title,
  );

const heading = (room, lab) =>
  h(
    "div",
    { class: "heading" },
    h("h2", {}, room.title),
    h("p", {}, room.line),
    room.quiz
      ? toggle(
          "predict first",
          lab.state.predict,
          (event) => {
            lab.set({ predict: !lab.state.predict }, { quiet: true });
            event.target.setAttribute("aria-pressed", String(lab.state.predict));
          },
          { class: "predict" },
        )
      : null,
  );

// 1 to 9 and 0 open a room, arrows step through the answer, Escape closes the microscope.
function hotkey(event, lab, room) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const at = "1234567890".indexOf(event.key);
  if (at >= 0 && event.key.length === 1) {
    lab.set({ room: ROOMS[at].id });
    room.focus({ preventScroll: true });
  } else if (event.key === "Escape" && lab.state.cell) lab.set({ cell: "" });
  else if (event.key === "[" || event.key === "]") {
    const last = lab.answer?.ids.length ?? 0;
    const now = lab.state.step < 0 ? last : lab.state.step;
    lab.set({ step: Math.min(last, Math.max(0, now + (event.key === "]" ? 1 : -1))) }, { quiet: true });
  } else return;
  event.preventDefault();
}
