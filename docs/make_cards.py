"""Write docs/cards.md: the course's questions for an interview, each with what a good answer holds.

python docs/make_cards.py
"""

from html import escape

from made import anchor, heading, table, write

from glassformer.learn.course import course
from glassformer.learn.exercise import FollowUp, Texts
from glassformer.learn.why.page import text

HEAD = """\
# Interview cards

{count} questions that an interviewer asks once the code runs, from the exercises of [the course](guides/learn.md).
Answer aloud before you unfold a card: it holds what a good answer has in it, not a text to recite.
In a course's folder, `glassformer learn exam` asks for the code first, against the clock.

<!-- Made by docs/make_cards.py. Change texts.py in src/glassformer/learn/exercises/, then run it again. -->
"""


def page() -> str:
    exercises = course()
    count = sum(len(texts.follow_ups) for texts in exercises)
    parts = [HEAD.format(count=count), *overview(exercises)]
    for texts in exercises:
        parts += [*heading(texts), f"{texts.paper[0].upper()}{text(texts.paper[1:])}.", ""]
        for follow_up in texts.follow_ups:
            parts += card(follow_up)
    return "\n".join(parts)


def overview(exercises: tuple[Texts, ...]) -> list[str]:
    """The course as a table, and how long it takes."""
    rows = [
        (
            texts.number,
            f"[{text(texts.title)}](#{anchor(texts)})",
            str(texts.minutes),
            "●" * texts.difficulty + "○" * (5 - texts.difficulty),
            "yes" if texts.interview else "",
            str(len(texts.follow_ups)),
        )
        for texts in exercises
    ]
    hours = sum(texts.minutes for texts in exercises) / 60
    head = ("", "exercise", "minutes", "difficulty", "in exams", "cards")
    return [*table(head, rows), f"About {hours:.0f} hours together.", ""]


def card(follow_up: FollowUp) -> list[str]:
    """The question, and behind it what a good answer holds."""
    points = [f"- {text(point)}" for point in follow_up.rubric]
    question = escape(follow_up.question, quote=False)  # a summary is HTML: no Markdown within it
    return ['<details markdown="1">', f"<summary>{question}</summary>", "", *points, "", "</details>", ""]


if __name__ == "__main__":
    write("cards.md", page)
