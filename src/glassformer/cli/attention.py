"""`glassformer attention`: who looks at whom in a trained model, and what each of its heads does."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassformer.cli.common import AsJson, Device, Model, Threads, err, open_model, out, print_json, use_machine
from glassformer.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from glassformer.look.attention import AttentionPicture
    from glassformer.look.seen import Seen

SHOWN = ("*.attention", "src_mask", "trg_mask")


def attention(
    model: Model,
    sentence: Annotated[str, typer.Argument(help="The source sentence to send through it.")],
    target: Annotated[str | None, typer.Option(help="The target it reads. Default: its own greedy answer.")] = None,
    part: Annotated[
        str,
        typer.Option(
            help="encoder: the source asks the source. decoder: the target asks the target so far. "
            "cross: the target asks the source."
        ),
    ] = "cross",
    layer: Annotated[str, typer.Option(help="A layer, counted from 0; or last, or all.")] = "last",
    head: Annotated[str, typer.Option(help="A head, counted from 0; or mean, or all.")] = "mean",
    heads: Annotated[bool, typer.Option("--heads", help="Only the statistics, of every head of the model.")] = False,
    file: Annotated[
        Path | None,
        typer.Option("--out", help="Write a file instead: .png or .svg (needs the extra plot), .html, .txt."),
    ] = None,
    as_json: AsJson = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Show attention weights with the words on both axes, and what each head does with them.

    Each row is a word that asks, each column a word that answers; a row adds up to 100 %. Below the map, a line for
    each head: the entropy of its rows in bits (0: one word; the most: all words alike), how far away it looks, its
    weight on the word before, on itself, on the word after, on the ends of the sentence and on padding (always 0,
    or the mask leaks), and a caption.

    A few things to try: --part decoder shows the triangle of the look-ahead mask; --layer all --head all every head
    at once; --heads what each is for; --out attention.svg a picture for a paper.
    """
    machine = use_machine(device, threads)
    from rich.console import Group

    from glassformer.look.attention import attention_drawing
    from glassformer.look.files import PICTURES, check_ending, save_drawing
    from glassformer.look.heads import HeadTable, head_statistics
    from glassformer.look.plot import attention_figure, heads_figure, wall_figure
    from glassformer.runs.looking import look_at

    if file is not None:
        check_ending(file, figure=PICTURES)
    loaded = open_model(model, machine)
    sight = look_at(loaded.model, loaded.vocabularies, sentence, target, only=SHOWN)
    rows = [] if heads else chosen_maps(sight.seen, part, layer, head, sight.src_pieces, sight.trg_pieces)
    pictures = [picture for row in rows for picture in row]
    shown = {picture.name for picture in pictures}
    statistics = [row for row in head_statistics(sight.seen) if heads or row.name in shown]
    if as_json:
        print_json(
            {
                "source": sight.src_pieces,
                "target": sight.trg_pieces,
                "maps": [picture.to_dict() for picture in pictures],
                "heads": [row.to_dict() for row in statistics],
            }
        )
        return
    drawings = [part for picture in pictures for part in (attention_drawing(picture), "")]
    drawing = Group(*drawings, HeadTable(statistics))
    if file is None:
        out.print(drawing)
        return

    def figure() -> "Figure":
        if heads:
            return heads_figure(statistics)
        return attention_figure(pictures[0]) if len(pictures) == 1 else wall_figure(rows)

    save_drawing(drawing, file, title=f"Attention: {sentence}", figures=dict.fromkeys(PICTURES, figure))
    err.print(f"wrote {file}", markup=False)


def chosen_maps(
    seen: "Seen", part: str, layer: str, head: str, src_pieces: list[str], trg_pieces: list[str]
) -> "list[list[AttentionPicture]]":
    """The maps that the options name, a row a layer; means of several layers stand in one row."""
    from glassformer.look.attention import attention_picture, attention_wall

    wanted = None if layer in ("last", "all") else number("layer", layer, "last or all")
    rows = attention_wall(seen, part, src_pieces, trg_pieces, layer=wanted)
    if layer == "last":
        rows = rows[-1:]
    if head == "all":
        return rows
    which = None if head == "mean" else number("head", head, "mean or all")
    return [[attention_picture(seen[row[0].name], row[0].rows, row[0].columns, head=which) for row in rows]]


def number(option: str, text: str, words: str) -> int:
    if not text.isdecimal():
        raise UserError(f"--{option} {text} is no {option}: give its number, counted from 0, or {words}.")
    return int(text)
