"""`glassformer shapes`: the tensor-shape summary of a live forward pass."""

from pathlib import Path
from typing import Annotated

import typer

from glassformer.cli.common import AsJson, Device, Model, Threads, err, open_model, out, print_json, use_machine


def shapes(
    model: Model,
    sentence: Annotated[str, typer.Argument(help="The source sentence to send through it.")],
    target: Annotated[str | None, typer.Option(help="The target it reads. Default: its own greedy answer.")] = None,
    all_layers: Annotated[bool, typer.Option("--all-layers", help="Every layer, not the first of each stack.")] = False,
    file: Annotated[Path | None, typer.Option("--out", help="Write a file instead: .svg, .html or .txt.")] = None,
    as_json: AsJson = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Show every named tensor of one forward pass: its axes in letters, its sizes, and the line that makes it."""
    machine = use_machine(device, threads)
    from glassformer.look import ShapeTable, shape_rows
    from glassformer.look.files import check_ending, save_drawing
    from glassformer.runs.looking import look_at

    if file is not None:
        check_ending(file)
    loaded = open_model(model, machine)
    sight = look_at(loaded.model, loaded.vocabularies, sentence, target)
    if as_json:
        print_json(shape_rows(sight.seen, every_layer=all_layers))
        return
    table = ShapeTable(sight.seen, every_layer=all_layers, src_pieces=sight.src_pieces, trg_pieces=sight.trg_pieces)
    if file is None:
        out.print(table)
        return
    save_drawing(table, file, title=f"Shapes: {sentence}")
    err.print(f"wrote {file}", markup=False)
