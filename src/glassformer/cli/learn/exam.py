"""`glassformer learn exam`: exercises against the clock, as in an interview. Mistakes are shown, not named."""

import random
import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from glassformer.cli.common import AsJson, out, print_json
from glassformer.cli.learn import show
from glassformer.errors import UserError
from glassformer.learn import progress as state
from glassformer.learn.checker.runner import check_each
from glassformer.learn.checker.verdict import Verdict, exit_code
from glassformer.learn.course import course, find, task
from glassformer.learn.exercise import Texts

FOLDER = "exam"


def exam(
    exercises: Annotated[
        list[str] | None, typer.Argument(help="Which exercises. Default: three that interviews ask for, drawn by lot.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="How long. Default: what the exercises take.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Draw the same exercises again.")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="End the exam that is going on.")] = False,
    directory: Annotated[Path, typer.Option("--dir", help="The course's folder.", file_okay=False)] = Path(),
    as_json: AsJson = False,
) -> None:
    """Begin an exam; called again, check it. What passed is followed by the questions an interviewer asks next.

    The files are in exam/, empty again whatever you have done before. The clock does not wait: an answer counts when it
    was checked in time. A wrong answer is told with an example, and without its name.
    """
    folder = state.find_course(directory.resolve())
    progress, _ = state.read(folder)
    if progress.exam is None:
        if stop:
            raise UserError("no exam is going on. `glassformer learn exam` begins one.")
        begin(folder, progress, draw(exercises, seed), minutes)
        return
    if exercises or minutes or seed is not None:
        raise UserError("an exam is going on already. `glassformer learn exam` checks it, `exam --stop` ends it.")
    verdicts = check(folder, progress.exam)
    over = stop or progress.exam.seconds_left <= 0
    done = len(progress.exam.passed) == len(progress.exam.exercises)
    if as_json:
        print_json(
            {"exam": asdict(progress.exam), "over": over or done, "verdicts": [v.to_dict() for v in verdicts.values()]}
        )
    else:
        report(progress.exam, verdicts, over=over or done)
    if over or done:
        progress.exam = None
    state.write(folder, progress)
    raise typer.Exit(exit_code(verdict.outcome for verdict in verdicts.values()))


def draw(wanted: list[str] | None, seed: int | None) -> list[Texts]:
    """The exercises named, or three of those that interviews ask for."""
    if wanted:
        return [find(word) for word in wanted]
    asked = [texts for texts in course() if texts.interview]
    return sorted(random.Random(seed).sample(asked, 3), key=lambda texts: texts.number)


def begin(folder: Path, progress: state.Progress, chosen: list[Texts], minutes: float | None) -> None:
    """Lay fresh files out and start the clock. Files of an earlier exam are kept under another name."""
    place = folder / FOLDER
    if place.exists():
        place.rename(state.unused(folder, f"{FOLDER}-{{}}"))
    place.mkdir()
    for texts in chosen:
        (place / texts.file).write_text(with_the_courses_answers(task(texts)), encoding="utf-8")
    whole = minutes or float(sum(texts.minutes for texts in chosen))
    progress.exam = state.Exam(exercises=[texts.number for texts in chosen], started=state.now(), minutes=whole)
    state.write(folder, progress)
    out.print(f"The clock runs: {whole:g} minutes for")
    for texts in chosen:
        out.print(show.task_view(texts, place / texts.file))
    out.print(Text("glassformer learn exam checks it, as often as you like.", style="dim"))


def with_the_courses_answers(text: str) -> str:
    """A task that builds on earlier ones takes them from the course: an exam is about one exercise at a time."""
    return re.sub(
        r"^from e\d\d_\w+ import ([^#\n]*\w).*$", r"from glassformer.learn.answers import \1", text, flags=re.MULTILINE
    )


def check(folder: Path, running: state.Exam) -> dict[str, Verdict]:
    """Verdicts by number; what passes in time is noted in the exam."""
    verdicts: dict[str, Verdict] = {}
    in_time = running.seconds_left > 0
    exercises = [find(number) for number in running.exercises]
    for texts, verdict in zip(exercises, check_each(exercises, folder / FOLDER), strict=True):
        verdicts[texts.number] = verdict
        if verdict.outcome == "passed" and in_time:
            running.passed.setdefault(texts.number, state.now())
    return verdicts


def report(running: state.Exam, verdicts: dict[str, Verdict], *, over: bool) -> None:
    """Each exercise; after those that passed the questions that follow, with what a good answer holds at the end."""
    for number, verdict in verdicts.items():
        texts = find(number)
        out.print(show.verdict_view(verdict, texts, whole=over, names=over))
        if number in running.passed:
            for follow_up in texts.follow_ups:
                show.prose(Text.assemble(("  next question  ", "bold"), follow_up.question))
                if over:
                    for point in follow_up.rubric:
                        show.prose(f"                 ☐ {point}")
        elif verdict.outcome == "passed":
            out.print(Text("  right, but after the time was up", style="yellow"))
        out.print()
    out.print(show.clock(running))
    out.print(f"{len(running.passed)} of {len(running.exercises)} in time.")
    if over:
        out.print(Text("The exam is over. Say each answer aloud, then tick what it held.", style="bold"))
    else:
        out.print(Text("Answer the questions aloud; what a good answer holds is shown at the end.", style="dim"))
