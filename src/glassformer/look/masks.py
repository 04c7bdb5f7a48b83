"""Masks with the sentence's words on both axes, and step by step: what each row sees and what it is asked for.

Every cell is what ring 0's own mask functions answer for these ids; nothing is decided again here.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text
from torch import Tensor

from glassformer.errors import UserError
from glassformer.look.grid import Grid, centred, readable
from glassformer.look.html import Drawing, Html
from glassformer.model.masks import look_ahead_mask, padding_mask, target_mask

PAD_PIECE = "<pad>"
MORE_COLUMNS = 2  # of padding, unless pad_to says otherwise: one sentence alone has none to show
STYLES = {"future": "red", "padding": "yellow", "both": "magenta"}

MEANING = {
    "future": "after the row's own word",
    "padding": "no word",
    "both": "future and padding",
}
REASONS = {(True, False): "future", (False, True): "padding", (True, True): "both"}

WHY = (
    "Why: in training the whole target is given at once. Without the look-ahead mask a row could read the very word it "
    "is asked for: cheating, and of no use later, when the model writes word by word (autoregressively) and the next "
    "word is not there yet. With the mask, a row sees in training exactly what it will see then."
)


@dataclass(frozen=True)
class MaskPicture:
    """One mask and its words. `reasons[row][column]` is "" where the row may attend, else future, padding or both."""

    title: str
    shape: str  # in the origin's words, then in numbers
    rows: list[str]  # the words that ask
    columns: list[str]  # the words that answer
    reasons: list[list[str]]
    numbers: list[list[int]]  # the mask as it is, 1 = may attend; one row where it is the same for every asker

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Step:
    """One row of the decoder in training: the word it stands on, the words it sees, the word it is asked for."""

    row: str
    sees: list[str]
    asked_for: str
    counted: bool  # in the loss

    def __str__(self) -> str:
        return f"row {self.row}: sees {' '.join(self.sees)}, asked for {self.asked_for}"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def padded(
    pieces: Sequence[str], ids: Sequence[int], pad_idx: int | None, pad_to: int | None, *, shifted: bool = False
) -> tuple[list[str], Tensor]:
    """Pieces and ids (1, length) filled up with padding, as in a batch with a longer sentence.

    `pad_to` counts the columns of the mask: one less than the ids where they are shifted, as a target's are.
    """
    if len(pieces) != len(ids) or len(ids) <= shifted:
        needed = "two: one to be given, one to be asked for" if shifted else "one"
        raise UserError(f"{len(pieces)} pieces for {len(ids)} ids: each id needs its word, and there must be {needed}.")
    columns = len(ids) - shifted
    more = (MORE_COLUMNS if pad_idx is not None else 0) if pad_to is None else pad_to - columns
    if more < 0:
        raise UserError(f"pad_to={pad_to} is less than the sentence's {columns} columns. Try pad_to={columns}.")
    if more and pad_idx is None:
        raise UserError(
            f"pad_to={pad_to} adds padding, but trg_pad_idx=None: this model has no target padding to show."
        )
    filled = [*ids, *[0 if pad_idx is None else pad_idx] * more]
    return [*pieces, *[PAD_PIECE] * more], torch.tensor([filled])


def source_mask(pieces: Sequence[str], ids: Sequence[int], pad_idx: int, pad_to: int | None = None) -> MaskPicture:
    """The padding mask of the encoder and of cross-attention. Nothing is shifted on this side: no <s>."""
    words, src = padded(pieces, ids, pad_idx, pad_to)
    return picture("Padding mask of the source", "(N, 1, 1, src_len)", words, padding_mask(src, pad_idx))


def target_masks(
    pieces: Sequence[str], ids: Sequence[int], pad_idx: int | None, pad_to: int | None = None
) -> list[MaskPicture]:
    """Padding, look-ahead and both together, for the decoder's input `trg[:, :-1]`.

    `pieces` and `ids` are the whole target, from <s> to </s>; `pad_to` counts the columns of the input.
    With pad_idx=None there is no padding mask.
    """
    whole, trg = padded(pieces, ids, pad_idx, pad_to, shifted=True)
    words, given = whole[:-1], trg[:, :-1]
    look_ahead = look_ahead_mask(len(words), len(words), given.device)
    both = target_mask(given, pad_idx, len(words))
    pictures = [
        picture("Look-ahead mask of the target", "(1, 1, trg_len, trg_len)", words, look_ahead, look_ahead),
        picture("Target mask: look-ahead and padding", "(N, 1, trg_len, trg_len)", words, both, look_ahead),
    ]
    if pad_idx is None:
        return pictures
    padding = padding_mask(given, pad_idx)
    return [picture("Padding mask of the target", "(N, 1, 1, trg_len)", words, padding), *pictures]


def picture(title: str, shape: str, words: list[str], mask: Tensor, look_ahead: Tensor | None = None) -> MaskPicture:
    """`mask` (1, 1, q or 1, k) with its words; what is closed and not by `look_ahead` (1, 1, q, k) is padding.

    A column that its own row may not see is padding, since look-ahead never hides a word from itself.
    """
    open_cells = mask[0, 0].expand(len(words), -1)
    future = torch.zeros_like(open_cells) if look_ahead is None else ~look_ahead[0, 0]
    padding = ~open_cells.diagonal().expand_as(open_cells)
    cells = zip(open_cells.tolist(), future.tolist(), padding.tolist(), strict=True)
    reasons = [["" if is_open else REASONS[tuple(why)] for is_open, *why in zip(*row, strict=True)] for row in cells]
    return MaskPicture(title, f"{shape} = {tuple(mask.shape)}", words, words, reasons, mask[0, 0].int().tolist())


def step_by_step(
    pieces: Sequence[str], ids: Sequence[int], pad_idx: int | None, pad_to: int | None = None
) -> list[Step]:
    """For each row of the decoder's input: what the target mask lets it see, and the next word, asked for."""
    words, trg = padded(pieces, ids, pad_idx, pad_to, shifted=True)
    given, asked_for = trg[:, :-1], trg[:, 1:]
    mask = target_mask(given, pad_idx, given.size(1))[0, 0].tolist()
    return [
        Step(
            row=words[row],
            sees=[word for word, is_open in zip(words[:-1], mask[row], strict=True) if is_open],
            asked_for=words[row + 1],
            counted=asked_for[0, row].item() != pad_idx,
        )
        for row in range(len(mask))
    ]


