"""Pictures for papers and slides: attention, masks and head statistics as matplotlib figures (the extra `plot`).

Each function answers a Figure that stands alone: no global state is read or left behind, and the same input gives the
same file, byte for byte, by `save_figure`. Words are data: no markup, no mathematics, whatever they contain.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from rich.cells import cell_len

from glassformer.errors import UserError
from glassformer.look.attention import LEGEND, RAMP, TITLES, AttentionPicture
from glassformer.look.grid import readable
from glassformer.look.heads import HeadStatistics
from glassformer.look.masks import MEANING, MaskPicture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")

INK, FAINT = "#1c2030", "#7b8194"
DOT = "#5a6090"  # a weight of exactly 0, on the darkest colour
OPEN = "#2f9e77"
CLOSED = {"future": "#f6d5d5", "padding": "#f7ebc3", "both": "#e6d9f3"}
# What matplotlib ships comes first, so that a picture looks alike everywhere; then what many machines have for the
# scripts it lacks; last its font of boxes, which names the script of a letter that nothing else can draw.
FONTS = (
    "DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans Devanagari", "Noto Sans Thai",
    "PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic",
    "Nirmala UI", "Arial Unicode MS", "Last Resort High-Efficiency",
)  # fmt: skip
MEASURES = {
    "entropy": "entropy, bits",
    "distance": "distance, words",
    "on_previous": "one back, %",
    "on_self": "itself, %",
    "on_next": "one ahead, %",
    "on_start": "to <s>, %",
    "on_end": "to </s>, %",
    "on_padding": "padding, %",
}
HEADING: dict[str, Any] = dict(fontfamily=FONTS[0], fontweight="bold", fontsize=11)
CELL = 0.34  # inches, of a cell with a number in it
SMALL = 0.15  # the same in small multiples
MOST = 5.0  # inches: no map is larger, its cells shrink instead
LETTER = 0.56  # the width of a letter, of its size
LEAST_LABEL = 0.085  # inches a word: closer ones would touch, so they are left out


def plotting(draw: Callable[P, "Figure"]) -> Callable[P, "Figure"]:
    """Draws with settings of our own, whatever the user's are; UserError where matplotlib is missing."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> "Figure":
        with our_settings():
            return draw(*args, **kwargs)

    return drawn


@contextmanager
def our_settings() -> Iterator[None]:
    try:
        import matplotlib
        from matplotlib.font_manager import fontManager
    except ImportError as error:
        raise UserError("pictures need matplotlib, which is not installed: pip install glassformer[plot]") from error
    there = {font.name for font in fontManager.ttflist}
    ours: dict[Any, Any] = {
        "font.family": [*(font for font in FONTS if font in there), "sans-serif"],
        "font.size": 9,
        "text.color": INK,
        "text.parse_math": False,
        "axes.labelcolor": FAINT,
        "xtick.color": INK,
        "ytick.color": INK,
        "svg.fonttype": "none",  # words stay words: they can be searched, and a viewer has fonts that we lack
        "svg.hashsalt": "glassformer",
        "savefig.dpi": 200,
    }
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(ours)
        yield


def save_figure(figure: "Figure", path: str | Path) -> None:
    """Write a .png or .svg: the same figure gives the same bytes."""
    kind = Path(path).suffix.removeprefix(".")
    nothing = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}[kind]
    with our_settings():
        figure.savefig(path, format=kind, metadata=nothing, bbox_inches="tight", pad_inches=0.12)


