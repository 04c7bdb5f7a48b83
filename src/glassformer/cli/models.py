"""`glassformer models`: the trained models that ship, and the card of each."""

from pathlib import Path
from typing import Annotated, Any

import typer

from glassformer.cli.common import AsJson, out, print_json
from glassformer.errors import UserError, unknown_name

EMPTY = (
    "no model ships with this package. Train one (glassformer train pronounce), and give its folder to the other "
    "commands (glassformer translate runs/pronounce)."
)


def models(
    name: Annotated[str | None, typer.Argument(help="One of them: print its card.")] = None, as_json: AsJson = False
) -> None:
    """List the trained models inside the package: what each does, its size, its scores, its licence.

    Every command that takes a model takes these names: glassformer translate pronounce. With a name, print that
    model's card: its data, its training, its scores with the command that gives them, what it cannot do, and examples
    of what it answers, right or wrong.
    """
    from glassformer.checkpoint import shipped
    from glassformer.runs.card import read_card

    shelf = shipped()
    if name is not None and name not in shelf:
        raise unknown_name("model that ships", name, shelf) if shelf else UserError(EMPTY)
    if as_json:
        print_json([facts(each, shelf[each]) for each in shelf] if name is None else facts(name, shelf[name]))
    elif name is not None:
        show_card(read_card(shelf[name]).text)
    elif shelf:
        show_table([facts(each, folder) for each, folder in shelf.items()])
    else:
        out.print(EMPTY, markup=False)


def facts(name: str, folder: Path) -> dict[str, Any]:
    """What is known of a model that ships, as plain values."""
    from dataclasses import asdict

    from glassformer.runs.card import read_card
    from glassformer.runs.shelf import folder_bytes

    card = asdict(read_card(folder))
    del card["text"]
    return {"name": name} | card | {"bytes": folder_bytes(folder), "folder": str(folder)}


def show_table(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table("name", "what it does", box=None, header_style="dim", pad_edge=False)
    table.add_column("parameters", justify="right")
    table.add_column("size", justify="right")
    table.add_column("score")
    table.add_column("licence")
    for row in rows:
        scores = ", ".join(f"{score['name']} {score['value']:.2f}" for score in row["scores"])
        size = f"{row['bytes'] / 1e6:.1f} MB"
        table.add_row(row["name"], row["does"], f"{row['parameters']:,}", size, scores, row["licence"])
    out.print(table)


def show_card(text: str) -> None:
    """Drawn on a terminal, as it is in a pipe."""
    from rich.markdown import Markdown

    if out.is_terminal:
        out.print(Markdown(text), soft_wrap=False)
    else:
        print(text, end="")