def mask_drawing(picture: MaskPicture) -> Drawing:
    """The mask as cells: filled where the row may attend, the reason where it may not."""
    used = [reason for reason in STYLES if any(reason in row for row in picture.reasons)]
    longest = max(map(len, used), default=4)

    def draw(row: int, column: int, width: int) -> Text:
        reason = picture.reasons[row][column]
        if not reason:
            return Text("█" * width, style="green")
        return Text(centred(reason if width >= longest else reason[0], width), style=STYLES[reason])

    legend = Text("█ may attend", style="green")
    for reason in used:
        legend.append("   ").append(f"{reason} ({reason[0]}): {MEANING[reason]}", style=STYLES[reason])
    return Drawing(
        Group(
            Text(picture.title, style="bold").append(f"   {picture.shape}", style="dim"),
            Text("row asks, column answers", style="dim"),
            Text(),
            Grid(picture.rows, picture.columns, draw, cell_width=max(6, longest)),
            Text(),
            legend,
        )
    )


def numbers_drawing(picture: MaskPicture) -> Drawing:
    """The same mask as the tensor's own rows of 0 and 1, in the order of the rows above."""
    table = Table.grid(padding=(0, 2))
    names = picture.rows if len(picture.numbers) > 1 else ["every row"]
    for name, numbers in zip(names, picture.numbers, strict=True):
        table.add_row(Text("[" + ", ".join(map(str, numbers)) + "]"), Text(readable(name), style="bold"))
    return Drawing(Group(Text("The same as numbers, mask[0, 0], 1 = may attend:", style="dim"), table))


def steps_drawing(steps: Sequence[Step]) -> Drawing:
    """Each row in one line, then the reason for the mask."""
    table = Table.grid(padding=(0, 1))
    for step in steps:
        sees = " ".join(map(readable, step.sees))
        asked = Text("asked for ").append(readable(step.asked_for), style="bold cyan" if step.counted else "dim")
        table.add_row(
            Text("row ").append(f"{readable(step.row)}:", style="bold"),
            Text("sees ").append(f"{sees},", style="green"),
            asked if step.counted else asked.append(" (not counted)", style="dim"),
        )
    return Drawing(Group(table, Text(), Text(WHY)))


@dataclass(frozen=True)
class ShiftedDrawing(Html):
    """Three aligned rows; what is too wide for the terminal goes on below."""

    steps: Sequence[Step]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        names = ("trg[:, :-1]", "trg[:, 1:]", "counted in the loss")
        label = max(map(len, names))
        columns = [
            (readable(step.row), readable(step.asked_for), "yes" if step.counted else "no") for step in self.steps
        ]
        widths = [max(map(cell_len, column)) + 2 for column in columns]
        start = 0
        while start < len(columns):
            end = start + 1
            while end < len(columns) and label + sum(widths[start : end + 1]) <= options.max_width:
                end += 1
            if start:
                yield Text()
            for row, (name, style) in enumerate(zip(names, ("green", "cyan", ""), strict=True)):
                line = Text(no_wrap=True).append(name.ljust(label), style="bold")
                for column in range(start, end):
                    word = set_cell_size(columns[column][row], widths[column] - 2)
                    line.append("  ").append(word, style=style if self.steps[column].counted or not row else "dim")
                yield line
            start = end


def shifted_drawing(steps: Sequence[Step]) -> ShiftedDrawing:
    """What the decoder is given, what it is asked for, and whether the loss counts it, one above the other."""
    return ShiftedDrawing(steps)
