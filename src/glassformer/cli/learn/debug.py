"""`glassformer learn debug`: systems with a planted fault. Name the fault, and prove it with one expression."""

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from glassformer.cli.common import AsJson, out, print_json
from glassformer.cli.learn.show import COLOURS, path_view, prose
from glassformer.errors import UserError
from glassformer.learn import progress as state
from glassformer.learn.checker.runner import Child
from glassformer.learn.checker.verdict import EXIT_CODES

if TYPE_CHECKING:
    from glassformer.learn.debug.case import Case

SECONDS = 30  # for a probe, or the learner's test over all models
WIDTH, HEIGHT = 60, 6  # characters of a curve
TEST = "d10_test.py"


def debug(
    case: Annotated[str | None, typer.Argument(help="D1 to D10; D9a to D9d are four. Default: list them.")] = None,
    answer: Annotated[str | None, typer.Option(help="The fault's name.")] = None,
    probe: Annotated[str | None, typer.Option(help="An expression, True because of the fault.")] = None,
    hint: Annotated[int | None, typer.Option(help="Show hint 1, 2 or 3.", min=1, max=3)] = None,
    explain: Annotated[bool, typer.Option("--explain", help="After solving: what it was.")] = False,
    solution: Annotated[bool, typer.Option("--solution", help="Show the answer.")] = False,
    names: Annotated[bool, typer.Option("--names", help="List all names of faults that can be answered.")] = False,
    directory: Annotated[Path, typer.Option("--dir", help="The course's folder.", file_okay=False)] = Path(),
    as_json: AsJson = False,
) -> None:
    """Find a planted fault from curves, scores and a console; D10 is reversed: you write the test that finds it.

    In a terminal, `glassformer learn debug D1` shows the case and opens a Python console on it. Answer there with
    answer("name", "probe"), or from the shell: glassformer learn debug D1 --answer NAME --probe "EXPRESSION".
    """
    from glassformer.learn.debug.cases import find_case

    if names:
        say_names()
    elif case is None:
        list_cases(directory)
    else:
        chosen = find_case(case)
        if hint is not None:
            prose(chosen.hints[hint - 1])
        elif solution:
            show_solution(chosen)
        elif explain:
            show_explanation(chosen, directory)
        elif chosen.solution is None:
            raise typer.Exit(check_own_test(directory, chosen, as_json=as_json))
        elif answer is not None or probe is not None:
            raise typer.Exit(check_answer(directory, chosen, answer or "", probe or "", as_json=as_json))
        elif as_json:
            print_json(as_dict(chosen))
        else:
            show_case(chosen)
            if sys.stdin.isatty() and sys.stdout.isatty():
                open_console(directory, chosen)


def say_names() -> None:
    from glassformer.learn.debug.faults import fault_names

    out.print(Text("\n".join(fault_names())))


def list_cases(directory: Path) -> None:
    """All cases, and which are solved where a course is at hand."""
    from glassformer.learn.debug.cases import CASES

    try:
        solved = state.read(state.find_course(directory.resolve()))[0].solved
    except UserError:  # the cases can be looked at without a course
        solved = {}
    table = Table.grid(padding=(0, 2))
    for number, case in CASES.items():
        table.add_row(Text("✓" if number in solved else " ", style="green"), number, case.title)
    out.print(table)
    out.print(Text("glassformer learn debug D1 opens the first.", style="dim"))


def show_case(case: "Case") -> None:
    """The story, what was measured, the question, and the names of the console."""
    from glassformer.learn.debug.cases import healthy

    prose(Text.assemble((f"{case.number}  {case.title}\n", "bold"), case.story))
    given = case.given
    if given is not None:
        show_curves(given.curves)
        rows = Table(box=None, header_style="dim", pad_edge=False)
        for column in ("score", "this system", "the right one"):
            rows.add_column(column, justify="left" if column == "score" else "right")
        right = healthy().scores
        for name, value in given.scores.items():
            rows.add_row(name.replace("_", " "), f"{value:.4g}", f"{right[name]:.4g}" if name in right else "")
        out.print(rows)
    out.print()
    prose(Text(case.ask, style="bold"))
    for name, says in case.names.items():
        out.print(Text(f"  {name:<9}{says}"))
    out.print(
        Text(f'glassformer learn debug {case.number} --answer NAME --probe "EXPRESSION" · --hint 1 · --names', "dim")
    )


