"""`glassformer learn ...`: the course's commands. Without one, it watches the files and checks what is saved."""

import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from glassformer.cli.common import AsJson, Command, err, out, print_json
from glassformer.cli.learn import debug, exam, show
from glassformer.errors import UserError
from glassformer.learn import progress as state
from glassformer.learn.checker.runner import Child, check_each, check_with
from glassformer.learn.checker.verdict import EXIT_CODES, Verdict, exit_code
from glassformer.learn.course import course, find, solution
from glassformer.learn.exercise import Texts

Exercise = Annotated[str | None, typer.Argument(help="Its number, name or file. Default: the one at hand.")]
Here = Annotated[Path, typer.Option("--dir", help="The course's folder, or one inside it.", file_okay=False)]

app = typer.Typer(
    invoke_without_command=True,
    help="Twenty exercises from softmax to beam search. Write each function into its file; the checker says which "
    "known mistake it makes, with the smallest example that shows it.\n\n"
    "Start with [bold]glassformer learn init my-transformer[/bold], go into that folder, and leave "
    "[bold]glassformer learn[/bold] running beside your editor: it checks whatever you save.\n\n"
    "Exit codes of run and check-all: 0 passed, 1 wrong, 2 not started (or a wrong command), 3 could not be checked.",
)
command = partial(app.command, cls=Command)


@app.callback()
def learn(context: typer.Context) -> None:
    if context.invoked_subcommand is not None:
        return
    folder, progress = opened(Path.cwd())
    if sys.stdin.isatty() and sys.stdout.isatty():
        from glassformer.cli.learn.watch import Watch

        watch = Watch(folder)
        try:
            watch.run()
        finally:
            watch.child.close()
    else:  # no keys to press: check what is at hand, once
        check_one(folder, find(progress.current), as_json=False)


def opened(start: Path) -> tuple[Path, state.Progress]:
    """The course's folder and its state; says where a state could not be read."""
    folder = state.find_course(start.resolve())
    progress, word = state.read(folder)
    if word:
        err.print(f"[yellow]warning:[/] {word}")
    return folder, progress


@command("init")
def init(
    folder: Annotated[Path, typer.Argument(help="A new folder for your answers.", file_okay=False)],
) -> None:
    """Begin the course: a folder with a file for each exercise."""
    files = state.begin(folder)
    out.print(f"{len(files)} exercises in {folder}, about {sum(texts.minutes for texts in course()) / 60:.0f} hours.")
    out.print(f"\n  cd {folder}\n  glassformer learn\n", style="bold", markup=False)
    out.print(f"Open {files[0].name} in your editor; each time you save, it is checked.")


@command("run")
def run(exercise: Exercise = None, folder: Here = Path(), as_json: AsJson = False) -> None:
    """Check one exercise, once."""
    place, progress = opened(folder)
    check_one(place, find(exercise or progress.current), as_json=as_json)


def check_one(folder: Path, texts: Texts, *, as_json: bool) -> None:
    """Check, remember, say, and leave with the outcome's exit code."""
    verdict = checked(folder, texts)
    if as_json:
        print_json({"number": texts.number, **verdict.to_dict()})
    else:
        if verdict.outcome == "not started":
            out.print(show.task_view(texts, folder / texts.file))
        out.print(show.verdict_view(verdict, texts))
        out.print(show.next_steps(verdict, texts))
        out.print(show.bar(state.read(folder)[0]))
    raise typer.Exit(EXIT_CODES[verdict.outcome])


def checked(folder: Path, texts: Texts) -> Verdict:
    """The verdict on one exercise, noted in the state."""
    with ExitStack() as opened_here:
        if err.is_terminal:
            opened_here.enter_context(err.status(f"checking {texts.file} ..."))
        child = opened_here.enter_context(Child(texts))
        verdict = check_with(child, texts, folder)
    progress = note(folder, texts, verdict)
    following = progress.next_open(after=texts.number) if verdict.outcome == "passed" else None
    progress.current = (following or texts).number
    state.write(folder, progress)
    return verdict


def note(folder: Path, texts: Texts, verdict: Verdict) -> state.Progress:
    """Write a verdict down; the exercise at hand stays the one at hand."""
    progress = state.read(folder)[0]
    progress.note(texts, verdict.outcome)
    state.write(folder, progress)
    return progress


