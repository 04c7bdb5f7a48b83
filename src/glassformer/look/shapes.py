"""The tensor-shape summary of a live forward, in the origin's words: each quantity, its axes, its sizes, its line."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from glassformer.look.grid import readable
from glassformer.look.html import Html
from glassformer.look.seen import Seen, Tap
from glassformer.look.watch import watch
from glassformer.model.transformer import Transformer

ORIGIN = ("queries", "energy", "attention", "out")

LETTERS = {
    "n": ("N", "sentences in the batch"),
    "s": ("src_len", "source positions"),
    "t": ("trg_len", "target positions"),
    "q": ("query_len", "positions that ask"),
    "k": ("key_len", "positions that answer"),
    "h": ("heads", "heads"),
    "d": ("head_dim", "channels of one head"),
    "e": ("embed_size", "channels of a position"),
    "f": ("forward_size", "channels inside the feed-forward"),
    "v": ("trg_vocab_size", "entries of the target vocabulary"),
}
WORDS = {  # which taps the summary shows, and what each is
    "src_mask": "which source positions may answer",
    "trg_mask": "which target positions each one may see",
    "*coder.embedded": "a vector for each word",
    "*coder.positioned": "the same with its place added",
    "*attention.queries": "what each position asks for",
    "*attention.keys": "what each position can be found by",
    "*attention.values": "what each position hands over",
    "*attention.energy": "how well each query fits each key",
    "*attention.masked_energy": "the same, closed cells at the lowest number",
    "*attention.attention": "the weights: each row adds up to 1",
    "*attention.heads_out": "values mixed by those weights, for each head",
    "*attention.out": "the heads joined and mixed",
    "*feed_forward.hidden": "each position alone, widened",
    "*feed_forward.out": "and narrowed again",
    "*residual.normed": "what goes into the sublayer, normed",
    "*residual.residual_sum": "input + sublayer: the stream goes on",
    "*residual.out": "the same, normed",
    "memory": "the source as the decoder reads it",
    "decoded": "each target position after the whole decoder",
    "logits": "a score for each possible next word",
}


def shape_rows(seen: Seen, *, every_layer: bool = False) -> list[dict[str, Any]]:
    """The summary as plain data, in the order of computation; one encoder and one decoder layer, or every one.

    Each row: name, module, quantity, axes (letters), words (the origin's, for the axes), sizes, what, where
    (file:line), source (the statement), operation.
    """
    return [row(tap, what) for tap, what in described(seen, every_layer)]


def described(seen: Mapping[str, Tap], every_layer: bool) -> Iterator[tuple[Tap, str]]:
    for name, tap in seen.items():
        if not every_layer and ".layers." in name and ".layers.0." not in name:
            continue
        what = next((words for pattern, words in WORDS.items() if fnmatchcase(name, pattern)), None)
        if what:
            yield tap, what


def row(tap: Tap, what: str) -> dict[str, Any]:
    return {
        "name": tap.name,
        "module": tap.module,
        "quantity": tap.quantity,
        "axes": list(tap.axes),
        "words": [LETTERS[letter][0] if letter in LETTERS else letter for letter in tap.axes],
        "sizes": list(tap.shape),
        "what": what,
        "where": tap.where,
        "source": tap.source,
        "operation": tap.operation,
    }


class ShapeTable(Html):
    """`shape_rows` for the terminal: the letters, then each quantity with the line of source that makes it.

    The pieces of `src` and of `trg[:, :-1]`, where given, are shown beside s and t.
    """

    def __init__(
        self, seen: Seen, *, every_layer: bool = False, src_pieces: Sequence[str] = (), trg_pieces: Sequence[str] = ()
    ) -> None:
        self.rows = shape_rows(seen, every_layer=every_layer)
        self.pieces = {"s": src_pieces, "t": trg_pieces}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.alphabet()
        cells = [(r["quantity"], " ".join(r["axes"]), " ".join(map(str, r["sizes"])), r["what"]) for r in self.rows]
        widths = [max(map(len, column), default=0) + 2 for column in zip(*cells, strict=True)]
        module = None
        for row, (quantity, axes, sizes, what) in zip(self.rows, cells, strict=True):
            if row["module"] != module:
                module = row["module"]
                yield Text("\n").append(module or "the model itself", style="bold cyan")
            line = Text(no_wrap=True, overflow="ellipsis").append(quantity.ljust(widths[0]), style="bold")
            yield (
                line.append(axes.ljust(widths[1]), style="green")
                .append(sizes.ljust(widths[2]), style="yellow")
                .append(what)
            )
            source = f"{row['where'].rpartition('/')[2]}  {row['source']}"
            yield Padding(Text(source, style="dim"), (0, 0, 0, widths[0]))
        yield from self.in_the_words_of_the_origin()

    def alphabet(self) -> RenderableType:
        """One line for each letter: the origin's word for it, its size in this pass, what it counts."""
        sizes: dict[str, list[str]] = {}
        for row in self.rows:
            for letter, size in zip(row["axes"], row["sizes"], strict=True):
                if str(size) not in sizes.setdefault(letter, []):
                    sizes[letter].append(str(size))
        table = Table.grid(padding=(0, 2))
        for letter, (word, meaning) in LETTERS.items():
            if letter in sizes:
                size = Text(" or ".join(sizes[letter]), style="yellow")
                pieces = " ".join(map(readable, self.pieces.get(letter, ())))
                counts = Text().append(meaning, style="dim").append(pieces and f": {pieces}")
                table.add_row(Text(letter, style="green"), Text(word), size, counts)
        return table

    def in_the_words_of_the_origin(self) -> RenderResult:
        """Its four lines, with the sizes of the last attention shown."""
        last = {row["quantity"]: row for row in self.rows if row["module"].endswith("attention")}
        if not set(ORIGIN) <= set(last):
            return
        yield Text(f"\nIn the origin's words, for {last['out']['module']}", style="bold cyan")
        table = Table.grid(padding=(0, 2))
        for quantity in ORIGIN:
            words, sizes = ", ".join(last[quantity]["words"]), ", ".join(map(str, last[quantity]["sizes"]))
            table.add_row(Text(quantity, style="bold"), Text(f"({words})"), Text(f"({sizes})", style="yellow"))
        yield table


def watch_pair(
    model: Transformer, src_ids: Sequence[int], trg_ids: Sequence[int], only: str | Sequence[str] | None = None
) -> Seen:
    """One watched forward of a sentence pair as in training: `trg_ids` from <s> to </s>, given as `trg[:, :-1]`.

    The model is in eval mode meanwhile, and afterwards in the mode it was in.
    """
    src, trg = (torch.tensor([list(ids)], device=model.device) for ids in (src_ids, trg_ids))
    was_training = model.training
    try:
        with torch.no_grad(), watch(model.eval(), only) as seen:
            model(src, trg[:, :-1])
    finally:
        model.train(was_training)
    return seen
