"""All confusions as one page of the docs, in Markdown, from the same source as the terminal's."""

from collections.abc import Iterable
from io import StringIO

from rich.console import Console

from glassformer.learn.why.catalogue import by_theme
from glassformer.learn.why.confusion import PREAMBLE, Confusion
from glassformer.learn.why.run import Demonstration
from glassformer.learn.why.terminal import Numbers

WIDTH = 100
HEAD = """\
# Confusions to run

Questions that people asked about Transformers, each with the wrong line beside the right one. The numbers are
measured when this page is made, by the code that is shown, on a CPU: `=` stands where it makes no difference.
In a terminal `glassformer why` lists them and `glassformer why 6` shows one.

Every program is `given`, then `wrong` or `right`, then `then`, after these lines:

```python
{preamble}```

<!-- Made by docs/make_confusions.py. Change the source in src/glassformer/learn/why/, then run it again. -->
"""


def page(demonstrations: Iterable[Demonstration]) -> str:
    """The whole page, from a demonstration of every confusion."""
    sections = {each.confusion: section(each) for each in demonstrations}
    parts = [HEAD.format(preamble=PREAMBLE), contents()]
    for theme, group in by_theme().items():
        parts += [f"## {theme.capitalize()}\n", *(sections[confusion] for confusion in group)]
    return "\n".join(parts)


def contents() -> str:
    """A table of all, with links."""
    rows = ["| | question | exercise |", "| --: | --- | --- |"]
    for theme, group in by_theme().items():
        rows.append(f"| | **{theme}** | |")
        rows += [f"| {each.number} | [{text(each.question)}](#{each.slug}) | {each.exercise} |" for each in group]
    return "\n".join(rows) + "\n"


def section(demonstration: Demonstration) -> str:
    """One confusion: question, code, numbers, and what to make of them."""
    confusion = demonstration.confusion
    lines = [f'<a id="{confusion.slug}"></a>', "", f"### {confusion.number}. {text(confusion.question)}", ""]
    lines += ["```python", *code(confusion), "```", "", "```text", *table(demonstration), "```", ""]
    lines += [f"**What changes.** {text(confusion.changes)}", "", f"**Harmless.** {text(confusion.harmless)}", ""]
    lines += [f"**The truth.** {text(confusion.truth)}", ""]
    asked = [f"[{thread}]({address(thread)})" for thread in confusion.threads]
    if asked:
        lines += [f"Asked in {', '.join(asked)}.", ""]
    if confusion.seen:
        lines += [f"Seen in {confusion.seen}.", ""]
    lines += [f"Trained by exercise {confusion.exercise}; paper, {confusion.paper}.", ""]
    return "\n".join(lines)


def code(confusion: Confusion) -> list[str]:
    """Both programs, with a comment at each part."""
    named = (
        ("given", confusion.given),
        ("wrong", confusion.wrong),
        ("right", confusion.right),
        ("then", confusion.then),
    )
    parts = [f"# {name}\n{part.strip()}" for name, part in named if part]
    return "\n\n".join(parts).splitlines()


def table(demonstration: Demonstration) -> list[str]:
    """The numbers side by side, as in the terminal."""
    console = Console(file=StringIO(), width=WIDTH, color_system=None, legacy_windows=False)
    with console.capture() as captured:
        console.print(Numbers(demonstration.shown))
    return [line.rstrip() for line in captured.get().splitlines()]


def address(thread: str) -> str:
    """Where a thread is; an issue's address leads to a pull request of that number, too."""
    repository, number = thread.split("#")
    return f"https://github.com/{repository}/issues/{number}"


def text(plain: str) -> str:
    """Words as Markdown shows them unchanged."""
    return "".join(f"\\{letter}" if letter in "\\`*_<>[]|#" else letter for letter in plain)