@command("check-all")
def check_all(folder: Here = Path(), as_json: AsJson = False) -> None:
    """Check every exercise, and say how far the course is."""
    place, _ = opened(folder)
    verdicts = check_every_exercise(place, quiet=as_json)
    if as_json:
        print_json([{"number": find(verdict.exercise).number, **verdict.to_dict()} for verdict in verdicts])
    raise typer.Exit(exit_code(verdict.outcome for verdict in verdicts))


def check_every_exercise(folder: Path, *, quiet: bool = False) -> list[Verdict]:
    """All verdicts in order, each shown as a line as soon as it is there."""
    verdicts: list[Verdict] = []
    for texts, verdict in zip(course(), check_each(course(), folder), strict=True):
        note(folder, texts, verdict)
        verdicts.append(verdict)
        if not quiet:
            said = Text(f"{texts.number} {texts.name:<18}")
            said.append(f"{verdict.outcome:<12}", style=show.COLOURS[verdict.outcome])
            said.append("" if verdict.outcome in ("passed", "not started") else verdict.headline)
            out.print(said)
    if not quiet:
        out.print(show.bar(state.read(folder)[0]))
    return verdicts


@command("list")
def list_exercises(folder: Here = Path(), as_json: AsJson = False) -> None:
    """The exercises, what each takes, and which of them you have done."""
    _, progress = opened(folder)
    if as_json:
        print_json(state.as_dict(progress, course()))
    else:
        out.print(show.list_view(progress))


@command("hint")
def hint(
    exercise: Exercise = None,
    number: Annotated[int | None, typer.Option("--number", help="Which hint. Default: the next one.", min=1)] = None,
    folder: Here = Path(),
) -> None:
    """One hint more, from a nudge to nearly the code."""
    place, progress = opened(folder)
    texts = find(exercise or progress.current)
    if number is not None and number > len(texts.hints):
        raise UserError(f"exercise {texts.number} has {len(texts.hints)} hints: --number 1 to {len(texts.hints)}.")
    all_seen = number is None and progress.hints.get(texts.number, 0) == len(texts.hints)
    shown = number or progress.one_more_hint(texts)
    state.write(place, progress)
    show.prose(Text.assemble((f"hint {shown} of {len(texts.hints)}  ", "bold"), texts.hints[shown - 1]))
    if all_seen:
        out.print(Text(f"That was the last one. glassformer learn solution {texts.number} --give-up", style="dim"))


@command("explain")
def explain(exercise: Exercise = None, folder: Here = Path(), as_json: AsJson = False) -> None:
    """Check again and say everything: the example, the formulas, the symptom, where to look; then why it is so."""
    place, progress = opened(folder)
    texts = find(exercise or progress.current)
    verdict = checked(place, texts)
    if as_json:
        print_json({"number": texts.number, **verdict.to_dict(), "explanation": texts.explanation})
        return
    out.print(show.verdict_view(verdict, texts, whole=True))
    out.print()
    show.prose(texts.explanation)
    out.print(Text(f"glassformer learn hint {texts.number}", style="dim"))


@command("reset")
def reset(exercise: Annotated[str, typer.Argument(help="Its number, name or file.")], folder: Here = Path()) -> None:
    """Put an exercise's file back as it was at the start. Yours is kept beside it."""
    place, progress = opened(folder)
    texts = find(exercise)
    kept = state.reset(place, texts)
    progress.passed.pop(texts.number, None)
    state.write(place, progress)
    out.print(f"{texts.file} is as it was at the start." + (f" Yours is in {kept.name}." if kept else ""), markup=False)


@command("solution")
def show_solution(
    exercise: Exercise = None,
    give_up: Annotated[bool, typer.Option("--give-up", help="Show it although yours has not passed.")] = False,
    folder: Here = Path(),
) -> None:
    """The solution, once yours has passed, to compare; or with --give-up, which is noted."""
    place, progress = opened(folder)
    texts = find(exercise or progress.current)
    if texts.number not in progress.passed:
        if not give_up:
            raise UserError(
                f"exercise {texts.number} has not passed yet. `glassformer learn hint {texts.number}` helps on; "
                f"`glassformer learn solution {texts.number} --give-up` shows the solution all the same."
            )
        if texts.number not in progress.gave_up:
            progress.gave_up.append(texts.number)
            state.write(place, progress)
    from rich.syntax import Syntax

    out.print(Syntax(solution(texts), "python", background_color="default") if out.is_terminal else solution(texts))


command("exam")(exam.exam)
command("debug")(debug.debug)
