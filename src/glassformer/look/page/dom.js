// Elements from text, never from markup: whatever a sentence contains is shown letter by letter.

// h("button", {class: "x", onclick: f, style: {"--share": 0.3}}, "text", otherElement, null) -> HTMLElement
export function h(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

// The same for SVG elements.
export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.entries(value).forEach(([key, each]) => element.style.setProperty(key, each));
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Replace what is in `container`; the focus stays on the control with the same data-key.
export function redraw(container, ...children) {
  const key = container.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  container.replaceChildren(...children.flat(9).filter(Boolean));
  if (key !== undefined) container.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

// A button that stays pressed: `pressed` is true or false.
export function toggle(label, pressed, onclick, props = {}) {
  return h(
    "button",
    { type: "button", "aria-pressed": String(pressed), onclick, "data-key": `toggle ${label}`, ...props },
    label,
  );
}

// A labelled choice: options are values, or [value, label] pairs.
export function choice(label, options, value, onpick, props = {}) {
  const pairs = options.map((each) => (Array.isArray(each) ? each : [each, String(each)]));
  const select = h(
    "select",
    { "data-key": `choice ${label}`, onchange: () => onpick(pairs[select.selectedIndex][0]) },
    pairs.map(([each, words]) => h("option", { selected: each === value }, words)),
  );
  return h("label", { class: "field", ...props }, h("span", {}, label), select);
}

// A labelled slider with its value beside it; `onpick` is called while it moves.
export function slider(label, { min, max, step, value }, onpick, show = String) {
  const shown = h("output", {}, show(value));
  const input = h("input", {
    type: "range",
    min,
    max,
    step,
    value: String(value),
    "data-key": `slider ${label}`,
    oninput: () => {
      shown.textContent = show(Number(input.value));
      onpick(Number(input.value));
    },
  });
  return h("label", { class: "field" }, h("span", {}, label, " ", shown), input);
}

// A piece as it can be read: spaces and control characters become visible.
export function readable(piece) {
  if (piece.trim() === "") return "␣".repeat(piece.length) || "∅";
  return piece.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => `\\u${c.codePointAt(0).toString(16).padStart(4, "0")}`);
}

// A number in few characters: 0.0312, -1.25, 3.1e-9; `full` shows every digit.
export function number(value, full = false) {
  if (!Number.isFinite(value)) return String(value).replace("Infinity", "∞").replace("-", "−");
  if (full) return String(value).replace("-", "−");
  const size = Math.abs(value);
  const text = size === 0 ? "0" : size < 0.001 || size >= 1e5 ? value.toExponential(1) : value.toPrecision(3);
  return text.replace("-", "−");
}

export const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.0995 ? 1 : 0)} %`;
