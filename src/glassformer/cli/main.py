"""`glassformer`: the commands, each in a file of its own name, and what happens when something goes wrong."""

import os
import sys
from functools import partial

import typer
from rich.console import Console
from rich.markup import escape

from glassformer import __version__
from glassformer.cli import (
    attention,
    compare,
    convert,
    demo,
    diagnose,
    evaluate,
    learn,
    look,
    masks,
    models,
    shapes,
    train,
    translate,
    why,
)
from glassformer.cli.common import Command
from glassformer.errors import UserError

app = typer.Typer(
    name="glassformer",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The Transformer, made of glass: train it, decode with it, and see every number on the way.\n\n"
    "Start with [bold]glassformer demo[/bold]: five minutes on two cores, nothing to download.",
)
command = partial(app.command, cls=Command)


def version(wanted: bool) -> None:
    if wanted:
        print(f"glassformer {__version__}")
        raise typer.Exit


@app.callback()
def root(
    show_version: bool = typer.Option(False, "--version", callback=version, is_eager=True, help="Print the version."),
) -> None:
    pass


command("demo")(demo.demo)
command("train", cls=train.TrainCommand)(train.train)
command("translate")(translate.translate)
command("evaluate")(evaluate.evaluate)
command("models")(models.models)
command("convert")(convert.convert)
command("compare")(compare.compare)
command("shapes")(shapes.shapes)
command("masks")(masks.masks)
command("attention")(attention.attention)
command("look")(look.look)
app.add_typer(learn.app, name="learn")
command("why")(why.why)
command("diagnose")(diagnose.diagnose)


def main() -> None:
    """The program: a user's mistake is one message and exit code 2, the machine's 1, Ctrl-C 130, a closed pipe none."""
    try:
        app()
    except UserError as error:
        Console(stderr=True).print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that closing stdout at exit is silent too
        sys.exit(0)
    except OSError as error:  # a full disk, a file that is a folder, no permission
        where = f"{error.filename}: " if error.filename else ""
        Console(stderr=True).print(f"[bold red]error:[/] {escape(f'{where}{error.strerror or error}')}", soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
