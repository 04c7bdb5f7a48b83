"""What each attention head does, in numbers and in a few words: how spread out it is, how far it looks, and at what."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import torch
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text
from torch import Tensor

from glassformer.errors import UserError
from glassformer.look.html import Html
from glassformer.look.seen import Tap

PARTS = {
    "encoder": "Encoder self-attention: the source asks the source",
    "decoder": "Decoder self-attention: the target asks the target",
    "cross": "Cross-attention: the target asks the source",
}
NAME = re.compile(r"(encoder|decoder)\.layers\.(\d+)\.(self|cross)_attention\.attention")

# A caption needs this much of: the weight on one place; the largest possible entropy; agreement with a straight line;
# the weight on padding, which is 0 unless something is wrong.
MOST_OF_IT, EVEN, STRAIGHT, LEAK = 0.5, 0.9, 0.9, 0.001
CAPTIONS = {
    "on_previous": "looks one back",
    "on_self": "looks at itself",
    "on_next": "looks one ahead",
    "on_start": "to <s>",
    "on_end": "to </s>",
}


@dataclass(frozen=True)
class HeadStatistics:
    """One head over the real query rows of the batch; a share is the mean weight, over the rows that may look there.

    None: no row may look there, or the question has no meaning (a distance between source and target).
    """

    name: str  # of the tap
    part: str  # encoder, decoder (both self-attention) or cross
    layer: int
    head: int
    entropy: float  # bits: 0 is one word for each row
    most_entropy: float  # bits, if every row spread its weight evenly over its open keys
    peak: float  # a row's largest weight
    distance: float | None  # positions between query and key, by weight
    on_previous: float | None
    on_self: float | None
    on_next: float | None
    on_start: float | None  # the first target token, <s>
    on_end: float | None  # the last source token, </s>
    on_padding: float
    walk: float | None  # cross-attention, -1 to 1: how far the place looked at moves along in step with the rows
    caption: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def attention_part(name: str) -> tuple[str, int] | None:
    """The part and the layer of an attention tap: `decoder.layers.2.cross_attention.attention` is ("cross", 2)."""
    found = NAME.fullmatch(name)
    return None if found is None else ("cross" if found[3] == "cross" else found[1], int(found[2]))


def attention_taps(seen: Mapping[str, Tap]) -> list[tuple[str, int, Tap]]:
    """Each attention seen, with its part and layer: the encoder's, the decoder's own, cross-attention.

    Raises UserError where none was seen.
    """
    found = [(*place, seen[name]) for name in seen if (place := attention_part(name)) is not None]
    if not found:
        raise UserError(
            'no attention was seen: call the model inside the with block, and let `only` hold "*.attention".'
        )
    return sorted(found, key=lambda place: (list(PARTS).index(place[0]), place[1]))


def head_statistics(seen: Mapping[str, Tap]) -> list[HeadStatistics]:
    """Every head of every attention seen; stacks of different depth, and layers of different head counts, as they are.

    Real positions are those that `src_mask` and `trg_mask` leave open to the last row: padded query rows are left out.
    With trg_pad_idx=None every target row counts, since no mask says which are padding.
    Raises UserError where no attention was seen, or not the masks that belong to it.
    """
    return [head for part, layer, tap in attention_taps(seen) for head in statistics_of(tap, part, layer, seen)]


def mask_of(seen: Mapping[str, Tap], name: str, sentences: int) -> Tensor:
    if name not in seen:
        raise UserError(f'no {name} was seen: head statistics leave the padding out by it. Add "{name}" to `only`.')
    mask = seen[name].value
    if mask.size(0) not in (1, sentences):
        raise UserError(
            f"{name} has {mask.size(0)} sentences and the attention {sentences}: watch one call of the model alone."
        )
    return mask.bool().cpu()


def statistics_of(tap: Tap, part: str, layer: int, seen: Mapping[str, Tap]) -> list[HeadStatistics]:
    """The heads of one attention tap (n, h, q, k)."""
    weights = tap.value.detach().double().cpu()
    n, heads, q, k = weights.shape
    mask = mask_of(seen, "trg_mask" if part == "decoder" else "src_mask", n)
    is_open = mask.expand(n, -1, q, k)[:, 0]
    real_keys = mask[:, 0, -1].expand(n, k)
    asks = mask_of(seen, "trg_mask", n)[:, 0, -1].expand(n, -1) if part == "cross" else real_keys
    real = asks[:, asks.size(1) - q :]  # with a cache the queries are the last positions

    places = torch.arange(k).expand(q, k)
    ahead = places - torch.arange(k - q, k).unsqueeze(1)  # key place - query place
    own = part != "cross"
    last = real_keys & (real_keys.long().cumsum(1) == real_keys.sum(1, keepdim=True))
    steps = {"on_previous": -1, "on_self": 0, "on_next": 1}
    shares = {
        name: share(weights, ahead == step, is_open, real) if own else [None] * heads for name, step in steps.items()
    }
    shares["on_start"] = share(weights, places == 0, is_open, real) if part == "decoder" else [None] * heads
    shares["on_end"] = share(weights, last.unsqueeze(1), is_open, real) if part != "decoder" else [None] * heads

    entropy = over_rows(-torch.special.xlogy(weights, weights).sum(-1) / math.log(2), real)
    most = over_rows(is_open.sum(-1).clamp(min=1).double().log2().unsqueeze(1), real)[0]
    peak = over_rows(weights.amax(-1), real)
    distance = over_rows((weights * ahead.abs()).sum(-1), real) if own else [None] * heads
    padding = over_rows((weights * ~real_keys[:, None, None]).sum(-1), real)
    walks = [None] * heads if own else walk_of(weights, real_keys & ~last, real)
    found = []
    for head in range(heads):
        numbers: dict[str, Any] = {name: values[head] for name, values in shares.items()}
        numbers |= dict(entropy=entropy[head], most_entropy=most, peak=peak[head], distance=distance[head])
        numbers |= dict(on_padding=padding[head], walk=walks[head])
        found.append(HeadStatistics(tap.name, part, layer, head, caption=caption_of(numbers), **numbers))
    return found


def over_rows(values: Tensor, real: Tensor) -> list[float]:
    """The mean of `values` (n, h, q) over the real rows (n, q), for each head."""
    counted = values * real.unsqueeze(1)
    mean = counted.sum((0, 2)) / real.sum().clamp(min=1)
    return [float(value) for value in mean]


def share(weights: Tensor, place: Tensor, is_open: Tensor, real: Tensor) -> Sequence[float | None]:
    """The mean weight on `place` (n or 1, q or 1, k), over the real rows that may look there."""
    there = place & is_open
    rows = there.any(-1) & real
    if not rows.any():
        return [None] * weights.size(1)
    return over_rows((weights * there.unsqueeze(1)).sum(-1), rows)


def walk_of(weights: Tensor, words: Tensor, real: Tensor) -> list[float | None]:
    """The correlation of a row's place with the place it looks at, for each head; None with fewer than three rows.

    Looking at </s> is no step of a walk: places are taken among `words` (n, k), and a row counts by its weight there.
    """
    rows = real & (real.sum(1, keepdim=True) >= 3)
    if not rows.any():
        return [None] * weights.size(1)
    among = weights * words[:, None, None]
    counts = among.sum(-1) * rows.unsqueeze(1)
    looked_at = (among * torch.arange(weights.size(3))).sum(-1) / among.sum(-1).clamp(min=1e-12)

    def centred(values: Tensor) -> Tensor:
        return values - (values * counts).sum(-1, keepdim=True) / counts.sum(-1, keepdim=True).clamp(min=1e-12)

    x, y = centred(torch.arange(weights.size(2)).double().expand_as(looked_at)), centred(looked_at)
    spread = ((counts * x * x).sum((0, 2)) * (counts * y * y).sum((0, 2))).sqrt()
    return [float(value) for value in (counts * x * y).sum((0, 2)) / spread.clamp(min=1e-12)]


def caption_of(numbers: Mapping[str, Any]) -> str:
    """What the head does, in a few words.

    A leak wherever padding has weight; even at `EVEN` of the largest possible entropy; to one place where that has
    `MOST_OF_IT` of the weight, the most of all such places; a walk where the place looked at follows a line
    (`STRAIGHT`) and rows are peaked. Else mixed.
    """
    if numbers["on_padding"] >= LEAK:
        return "leaks to the padding"
    if numbers["most_entropy"] == 0:
        return "no choice: one word"
    if numbers["entropy"] >= EVEN * numbers["most_entropy"]:
        return "spread evenly"
    place = max(CAPTIONS, key=lambda name: numbers[name] or 0)
    if (numbers[place] or 0) >= MOST_OF_IT:
        return CAPTIONS[place]
    if numbers["peak"] < MOST_OF_IT:
        return "mixed"
    if abs(numbers["walk"] or 0) >= STRAIGHT:
        return "walks left to right" if numbers["walk"] > 0 else "walks right to left"
    return "picks single words"


@dataclass(frozen=True)
class HeadTable(Html):
    """`head_statistics` for the terminal: a table for each part, a line for each head."""

    rows: Sequence[HeadStatistics]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for part, heads in groupby(self.rows, key=lambda row: row.part):
            yield Text(PARTS[part], style="bold cyan")
            yield self.table(part, list(heads))
            yield Text()
        yield Text("bits: entropy, of the most possible; away: mean distance in words. The others:", style="dim")
        yield Text("percent of the weight, over the rows that may look there. Padded rows are left out.", style="dim")

    def table(self, part: str, rows: list[HeadStatistics]) -> Table:
        columns = {"distance": "away", "on_previous": "back", "on_self": "self", "on_next": "ahead"}
        columns |= {"on_start": "<s>", "on_end": "</s>", "on_padding": "pad"}
        shown = {field: title for field, title in columns.items() if any(getattr(r, field) is not None for r in rows)}
        table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)
        for title in ("layer", "head", "bits", *shown.values()):
            table.add_column(Text(title), justify="right", no_wrap=True)
        table.add_column("what it does")
        layer = None
        for row in rows:
            numbers = [self.number(field, getattr(row, field)) for field in shown]
            bits = f"{row.entropy:.1f} of {row.most_entropy:.1f}"
            first = "" if row.layer == layer else str(row.layer)
            table.add_row(first, str(row.head), bits, *numbers, Text(row.caption, style="green"))
            layer = row.layer
        return table

    @staticmethod
    def number(field: str, value: float | None) -> Text:
        if value is None:
            return Text("-", style="dim")
        text = f"{value:.1f}" if field == "distance" else f"{100 * value:.0f}"
        return Text(text, style="bold yellow" if field != "distance" and value >= MOST_OF_IT else "")
