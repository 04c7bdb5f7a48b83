// Predict first: a room hides its answer and asks. The room's `quiz(lab)` gives {ask, choices, right, because}.

import { h, redraw } from "glass/dom.js";

// The function that draws the question above `content`, and hides the content until it is answered.
export function question(root, content, lab, room) {
  let answered = ""; // the question that was answered, and how
  let chosen = -1;
  return () => {
    const quiz = lab.state.predict && lab.pass ? room.quiz?.(lab) : null;
    if (quiz && quiz.ask !== answered) chosen = -1;
    content.hidden = Boolean(quiz) && chosen < 0;
    if (!quiz) return redraw(root);
    const pick = (at) => {
      answered = quiz.ask;
      chosen = at;
      for (const listener of lab.listeners) listener(lab);
    };
    redraw(
      root,
      h(
        "fieldset",
        {},
        h("legend", {}, quiz.ask),
        h(
          "div",
          { class: "choices" },
          quiz.choices.map((words, at) =>
            h("button", { type: "button", "data-key": `guess ${at}`, class: mark(at), onclick: () => pick(at) }, words),
          ),
        ),
        chosen < 0
          ? null
          : h(
              "p",
              { role: "status" },
              chosen === quiz.right ? "Right. " : `No: ${quiz.choices[quiz.right]}. `,
              quiz.because,
            ),
      ),
    );
    function mark(at) {
      if (chosen < 0) return null;
      return at === quiz.right ? "right" : at === chosen ? "wrong" : null;
    }
  };
}
