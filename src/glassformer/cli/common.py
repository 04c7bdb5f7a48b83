"""What every command shares: the machine options, the consoles, and how a model is opened."""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperCommand

from glassformer.errors import UserError

if TYPE_CHECKING:
    import torch

    from glassformer.checkpoint import Loaded
    from glassformer.data import DataSet
    from glassformer.data.text import Source

# Answers go to standard output, everything said about them to standard error, so that pipes stay clean.
out = Console(highlight=False, soft_wrap=True)
# Of many processes under torchrun only the first one speaks.
err = Console(stderr=True, highlight=False, soft_wrap=True, quiet=os.environ.get("RANK", "0") != "0")

Device = Annotated[str, typer.Option(help="Where to compute: auto (cuda, then mps, then cpu), cpu, cuda, cuda:1, mps.")]
Threads = Annotated[int | None, typer.Option(help="CPU threads. Default: the cores this process may use.", min=1)]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder that holds the data sets already. Default: $GLASSFORMER_DATA; else they are downloaded."),
]
MODEL_HELP = (
    "A trained model: a folder (a run's, or one of its checkpoints), or the name of one that ships, see glassformer "
    "models. What lies here under that name comes first; a word with a slash is always a folder."
)
Model = Annotated[str, typer.Argument(help=MODEL_HELP)]
Src = Annotated[Path | None, typer.Option(help="Your own text: source sentences, one a line (.gz too).")]
Trg = Annotated[Path | None, typer.Option(help="Their translations, line for line.")]
InTsv = Annotated[Path | None, typer.Option(help="Instead of --src and --trg: one file, source TAB target.")]
InJsonl = Annotated[Path | None, typer.Option(help='Instead: one {"source": ..., "target": ...} a line.')]
AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable JSON instead.")]


class Command(TyperCommand):
    """A command whose help fills the lines of the terminal; typer by itself keeps the ends of a docstring's lines."""

    def __init__(self, name: str | None, *, help: str | None = None, **rest: Any) -> None:
        # Only between words: what is indented, as code is, keeps its lines.
        super().__init__(name, help=re.sub(r"(?<=\S)\n(?=\S)", " ", help or ""), **rest)


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_machine(device: str, threads: int | None, *, processes: int = 1) -> "torch.device":
    """Choose device and threads (of each of so many processes), and say so in one line."""
    import torch

    processes = max(processes, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    torch.set_num_threads(threads or max(1, cores() // processes))
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen).item()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"--device {device} cannot be used here ({reason}). Try --device auto or --device cpu."
        ) from error
    if chosen.type == "cuda":
        err.print(f"device: {chosen} ({torch.cuda.get_device_name(chosen)})")
    else:
        err.print(f"device: {chosen} ({torch.get_num_threads()} threads)")
    return chosen


@contextmanager
def plain_warnings() -> Iterator[None]:
    """What the block warns of, each once and as a line of its own."""
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        err.print(f"[yellow]warning:[/] {escape(message)}")


def open_model(model: str | Path, device: "torch.device") -> "Loaded":
    """Load a trained model, by its folder or its shipped name, ready to answer."""
    from glassformer.checkpoint import load

    with plain_warnings():
        loaded = load(model, device=device)
    if fault := loaded.config.run.get("fault"):
        err.print(f"[yellow]note:[/] it was trained with the fault {fault}; here it computes without it.")
    return loaded


def duration(seconds: float) -> str:
    """Hours, minutes and seconds the way a clock shows them."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextmanager
def reading_bar() -> Iterator[Callable[[str, int, int | None], None]]:
    """A progress bar for what is downloaded, read or encoded; it leaves nothing behind."""
    from rich.progress import BarColumn, Progress, TaskID, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,} of {task.total:,}"))
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def progress(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total or 0)
            bar.update(tasks[what], completed=done, total=total or done)

        yield progress


def open_data(name: str, data_dir: Path | None) -> "DataSet":
    """A named data set, with a bar while it is downloaded."""
    from glassformer.data import open_dataset

    with reading_bar() as progress:
        return open_dataset(name, data_dir=data_dir, progress=progress)


def own_pairs(src: Path | None, trg: Path | None, tsv: Path | None, jsonl: Path | None) -> "Source | None":
    """The user's own sentence pairs, in whichever form they were given; None where they were not."""
    from glassformer.data import Jsonl, Tsv, TwoFiles

    if bool(src) != bool(trg):
        raise UserError("--src and --trg go together: line i of each must be the same sentence.")
    if sum(map(bool, (src, tsv, jsonl))) > 1:
        raise UserError("give one source of pairs: --src and --trg, or --tsv, or --jsonl.")
    if src and trg:
        return TwoFiles(src, trg)
    return Tsv(tsv) if tsv else Jsonl(jsonl) if jsonl else None


def print_json(value: Any) -> None:
    """One JSON document on standard output, not wrapped and not coloured."""
    print(json.dumps(value, ensure_ascii=False))
