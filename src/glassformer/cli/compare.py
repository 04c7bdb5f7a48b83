"""`glassformer compare`: two models side by side."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassformer.cli.common import AsJson, open_model, out, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from glassformer.exchange.compare import Comparison
    from glassformer.model.transformer import Transformer

HELP = (
    "A trained model (a folder, or the name of one that ships), a preset (origin, base, big, tiny), or other people's "
    "code of the other side's sizes: torch (nn.Transformer), origin-code."
)
Side = Annotated[str, typer.Argument(help=HELP)]
VOCAB_HELP = "Entries of a preset's {} vocabulary. Default: the other side's where it is a trained model, else {}."


def compare(
    a: Side,
    b: Side,
    src_vocab_size: Annotated[int | None, typer.Option(help=VOCAB_HELP.format("source", "37000"), min=2)] = None,
    trg_vocab_size: Annotated[
        int | None, typer.Option(help=VOCAB_HELP.format("target", "the source's size"), min=2)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two models: parameters and FLOPs by part, formulas, logits and gradients with the same weights, entropy.

    Where both can carry the same weights, they get them, and the same random sentences. All is computed on the CPU in
    float64, from the same random state each time; vocabularies of presets are cut to 1,000 words for it.
    """
    from glassformer.exchange.compare import compare as compare_sides
    from glassformer.exchange.compare import find_sides

    sides = find_sides(a, b, src_vocab_size=src_vocab_size, trg_vocab_size=trg_vocab_size, open_model=opened)
    comparison = compare_sides(*sides)
    if as_json:
        print_json(comparison.to_dict())
    else:
        show(comparison)


def opened(word: str) -> "Transformer":
    import torch

    return open_model(word, torch.device("cpu")).model


def show(comparison: "Comparison") -> None:
    """Sizes, then what is computed otherwise, then what that does."""
    out.print(numbers(comparison), soft_wrap=False)
    if comparison.choices or comparison.formulas:
        out.print(words(comparison), soft_wrap=False)
    else:
        out.print("\nNo choice and no formula differs.")
    same, own = comparison.same_weights, comparison.own_weights
    if isinstance(same, str):
        out.print(f"\nThey cannot carry the same weights: {same}.", markup=False)
    else:
        code = comparison.kinds[comparison.names.index(same.carrier)] != "ours"
        translated = ", translated as glassformer convert does" if code else ""
        out.print(
            f"\nWith {same.carrier}'s weights in both{translated}:\n"
            f"logits differ by {same.logits:.2g} at most (the largest is {same.largest_logit:.2g}),\n"
            f"gradients of the loss by {same.gradients:.2g} (the largest is {same.largest_gradient:.2g}).",
            markup=False,
        )
    if own:
        out.print(
            f"Each with its own weights, logits differ by {own['logits']:.2g} (the largest is "
            f"{own['largest_logit']:.2g}).",
            markup=False,
        )


def numbers(comparison: "Comparison") -> "Table":
    """Parameters, FLOPs and entropies, a row each."""
    from rich.table import Table

    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("")
    for name, kind in zip(comparison.names, comparison.kinds, strict=True):
        table.add_column(name if kind == "ours" else f"{name} ({kind})", justify="right")
    table.add_column("", style="dim")
    section(table, "parameters")
    for part, pair in comparison.parameters.items():
        table.add_row(f"  {part}", *(f"{count:,}" for count in pair), times(*pair))
    section(table, f"FLOPs of a token, forward (training: x 3), {comparison.length} tokens on each side")
    for part, pair in comparison.flops.items():
        table.add_row(f"  {part}", *(f"{count:,}" for count in pair), times(*pair))
    section(table, f"entropy of attention at the start, nats, {comparison.length} tokens")
    for kind, (one, two, most) in comparison.entropy.items():
        table.add_row(f"  {kind}", f"{one:.3f}", f"{two:.3f}", f"{most:.3f} if even")
    return table


def section(table: "Table", title: str) -> None:
    table.add_row(f"[bold]{title}[/]")


def times(one: int, two: int) -> str:
    """How the second count differs: times the first, or what it has more where that is little."""
    if one == two:
        return ""
    return f"x {two / one:.3g}" if abs(two / one - 1) > 0.01 else f"{two - one:+,}"


def words(comparison: "Comparison") -> "Table":
    """The choices and formulas that differ, in words."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        box=None, header_style="dim", pad_edge=False, title="\nwhat is computed otherwise", title_justify="left"
    )
    for name in ("", *comparison.names, "it decides"):
        table.add_column(name, overflow="fold")
    for choice in comparison.choices:
        cells = (choice.field, said(choice.a, choice.a_formula), said(choice.b, choice.b_formula), choice.meaning)
        table.add_row(*map(escape, cells))
    for name, texts in comparison.formulas.items():
        table.add_row(*map(escape, (name, *texts, "")))
    return table


def said(value: Any, formula: str) -> str:
    """A value and what it computes."""
    plain = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{plain}: {formula}" if formula else plain