@plotting
def attention_figure(picture: AttentionPicture) -> "Figure":
    """One map: words on both axes, percent in the cells while they are large, a dot where a weight is exactly 0."""
    from matplotlib.figure import Figure

    cell = min(CELL, MOST / max(len(picture.rows), len(picture.columns)))
    figure = Figure(layout="compressed")
    axes = figure.add_subplot()
    image = draw_map(axes, picture, cell)
    axes.set_title(picture.title, **HEADING, loc="left", pad=8)
    axes.set_xlabel("column answers →", fontsize=8, loc="left", labelpad=6)
    axes.set_ylabel("← row asks", fontsize=8, loc="top", labelpad=6)
    if cell == CELL:
        for y, row in enumerate(picture.weights):
            for x, weight in enumerate(row):
                draw_number(axes, x, y, f"{100 * weight:.0f}" if weight >= 0.005 else "", weight)
    draw_scale(figure, image, [axes], len(picture.rows) * cell)
    size_figure(figure, len(picture.columns) * cell, len(picture.rows) * cell, picture.rows, picture.columns)
    return figure


@plotting
def wall_figure(rows: Sequence[Sequence[AttentionPicture]]) -> "Figure":
    """Small multiples, a row for each list: `attention_wall(...)`. Rows may differ in length and in their words."""
    from matplotlib.figure import Figure

    if not rows or not all(rows):
        raise UserError("no pictures to draw: pass at least one row of at least one.")
    columns = max(map(len, rows))
    sides = [(len(row[0].columns), len(row[0].rows)) for row in rows]
    cell = min(SMALL, MOST / 2 / max(map(max, sides)))
    figure = Figure(layout="compressed")
    grid = figure.add_gridspec(
        len(rows), columns, height_ratios=[height for _, height in sides], hspace=0.08, wspace=0.04
    )
    every = []
    for number, row in enumerate(rows):
        first = number == 0 or rows[number - 1][0].columns != row[0].columns
        for column, picture in enumerate(row):
            axes = figure.add_subplot(grid[number, column])
            image = draw_map(axes, picture, cell, words=(column == 0, first))
            axes.set_title(picture.of_heads, fontsize=8, color=FAINT, pad=4)
            every.append(axes)
        every[-len(row)].set_ylabel(
            row[0].title.rpartition(", ")[0].replace(", ", "\n").replace(" self", "\nself"), fontsize=8, color=INK
        )
    figure.suptitle("Row asks, column answers", **HEADING, x=0.01, ha="left")
    width, height = columns * (max(side[0] for side in sides) + 1) * cell, sum(side[1] for side in sides) * cell
    draw_scale(figure, image, every, height)
    pictures = [row[0] for row in rows]
    size_figure(
        figure, width, height + 0.3 * len(rows),
        [word for picture in pictures for word in picture.rows], [word for p in pictures for word in p.columns],
    )  # fmt: skip
    return figure


