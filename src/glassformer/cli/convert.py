"""`glassformer convert`: other people's weights in, ours out in their formats."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassformer.cli.common import out
from glassformer.errors import UserError

if TYPE_CHECKING:
    from glassformer.exchange.imported import Imported

SHOWN = 6  # lines of the map, unless all are asked for
WEIGHTS = "What weights cannot say"
YES_OR_NO = f"{WEIGHTS}: yes or no"  # apart, as two long names in one row leave the whole panel no room for words


def told(meaning: str, **limits: Any) -> Any:
    return typer.Option(help=meaning, rich_help_panel=WEIGHTS, **limits)


def convert(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="The file of weights, the model's folder, or a shipped model's name.")
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The new folder to write.")],
    form: Annotated[
        str | None,
        typer.Option("--from", help="origin, torch, ctranslate2, marian, joeynmt, glassformer. Default: seen from IN."),
    ] = None,
    to: Annotated[str, typer.Option(help="glassformer, torch, marian, ctranslate2, onnx.")] = "glassformer",
    heads: Annotated[int | None, told("Attention heads.", min=1)] = None,
    norm: Annotated[str | None, told("post or pre.")] = None,
    activation: Annotated[str | None, told("relu, gelu or silu.")] = None,
    positions: Annotated[str | None, told("sinusoidal or none, where the file has no table.")] = None,
    max_length: Annotated[int | None, told("The longest sentence, in tokens.", min=1)] = None,
    scale_embeddings: Annotated[
        bool | None, typer.Option(help="Embeddings times sqrt(embed_size), or not.", rich_help_panel=YES_OR_NO)
    ] = None,
    divide_by: Annotated[str | None, told("Scores are divided by the root of: embed_size or head_dim.")] = None,
    src_pad: Annotated[int | None, told("The source's padding id.")] = None,
    trg_pad: Annotated[int | None, told("The target's padding id.")] = None,
    start: Annotated[int | None, told("The id that begins a target.")] = None,
    end: Annotated[int | None, told("The id that ends a target, and a source.")] = None,
    src_start: Annotated[int | None, told("The id that begins a source, if one does.")] = None,
    src_end: Annotated[int | None, told("The id that ends a source, if it is another one than --end.")] = None,
    src_vocab: Annotated[Path | None, told("The source's tokens: a tokenizer.json, or text with one a line.")] = None,
    trg_vocab: Annotated[Path | None, told("The target's tokens.")] = None,
    names: Annotated[list[str] | None, told("part=name of a tensor, where it is not seen. Repeat it.")] = None,
    key: Annotated[str | None, told("The dictionary of the weights inside the file.")] = None,
    leave: Annotated[
        list[str] | None, told("A tensor that computes nothing, and has no place in the model. Repeat it.")
    ] = None,
    quantization: Annotated[
        str | None,
        typer.Option(
            help="How --to ctranslate2 stores weights: int8, int16, float16, ... Default: float32, which keeps the "
            "answers; int8 changes many on a CPU without VNNI."
        ),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what became of every tensor.")] = False,
) -> None:
    """Convert a model: other people's weights in, or out into their formats.

    No foreign code runs: a file holds tensors, or is refused. What weights cannot say is seen where it can be, and
    else asked for by the name of its option. Without vocabularies the model's words are its ids: "5 12 7".
    """
    from glassformer.exchange import formats

    facts = facts_of(
        heads=heads, norm=norm, activation=activation, positions=positions, max_length=max_length,
        scale_embeddings=scale_embeddings, divide_by=divide_by, src_pad=src_pad, trg_pad=trg_pad, start=start,
        end=end, src_start=src_start, src_end=src_end, src_vocab=src_vocab, trg_vocab=trg_vocab,
        names=dict(map(parted, names or [])), key=key, leave=tuple(leave or ()),
    )  # fmt: skip
    if quantization and to != "ctranslate2":
        raise UserError(f"--quantization {quantization} is for --to ctranslate2 alone. Leave it out.")
    options = {"quantization": quantization} if quantization else {}
    imported, form = formats.convert(source, target, form, to, facts, **options)
    show(imported, verbose)
    out.print(f"wrote {target} ({to}, from {form})", markup=False)


def facts_of(**values: Any) -> Any:
    from glassformer.exchange.facts import Facts

    return Facts(**values)


def parted(text: str) -> tuple[str, str]:
    part, equals, name = text.partition("=")
    if not equals:
        raise UserError(f"--names {text!r} does not fit: write part=name, as in src_embedding=encoder.tokens.")
    return part, name


def show(imported: "Imported", verbose: bool) -> None:
    """What became of the tensors, what differs, and what was measured."""
    lines = [f"{theirs} -> {ours}" for theirs, ours in imported.names.items()]
    for line in lines if verbose else lines[:SHOWN]:
        out.print(line, markup=False)
    if len(lines) > SHOWN and not verbose:
        out.print(f"... and {len(lines) - SHOWN} more: --verbose", markup=False)
    for note in imported.notes:
        out.print(f"note: {note}", markup=False)
    if imported.measured:
        out.print(f"measured: {imported.measured}", markup=False)
