"""Attention weights as shaded cells: the words that ask on one side, the words that answer on the other."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.text import Text

from glassformer.errors import UserError
from glassformer.look.grid import Grid
from glassformer.look.heads import attention_part, attention_taps
from glassformer.look.html import Html
from glassformer.look.seen import Tap

SHADES = ((0.70, "█"), (0.40, "▓"), (0.15, "▒"), (0.02, "░"), (0.0, " "))
TITLES = {
    "encoder": "Encoder self-attention",
    "decoder": "Decoder self-attention",
    "cross": "Cross-attention",
}
LEGEND = (0.02, 0.15, 0.40, 0.70, 1.0)
RAMP = ((18, 22, 48), (88, 48, 120), (196, 72, 92), (248, 160, 64), (252, 232, 140))  # dark to light: weight 0 to 1


@dataclass(frozen=True)
class AttentionPicture:
    """The weights of one head, or the mean over heads, for one sentence; each row sums to 1 over all columns."""

    name: str
    head: int | None  # None: the mean
    rows: list[str]  # the words that ask
    columns: list[str]  # the words that answer
    weights: list[list[float]]

    @property
    def title(self) -> str:
        """Part, layer and head in words; the tap's name where it is no layer of the Transformer."""
        place = attention_part(self.name)
        where = self.name if place is None else f"{TITLES[place[0]]}, layer {place[1]}"
        return f"{where}, {self.of_heads}"

    @property
    def of_heads(self) -> str:
        return "mean of all heads" if self.head is None else f"head {self.head}"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def attention_picture(
    tap: Tap, asking: Sequence[str], answering: Sequence[str], *, sentence: int = 0, head: int | None = None
) -> AttentionPicture:
    """One map of `tap` (n, h, q, k): `seen["decoder.layers.0.cross_attention.attention"]`.

    Fewer words than the tensor has rows or columns: the rest is padding and left out.
    Raises UserError where sentence, head or words do not fit the tensor.
    """
    if tap.value.dim() != 4:
        raise UserError(
            f"{tap.name} has axes {' '.join(tap.axes)}: attention is n h q k. Take a name that ends in .attention."
        )
    n, h, q, k = tap.value.shape
    for field, value, size in (("sentence", sentence, n), ("head", 0 if head is None else head, h)):
        if not 0 <= value < size:
            raise UserError(f"{field}={value} is not in {tap.name}: there are {size}, counted from 0 to {size - 1}.")
    if len(asking) > q or len(answering) > k:
        raise UserError(
            f"{len(asking)} asking and {len(answering)} answering words for {tap.name} with {q} rows and {k} columns: "
            f"pass the pieces that the model was given."
        )
    weights = tap.value[sentence].float()
    chosen = weights.mean(0) if head is None else weights[head]
    return AttentionPicture(
        tap.name, head, list(asking), list(answering), chosen[: len(asking), : len(answering)].tolist()
    )


def attention_wall(
    seen: Mapping[str, Tap],
    part: str,
    src_pieces: Sequence[str],
    trg_pieces: Sequence[str],
    *,
    layer: int | None = None,
    sentence: int = 0,
) -> list[list[AttentionPicture]]:
    """The heads of each layer of one part (encoder, decoder or cross), or of one layer: a row of pictures a layer.

    Raises UserError for a part or a layer that was not seen.
    """
    layers = {number: tap for kind, number, tap in attention_taps(seen) if kind == part}
    if not layers:
        known = sorted({kind for kind, _, _ in attention_taps(seen)})
        raise UserError(f"part={part!r} was not seen: take one of {', '.join(known)}.")
    if layer is not None and layer not in layers:
        raise UserError(f"layer={layer} is not in the {part} part: it has layers {min(layers)} to {max(layers)}.")
    asking = src_pieces if part == "encoder" else trg_pieces
    answering = trg_pieces if part == "decoder" else src_pieces
    return [
        [attention_picture(tap, asking, answering, sentence=sentence, head=head) for head in range(tap.shape[1])]
        for number, tap in layers.items()
        if layer in (None, number)
    ]


@dataclass(frozen=True)
class AttentionDrawing(Html):
    """The map as cells: lighter is more, with percent where there is room; a dot is exactly 0.

    On a terminal without colour, shade characters stand for the colours.
    """

    picture: AttentionPicture

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        picture = self.picture
        coloured = console.color_system is not None and not console.no_color

        def draw(row: int, column: int, width: int) -> Text:
            return cell(picture.weights[row][column], width, coloured)

        yield Text(picture.name, style="bold").append(f"   {picture.of_heads}", style="dim")
        yield Text("row asks, column answers; a row adds up to 100 %", style="dim")
        yield Text()
        yield Grid(picture.rows, picture.columns, draw, cell_width=6, narrowest=2, gap=0 if coloured else 1)
        yield Text()
        legend = Text().append("percent: ", style="dim")
        for weight in LEGEND:
            legend.append_text(cell(weight, 6, coloured)).append("" if coloured else "  ")
        yield legend.append("   · exactly 0", style="dim")


def attention_drawing(picture: AttentionPicture) -> AttentionDrawing:
    """The picture for the terminal."""
    return AttentionDrawing(picture)


def cell(weight: float, width: int, coloured: bool) -> Text:
    """One weight: a number on its colour, or shade and number; without the number where the cell is narrow."""
    number = "·" if weight == 0 else f"{100 * weight:.0f}"
    if coloured:
        red, green, blue = colour(weight)
        light = 0.3 * red + 0.6 * green + 0.1 * blue > 120
        text = number if width >= 4 or weight == 0 else ""
        ink = "rgb(20,20,30)" if light else "rgb(190,195,215)"
        return Text(text.center(width), style=Style.parse(f"{ink} on rgb({red},{green},{blue})"))
    shade = next(shade for limit, shade in SHADES if weight >= limit)
    return Text(
        shade * (width - 3) + number.rjust(3) if width >= 5 else number.center(width) if weight == 0 else shade * width
    )


def colour(weight: float) -> tuple[int, int, int]:
    """A weight's place on the ramp; by its square root, so that small weights can be told apart."""
    place = min(1.0, max(0.0, weight)) ** 0.5 * (len(RAMP) - 1)
    lower = min(int(place), len(RAMP) - 2)
    red, green, blue = (round(a + (b - a) * (place - lower)) for a, b in zip(RAMP[lower], RAMP[lower + 1], strict=True))
    return red, green, blue
