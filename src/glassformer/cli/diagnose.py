"""`glassformer diagnose`: a model of anybody's making, asked what only a right one answers rightly."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from glassformer.cli.common import AsJson, Device, Threads, err, out, print_json, use_machine

if TYPE_CHECKING:
    from glassformer.learn.diagnose import Finding, Report

FOUND, NOT_CHECKED = 1, 3  # exit codes; 2 is the user's mistake, 0 no finding


def diagnose(
    place: Annotated[
        str,
        typer.Argument(
            metavar="FILE.py:build", help="Your file, and the function in it that returns the model. It is executed."
        ),
    ],
    pad_idx: Annotated[int | None, typer.Option(help="The padding id of both sides.")] = None,
    src_pad_idx: Annotated[int | None, typer.Option(help="The source's padding id.")] = None,
    trg_pad_idx: Annotated[int | None, typer.Option(help="The target's padding id.")] = None,
    start_idx: Annotated[int | None, typer.Option(help="The id that begins a target.")] = None,
    end_idx: Annotated[int | None, typer.Option(help="The id that ends a target.")] = None,
    src_vocab_size: Annotated[int | None, typer.Option(help="Ids of the source's vocabulary.")] = None,
    trg_vocab_size: Annotated[int | None, typer.Option(help="Ids of the target's vocabulary.")] = None,
    max_length: Annotated[int | None, typer.Option(help="The longest sentence it can take, in tokens.")] = None,
    length_first: Annotated[
        bool, typer.Option("--length-first", help="It takes (length, batch) instead of (batch, length).")
    ] = False,
    as_json: AsJson = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Find the mistakes in your own encoder-decoder, each with a witness: the smallest counterexample, measured.

    Write a file with a function that returns the model, and name both:

        # mine.py
        def build():
            return MyTransformer(src_vocab_size=100, trg_vocab_size=120)

        glassformer diagnose mine.py:build

    Your file is executed, and nothing else of yours is touched. The call is found by itself where it is
    model(src, trg), nn.Transformer's, or Hugging Face's; what was guessed is printed. build() may also return
    (model, Adapter(call=..., src_pad_idx=...)) with `from glassformer.learn.diagnose import Adapter`. A function
    loss(model, src, trg) in the file is examined too: the shift, the padding, the smoothing.

    Exit codes: 0 nothing found, 1 findings, 2 a mistake in the command or the file, 3 the model could not be called.
    """
    machine = use_machine(device, threads)
    from glassformer.learn.diagnose import CannotCall, load_build
    from glassformer.learn.diagnose import diagnose as examine

    built = load_build(place)
    adapter = built.adapter.updated(
        src_pad_idx=pad_idx if src_pad_idx is None else src_pad_idx,
        trg_pad_idx=pad_idx if trg_pad_idx is None else trg_pad_idx,
        start_idx=start_idx,
        end_idx=end_idx,
        src_vocab_size=src_vocab_size,
        trg_vocab_size=trg_vocab_size,
        max_length=max_length,
        batch_first=False if length_first else None,
    )
    try:
        with asking() as progress:
            report = examine(built.model.to(machine), adapter, loss=built.loss, progress=progress)
    except CannotCall as error:
        if as_json:
            print_json({"could_not_be_checked": str(error)})
        err.print("[bold yellow]could not be checked:[/] ", end="")
        err.print(str(error), markup=False)
        raise typer.Exit(NOT_CHECKED) from None
    if as_json:
        print_json(report.to_dict())
    else:
        show(report)
    if report.findings:
        raise typer.Exit(FOUND)


@contextmanager
def asking() -> Iterator[Callable[[int, int, str], None]]:
    """A bar over the checks; it leaves nothing behind."""
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.completed} of {task.total}"), BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("looking at the model")

        def progress(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=name)

        yield progress


def show(report: "Report") -> None:
    """Findings first, then what is worth knowing, what held, and what nobody could see."""
    from rich.markup import escape

    from glassformer.learn.diagnose import not_visible

    for line in report.called:
        out.print(line, style="dim", markup=False)
    for number, finding in enumerate(report.findings, start=1):
        out.print(f"\n[bold red]{number}. {finding.name}[/]  [bold]{escape(finding.title)}[/]")
        rows(finding)
    count = len(report.findings)
    if count:
        out.print(f"\n[bold red]{count} finding{'s' * (count > 1)}.[/] The first is the likeliest cause of the others.")
    else:
        out.print("\n[bold green]No finding.[/]")
    if report.notes:
        out.print("\n[bold]Worth knowing[/]")
        for note in report.notes:
            out.print(f"  {note.name}: {note.text}", markup=False)
    out.print(f"\n[bold]Held[/] {len(report.held)}: {', '.join(report.held)}")
    if report.unchecked:
        out.print("\n[bold]Not checked[/]")
        for each in report.unchecked:
            out.print(f"  {each.check}: {each.why}", markup=False)
    hidden = ", ".join(map(str, not_visible()))
    out.print(f"\nNot visible in behaviour: rows {hidden} of the confusions; see glassformer why N.", style="dim")


def rows(finding: "Finding") -> None:
    """What was measured, what it means, where others met it, what to do next."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    why = "" if finding.row is None else f", and glassformer why {finding.row}"
    table = Table.grid(padding=(0, 2))
    for label, text in (
        ("measured", finding.witness),
        ("means", finding.meaning),
        ("met by", finding.thread),
        ("train it", f"glassformer learn run {finding.exercise}{why}"),
    ):
        table.add_row(f"[dim]{label}[/]", Text(text))
    out.print(Padding(table, (0, 0, 0, 3)), soft_wrap=False)
