"""Write docs/mistakes.md: every mistake that the checker of the course knows by name.

python docs/make_mistakes.py
"""

from made import anchor, heading, linked, table, write

from glassformer.learn.course import bank, course
from glassformer.learn.exercise import Mistake, Part, Texts
from glassformer.learn.why.page import text

HEAD = """\
# Known mistakes

The checker of [the course](guides/learn.md) knows {count} mistakes by name, and says which of them a function makes.
Here they are: a spoiler for the exercises, and a list to review your own code by.
A *convention* is right by somebody's rule: it is told, and not failed.

<!-- Made by docs/make_mistakes.py. Change mistakes.py in src/glassformer/learn/exercises/, then run it again. -->
"""


def page() -> str:
    exercises = course()
    mistakes = {texts: [mistake for part in bank(texts).parts for mistake in part.mistakes] for texts in exercises}
    parts = [HEAD.format(count=sum(map(len, mistakes.values())))]
    counts = [
        (texts.number, f"[{text(texts.title)}](#{anchor(texts)})", str(len(mistakes[texts]))) for texts in exercises
    ]
    parts += table(("", "exercise", "known mistakes"), counts)
    for texts in exercises:
        parts += section(texts)
    return "\n".join(parts)


def section(texts: Texts) -> list[str]:
    """All parts of an exercise."""
    parts = heading(texts)
    for part in bank(texts).parts:
        parts += [f"`{part.function}`, asked for: {text(part.asked)}", "", *known(part)]
    return parts


def known(part: Part) -> list[str]:
    """The mistakes of one function, as a table."""
    head = ("mistake", "what it computes", "what training or decoding shows", "met in")
    return table(
        head, ((name(each), text(each.formula), text(each.symptom), linked(each.source)) for each in part.mistakes)
    )


def name(mistake: Mistake) -> str:
    return f"`{mistake.name}`{' (convention)' if mistake.convention else ''}"


if __name__ == "__main__":
    write("mistakes.md", page)