@plotting
def masks_figure(pictures: Sequence[MaskPicture]) -> "Figure":
    """Masks side by side: open cells filled, closed ones with the first letter of their reason."""
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.patches import Patch

    colours = {"": OPEN, **CLOSED}
    kinds = list(colours)
    across = 1 if len(pictures) == 1 else 2
    longest = max(len(picture.columns) for picture in pictures)
    cell = min(CELL, MOST / longest)
    figure = Figure(layout=ConstrainedLayoutEngine(compress=True, hspace=0.06, wspace=0.04))
    for number, picture in enumerate(pictures, start=1):
        axes = figure.add_subplot(-(-len(pictures) // across), across, number)
        cells = [[kinds.index(reason) for reason in row] for row in picture.reasons]
        axes.imshow(cells, cmap=ListedColormap(list(colours.values())), vmin=-0.5, vmax=len(kinds) - 0.5)
        label_axes(axes, picture.rows, picture.columns, cell, (True, True))
        draw_edges(axes, cells)
        axes.set_title(picture.title, **HEADING, loc="left", pad=6)
        axes.set_xlabel(picture.shape, fontsize=8, loc="left", labelpad=6)
        for y, row in enumerate(picture.reasons if cell >= LEAST_LABEL else []):
            for x, reason in enumerate(row):
                axes.text(
                    x, y, reason[:1], ha="center", va="center", fontsize=min(8, cell * 40), color=FAINT, in_layout=False
                )
    used = [reason for reason in CLOSED if any(reason in row for picture in pictures for row in picture.reasons)]
    handles = [
        Patch(facecolor=OPEN, label="may attend"),
        *(Patch(facecolor=CLOSED[reason], label=f"{reason} ({reason[0]}): {MEANING[reason]}") for reason in used),
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles), frameon=False, fontsize=8)
    down = -(-len(pictures) // across)
    size_figure(
        figure, across * (longest * cell + 0.8), down * (longest * cell + 1.2), pictures[0].rows, pictures[0].columns
    )
    return figure


@plotting
def heads_figure(rows: Sequence[HeadStatistics]) -> "Figure":
    """Head statistics as heat maps, layers x heads: a row of maps for each part, a map for each statistic."""
    from matplotlib.figure import Figure

    parts = {part: list(heads) for part, heads in groupby(rows, key=lambda row: row.part)}
    if not parts:
        raise UserError("no head statistics to draw: pass what head_statistics(seen) gave.")
    maps = {
        part: [field for field in MEASURES if any(getattr(row, field) is not None for row in heads)]
        for part, heads in parts.items()
    }
    across, depth = max(map(len, maps.values())), {part: shape_of(heads) for part, heads in parts.items()}
    figure = Figure(layout="compressed")
    grid = figure.add_gridspec(
        len(parts), across, height_ratios=[layers for layers, _ in depth.values()], wspace=0.02, hspace=0.06
    )
    every = []
    for number, (part, heads) in enumerate(parts.items()):
        for column, field in enumerate(maps[part]):
            axes = figure.add_subplot(grid[number, column])
            image = draw_statistic(axes, heads, field, depth[part])
            every.append(axes)
            if column == 0:
                axes.set_ylabel(TITLES[part].replace(" ", "\n") + "\nlayer", fontsize=8, color=INK)
    figure.suptitle("What each head does", **HEADING, x=0.01, ha="left")
    note = "Colours are percent: entropy of the most possible, distance of the farthest, all others of a row's weight."
    figure.supxlabel(note, fontsize=8, color=FAINT, x=0.01, ha="left")
    width = across * (max(heads for _, heads in depth.values()) * CELL + 0.3)
    height = sum(layers * CELL + 0.62 for layers, _ in depth.values())
    draw_scale(figure, image, every, height)
    size_figure(figure, width, height, (), ())
    return figure


def shape_of(heads: Sequence[HeadStatistics]) -> tuple[int, int]:
    """How many layers and, at most, heads."""
    return max(row.layer for row in heads) + 1, max(row.head for row in heads) + 1


def draw_statistic(axes: "Axes", heads: Sequence[HeadStatistics], field: str, shape: tuple[int, int]) -> Any:
    """One statistic, layers x heads; the colour of bits and distances is their share of the most."""
    layers, columns = shape
    numbers = [[float("nan")] * columns for _ in range(layers)]
    shares = [[float("nan")] * columns for _ in range(layers)]
    farthest = max((row.distance or 0 for row in heads), default=0) or 1
    for row in heads:
        value = getattr(row, field)
        if value is not None:
            most = {"entropy": row.most_entropy or 1, "distance": farthest}.get(field, 1)
            numbers[row.layer][row.head] = value
            shares[row.layer][row.head] = value / most
    image = draw_cells(axes, shares)
    for y, line in enumerate(numbers):
        for x, value in enumerate(line):
            if value == value:
                text = f"{value:.1f}" if field in ("entropy", "distance") else f"{100 * value:.0f}"
                draw_number(axes, x, y, text, shares[y][x])
    axes.set_title(MEASURES[field], fontsize=8, pad=4)
    axes.set_xticks(range(columns), list(map(str, range(columns))))
    axes.set_yticks(range(layers), list(map(str, range(layers))))
    axes.set_xlabel("head", fontsize=7, labelpad=1)
    axes.tick_params(length=0, labelsize=7)
    axes.spines[:].set_visible(False)
    return image


def draw_map(axes: "Axes", picture: AttentionPicture, cell: float, words: tuple[bool, bool] = (True, True)) -> Any:
    """The weights as cells of this many inches; the image, for a scale. `words`: whether rows and columns have them."""
    image = draw_cells(axes, picture.weights)
    zeros = [(x, y) for y, row in enumerate(picture.weights) for x, weight in enumerate(row) if weight == 0]
    axes.scatter([x for x, _ in zeros], [y for _, y in zeros], s=(cell * 72 / 12) ** 2, color=DOT, linewidths=0)
    label_axes(axes, picture.rows, picture.columns, cell, words)
    return image


def draw_cells(axes: "Axes", weights: Sequence[Sequence[float]]) -> Any:
    """Weights from 0 to 1 on the ramp, by their square root as on the terminal: small ones can be told apart."""
    from matplotlib.colors import LinearSegmentedColormap, PowerNorm

    ramp = LinearSegmentedColormap.from_list("glassformer", [tuple(part / 255 for part in colour) for colour in RAMP])
    image = axes.imshow(weights, cmap=ramp, norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
    draw_edges(axes, weights)
    return image


def draw_edges(axes: "Axes", cells: Sequence[Sequence[Any]]) -> None:
    """Thin lines between the cells, while these are large enough for them."""
    if max(len(cells), len(cells[0])) > 32:
        return
    axes.set_xticks([x - 0.5 for x in range(1, len(cells[0]))], minor=True)
    axes.set_yticks([y - 0.5 for y in range(1, len(cells))], minor=True)
    axes.grid(which="minor", color="white", linewidth=0.5)
    axes.tick_params(which="minor", length=0)


def label_axes(
    axes: "Axes", rows: Sequence[str], columns: Sequence[str], cell: float, words: tuple[bool, bool]
) -> None:
    """Row words left, column words above, upright where they would touch."""
    size = min(9.0, cell * 72 * 0.8)
    fits = cell >= LEAST_LABEL
    axes.tick_params(length=0, labelsize=size, pad=3, top=False, bottom=False, left=False)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    row_words, column_words = [readable(word) for word in rows], [readable(word) for word in columns]
    upright = max(map(cell_len, column_words)) * size * LETTER > cell * 72
    axes.set_yticks(range(len(rows)), row_words if fits and words[0] else [""] * len(rows))
    axes.set_xticks(
        range(len(columns)), column_words if fits and words[1] else [""] * len(columns), rotation=90 if upright else 0
    )
    axes.spines[:].set_visible(False)


def draw_number(axes: "Axes", x: int, y: int, text: str, weight: float) -> None:
    """A number in the ink that its ground asks for."""
    ink = "#14141e" if weight > 0.3 else "#dfe2f0"
    axes.text(x, y, text, ha="center", va="center", fontsize=7, color=ink, in_layout=False)


def draw_scale(figure: "Figure", image: Any, axes: "Sequence[Axes]", height: float) -> None:
    """What the colours mean, in percent of a row's weight, beside maps of so many inches, unless they are too flat."""
    if height < 0.6:
        return
    length = min(0.95 * height, 3.0)
    marks = (0, *LEGEND) if length > 1 else (0, 0.15, 1)
    bar = figure.colorbar(image, ax=axes, ticks=marks, shrink=length / height, aspect=length / 0.12, pad=0.02)
    bar.ax.set_yticklabels([f"{100 * weight:.0f} %" for weight in marks], fontsize=7)
    bar.ax.tick_params(length=0)
    bar.outline.set_visible(False)


def size_figure(figure: "Figure", width: float, height: float, rows: Sequence[str], columns: Sequence[str]) -> None:
    """As large as its cells need, and the words beside and above them; saving trims what is left over."""
    longest = [max(map(cell_len, words), default=0) * 9 * LETTER / 72 for words in (rows, columns)]
    figure.set_size_inches(width + longest[0] + 1.4, height + longest[1] + 1.0)