def show_curves(curves: dict[str, list[float]]) -> None:
    """Every curve over the updates."""
    from glassformer.learn.debug.curves import curve_lines

    steps = curves["step"]
    for name, curve in curves.items():
        if name == "step":
            continue
        finite = [point for point in curve if math.isfinite(point)]
        top = f"{max(finite):.3g}" if finite else "NaN"
        out.print()
        for place, line in enumerate(curve_lines(curve, WIDTH, HEIGHT)):
            label = top if place == 0 else "0" if place == HEIGHT - 1 else ""
            out.print(Text.assemble((f"{label:>8} ", "dim"), (line, "cyan"), f"  {name}" if place == 0 else ""))
        last = f"{curve[-1]:.4g}"
        out.print(Text(f"{'':>9}update 0 to {steps[-1]:.0f}; at the end {last}", style="dim"))


def open_console(directory: Path, case: "Case") -> None:
    """A Python console with the case's names, and answer(...)."""
    import code

    from glassformer.learn.debug.cases import console_banner
    from glassformer.learn.debug.check import open_case

    with out.status("opening the console ..."):
        names: dict[str, Any] = dict(open_case(case.number).names)

    def answer(name: str = "", probe: str = "") -> None:
        """answer("name of the fault", "probe"): judge it."""
        check_answer(directory, case, name, probe, as_json=False)

    names["answer"] = answer
    banner = f'{console_banner(case)}\n  answer("name", "probe") judges your answer; Ctrl-D or exit() leaves.'
    code.interact(banner=banner, local=names, exitmsg="")


def check_answer(directory: Path, case: "Case", name: str, probe: str, *, as_json: bool) -> int:
    """Judge an answer in a process of its own; the exit code."""
    job = {"kind": "probe", "case": case.number, "name": name, "probe": probe, "seconds": SECONDS}
    return say_verdict(directory, case, asked(job), as_json=as_json)


def check_own_test(directory: Path, case: "Case", *, as_json: bool) -> int:
    """D10: lay out the learner's file if it is not there yet, or judge it."""
    from glassformer.learn.debug.own_test import task

    folder = state.find_course(directory.resolve())
    file = folder / TEST
    if not file.exists():
        file.write_text(task(), encoding="utf-8")
    if not as_json:
        prose(Text.assemble((f"{case.number}  {case.title}\n", "bold"), case.story))
        out.print(path_view(file))
    job = {"kind": "own test", "file": str(file), "folder": str(folder), "seconds": SECONDS}
    return say_verdict(directory, case, asked(job), as_json=as_json)


def asked(job: dict[str, Any]) -> dict[str, Any]:
    with Child() as child:
        told = child.ask(job)
    return told or {"outcome": "not checked", "messages": ["The process that was to check it ended without an answer."]}


def say_verdict(directory: Path, case: "Case", told: dict[str, Any], *, as_json: bool) -> int:
    """Show what was found, note what is solved."""
    outcome = told["outcome"]
    messages = told.get("messages") or [told["headline"], *told.get("details", ())]
    if outcome == "passed":
        note(directory, case)
    if as_json:
        print_json({"case": case.number, "outcome": outcome, "messages": messages})
    else:
        out.print(Text.assemble((f"{case.number}: ", "bold"), (outcome, f"bold {COLOURS[outcome]}")))
        for message in messages:
            prose(f"  {message}")
        if outcome == "passed":
            out.print(Text(f"glassformer learn debug {case.number} --explain", style="dim"))
    return EXIT_CODES[outcome]


def note(directory: Path, case: "Case") -> None:
    """Remember a solved case, where there is a course to remember it in."""
    try:
        folder = state.find_course(directory.resolve())
    except UserError:
        return
    progress, _ = state.read(folder)
    progress.solved.setdefault(case.number, state.now())
    state.write(folder, progress)


def show_explanation(case: "Case", directory: Path) -> None:
    """What the fault was; only once it is found."""
    progress, _ = state.read(state.find_course(directory.resolve()))
    if case.number not in progress.solved:
        raise UserError(
            f"{case.number} is not solved yet: --explain would give it away. --hint 1 helps on; --solution shows all."
        )
    prose(case.explanation)
    out.print(Text(f"others met it: {case.thread} · exercise {case.exercise} trains it", style="dim"))


def show_solution(case: "Case") -> None:
    from glassformer.learn.debug.own_test import solution

    if case.solution is None:
        out.print(Text(solution()))
    else:
        out.print(Text(f"{case.solution.name}\n{case.solution.probe}\n\n{case.explanation}"))


def as_dict(case: "Case") -> dict[str, Any]:
    given = case.given
    return {
        "case": case.number,
        "title": case.title,
        "story": case.story,
        "ask": case.ask,
        "names": case.names,
        "curves": given.curves if given else {},
        "scores": given.scores if given else {},
    }
