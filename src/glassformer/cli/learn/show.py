"""A verdict, a progress bar and a list, on a terminal."""

from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from glassformer.cli.common import duration, out
from glassformer.learn.checker.verdict import Verdict
from glassformer.learn.course import course
from glassformer.learn.exercise import Texts
from glassformer.learn.progress import Exam, Progress

COLOURS = {"passed": "green", "wrong": "red", "not started": "yellow", "not checked": "magenta"}
PRINTED_LINES = 12


def verdict_view(verdict: Verdict, texts: Texts, *, whole: bool = False, names: bool = True) -> RenderableType:
    """What was found and a question; with `whole` everything. Without `names` a mistake is shown, not named."""
    head = Text.assemble(
        (f"{texts.number} {texts.name}: ", "bold"), (verdict.outcome, f"bold {COLOURS[verdict.outcome]}")
    )
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")

    def row(label: str, *lines: str) -> None:
        if lines:
            rows.add_row(label, Text("\n".join(lines)))

    row("right so far" if verdict.outcome != "passed" else "right", *[", ".join(verdict.passed)] * bool(verdict.passed))
    known = bool(verdict.mistakes)
    if verdict.outcome == "wrong" and known and not names:
        row("found", f"{verdict.function} is wrong")
        row("example", *verdict.example)
    elif verdict.outcome != "passed":
        row("found", *([verdict.headline, verdict.evidence] if verdict.evidence else [verdict.headline]))
        row("", *verdict.details)
        row("yours", *verdict.yours)
        row("asked for", *[verdict.asked] * bool(verdict.asked))
        row("lacks", *verdict.failed)
        row("has", *verdict.held if whole or not verdict.failed else ())
        row("where", *verdict.where)
        if whole or not known:
            row("example", *verdict.example)
            row("measured", *verdict.measured)
        if whole:
            row("in training", *verdict.symptom)
            row("look at", *verdict.look)
            row("others too", *verdict.sources)
        row("question", *[verdict.question] * bool(verdict.question))
    row("note", *verdict.notes)
    printed = verdict.printed.rstrip().splitlines()
    row("it printed", *printed[:PRINTED_LINES], *["..."] * (len(printed) > PRINTED_LINES))
    return Group(head, rows)


def prose(text: str | Text) -> None:
    """Print sentences: on a terminal broken between words, elsewhere each paragraph on one line."""
    out.print(text if isinstance(text, Text) else Text(text), soft_wrap=not out.is_terminal)


def next_steps(verdict: Verdict, texts: Texts) -> Text:
    """The commands that make sense now."""
    words = f"glassformer learn hint {texts.number}"
    if verdict.outcome == "passed":
        words = f"glassformer learn solution {texts.number} shows another way to write it"
    elif verdict.outcome == "wrong":
        words += f" · glassformer learn explain {texts.number}"
    return Text(words, style="dim")


def task_view(texts: Texts, file: Path) -> RenderableType:
    """What is to be done, and where."""
    head = Text.assemble((f"{texts.number} {texts.name}", "bold"), f"  {texts.title}")
    facts = f"{texts.paper} · about {texts.minutes} minutes · difficulty {texts.difficulty} of 5"
    return Group(head, Text(facts, style="dim"), path_view(file))


def path_view(file: Path) -> Text:
    """A path that a terminal can click."""
    return Text(str(file), style=f"cyan link {file.resolve().as_uri()}")


def bar(progress: Progress, width: int = 40) -> Text:
    """How far the course is: one cell an exercise and more."""
    total, done = len(course()), sum(texts.number in progress.passed for texts in course())
    filled = round(width * done / total)
    return Text.assemble("progress ", ("█" * filled, "green"), ("░" * (width - filled), "dim"), f" {done} of {total}")


def list_view(progress: Progress) -> RenderableType:
    """The course at a glance."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("", "exercise", "", "minutes", "difficulty", "paper"):
        table.add_column(column, justify="right" if column == "minutes" else "left")
    for texts in course():
        passed = texts.number in progress.passed
        mark = (
            Text("✓", style="green") if passed else Text("→" if texts.number == progress.current else " ", style="bold")
        )
        given_up = "  (solution seen)" if texts.number in progress.gave_up else ""
        table.add_row(
            mark, f"{texts.number} {texts.name}", texts.title + given_up, str(texts.minutes),
            "●" * texts.difficulty + "○" * (5 - texts.difficulty), texts.paper,
        )  # fmt: skip
    return Group(table, Text(""), bar(progress))


def clock(exam: Exam) -> Text:
    """What is left of an exam's time."""
    left = exam.seconds_left
    words = f"{duration(left)} left of {duration(exam.minutes * 60)}" if left > 0 else "time is up"
    return Text(words, style="bold" if left > 0 else "bold red")
