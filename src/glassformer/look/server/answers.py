"""What the served page asks its model for, computed here: one pass with every value, and how an answer is written.

It does what page/engine does in the browser, with Python's own model, `watch` and caches: same names, same answers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from glassformer.decode import DecodingConfig
from glassformer.decode.beam import largest
from glassformer.decode.steps import Live
from glassformer.errors import UserError
from glassformer.look.edits import Edit, replace_with, uniform, zero, zero_channel, zero_head
from glassformer.look.seen import Seen
from glassformer.look.watch import watch
from glassformer.model.attention import MultiHeadAttention
from glassformer.model.transformer import Transformer

Cell = tuple[int, int]
NOWHERE = float("-inf")


@dataclass(frozen=True, kw_only=True)
class Cut:
    """One edit of the page: a tap's name, and what becomes of it."""

    name: str
    kind: Literal["zero", "uniform", "swap"]
    head: int | None = None
    channel: int | None = None

    def function(self, other: Seen | None) -> Edit:
        if self.kind == "swap":
            if other is None:
                raise UserError("a swap needs the other sentence that the value comes from.")
            return replace_with(other[self.name].value)
        if self.kind == "uniform":
            return uniform
        if self.head is not None:  # where the heads are is known by name: several edits of one name lose its letters
            return zero_head(self.head, axis=1 if self.name.endswith(("energy", "attention")) else 2)
        return zero if self.channel is None else zero_channel(self.channel)


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What surgery and the mask desk change: edits, the other sentence of a swap, and cells (row, column) of the
    masks of "encoder", "decoder" and "cross" that were clicked open or shut.
    """

    edits: Sequence[Cut] = ()
    other: Sequence[int] = ()
    masks: Mapping[str, Sequence[Cell]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.edits) or any(self.masks.values())


NOTHING = Changes()


@torch.no_grad()
def seen_in_pass(
    model: Transformer,
    src: Sequence[int],
    trg: Sequence[int],
    changes: Changes = NOTHING,
    only: str | None = None,
) -> Seen:
    """Every value of one pass: `src` with its </s>, `trg` the ids that the decoder reads.

    Raises UserError for an edit that does not fit, ValueError for more tokens than the model reads.
    """
    swaps = any(cut.kind == "swap" for cut in changes.edits)
    other = seen_in_pass(model, changes.other, trg) if swaps and changes.other else None
    functions: dict[str, list[Edit]] = {}
    for cut in changes.edits:
        functions.setdefault(cut.name, []).append(cut.function(other))
    edit = {name: partial(one_by_one, several) for name, several in functions.items()}
    with clicked(model, changes.masks), watch(model, only=only, edit=edit) as seen:
        model(torch.tensor([src], device=model.device), torch.tensor([trg], device=model.device))
    return seen


def one_by_one(functions: Sequence[Edit], value: Tensor) -> Tensor:
    return reduce(lambda edited, function: function(edited), functions, value)


@contextmanager
def clicked(model: Transformer, masks: Mapping[str, Sequence[Cell]]) -> Iterator[None]:
    """The attentions see these cells of their mask the other way round; the masks' own taps stay as they are."""
    handles = []
    for name, module in model.named_modules():
        if isinstance(module, MultiHeadAttention):
            kind = "encoder" if name.startswith("encoder") else "cross" if "cross" in name else "decoder"
            if cells := masks.get(kind):
                handles.append(module.register_forward_pre_hook(partial(turn_over, cells)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def turn_over(cells: Sequence[Cell], module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    query, key, value, mask, *rest = args
    with torch._C.DisableTorchFunction():  # or else a watch would take these operations for the model's own
        mask = mask.expand(-1, -1, query.size(1), -1).clone()
        for row, column in cells:
            if row < mask.size(2) and column < mask.size(3):
                mask[:, :, row, column] ^= True
    return query, key, value, mask, *rest


class Reader(Protocol):
    """Rows of an answer being written: the log probabilities (r, v) of their next tokens, and how they go on."""

    def log_probs(self) -> Tensor: ...

    def go_on(self, rows: list[int], tokens: list[int]) -> None: ...


class CachedReader:
    """The unchanged model: keys and values are kept, all rows are computed together."""

    def __init__(self, model: Transformer, src: Sequence[int], start: int, end: int, config: DecodingConfig) -> None:
        self.live = Live(model, torch.tensor([src]), start, end, config)

    def log_probs(self) -> Tensor:
        return self.live.log_probs().double().cpu()

    def go_on(self, rows: list[int], tokens: list[int]) -> None:
        place = partial(torch.tensor, device=self.live.last.device)
        self.live.select(place(rows))
        self.live.last = place(tokens)


class ChangedReader:
    """A changed model: every step is a whole pass over what each row has read."""

    def __init__(self, logits: Callable[[Sequence[int]], Tensor], start: int, never: Sequence[int]) -> None:
        self.logits = logits  # ids read -> (t, v)
        self.never = torch.tensor(never)
        self.read = [[start]]

    def log_probs(self) -> Tensor:
        last = torch.stack([self.logits(read)[-1] for read in self.read]).double().cpu()
        return last.index_fill(1, self.never, NOWHERE).log_softmax(dim=1)

    def go_on(self, rows: list[int], tokens: list[int]) -> None:
        self.read = [[*self.read[row], token] for row, token in zip(rows, tokens, strict=True)]


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How an answer is written; the page's engine explains the same options in engine/decode.js."""

    start: int
    end: int
    limit: int  # of its tokens, </s> included
    prefix: Sequence[int] = ()
    forced_end: bool = True

    def only(self, step: int) -> int | None:
        """The one token that may come at this step (from 1); None: the model chooses."""
        if self.forced_end and step == self.limit:
            return self.end
        return self.prefix[step - 1] if step <= len(self.prefix) else None


def reader_of(
    model: Transformer, src: Sequence[int], writing: Writing, config: DecodingConfig, changes: Changes = NOTHING
) -> Reader:
    """The reader for a model under these changes."""
    cached = CachedReader(model, src, writing.start, writing.end, config)
    if not changes:
        return cached
    never = cached.live.forbidden.tolist()

    def logits(read: Sequence[int]) -> Tensor:
        return seen_in_pass(model, src, read, changes, only="logits")["logits"].value[0]

    return ChangedReader(logits, writing.start, never)


Choose = Callable[[Tensor], int]  # log probabilities (v) -> the next token


def likeliest(log_probs: Tensor) -> int:
    """The lowest id of the likeliest tokens."""
    return int(log_probs.argmax())


def by_chance(noise: Sequence[float], temperature: float = 1.0, top_k: int = 0) -> Choose:
    """Draw by share, after temperature and top_k (0: all); each draw takes a number from 0 to 1 of `noise`."""

    draws = iter(noise)

    def choose(log_probs: Tensor) -> int:
        values, tokens = log_probs, torch.arange(len(log_probs))
        if top_k:
            values, tokens = (part[0] for part in largest(values.unsqueeze(0), min(top_k, len(values))))
        shares = ((values - values.max()) / temperature).exp()
        reached = shares.cumsum(0) > next(draws) * shares.sum()
        place = reached.int().argmax() if reached.any() else shares.nonzero()[-1, 0]
        return int(tokens[place])

    return choose


def write_steps(reader: Reader, writing: Writing, choose: Choose) -> tuple[list[dict[str, Any]], Tensor]:
    """Each token of one answer, a last </s> among them, and the log probabilities (step, v) it was chosen from."""
    steps: list[dict[str, Any]] = []
    seen: list[Tensor] = []
    for length in range(1, writing.limit + 1):
        log_probs = finite(reader.log_probs())[0]
        only = writing.only(length)
        token = choose(log_probs) if only is None else only
        log_prob = float(log_probs[token])
        probability = float(log_probs[token].exp())
        steps.append({"token": token, "logProb": log_prob, "probability": probability, "forced": only is not None})
        seen.append(log_probs)
        if token == writing.end:
            break
        if length < writing.limit:
            reader.go_on([0], [token])
    return steps, torch.stack(seen)


def beam_tree(reader: Reader, writing: Writing, *, beam: int, alpha: float) -> dict[str, list[dict[str, Any]]]:
    """{nodes, finished} of a beam search, every continuation that it looked at among the nodes, as engine/beam.js."""
    nodes: list[dict[str, Any]] = []
    finished: list[dict[str, Any]] = []
    live: list[dict[str, Any]] = [{"index": -1, "sum": 0.0, "ids": []}]

    def penalty(length: int) -> float:
        return float(((5 + length) / 6) ** alpha)

    for step in range(1, writing.limit + 1):
        going: list[dict[str, Any]] = []
        for rank, found in enumerate(continuations(live, finite(reader.log_probs()), 2 * beam, writing.only(step))):
            row, token, log_prob, total = found
            ended = token == writing.end
            goes = not ended and len(going) < beam
            ids = live[row]["ids"] if ended else [*live[row]["ids"], token]
            node = {
                "index": len(nodes), "parent": live[row]["index"], "step": step, "token": token, "logProb": log_prob,
                "sum": total, "score": total / penalty(step), "state": "pruned",
            }  # fmt: skip
            nodes.append(node)
            if goes:
                going.append({"index": node["index"], "sum": total, "ids": ids, "row": row, "token": token})
            if (ended and rank < beam) or (goes and step == writing.limit):
                node["state"] = "finished"
                finished.append({"ids": ids, "sum": total, "score": node["score"], "node": node["index"]})
        finished.sort(key=lambda each: -each["score"])
        hope = going[0]["sum"] / penalty(writing.limit) if going else NOWHERE
        if step == writing.limit or (finished and (beam == 1 or finished[0]["score"] >= hope)):
            break
        for each in going:
            nodes[each["index"]]["state"] = "live"
        reader.go_on([each["row"] for each in going], [each["token"] for each in going])
        live = going
    return {"nodes": nodes, "finished": finished}


def continuations(
    live: Sequence[Mapping[str, Any]], log_probs: Tensor, number: int, only: int | None
) -> list[tuple[int, int, float, float]]:
    """The best ways to go on, best first: (row, token, its log probability, their sum)."""
    if only is not None:
        others = torch.arange(log_probs.size(1)) != only
        log_probs = log_probs.masked_fill(others, NOWHERE)
    sums = (log_probs + torch.tensor([[each["sum"]] for each in live], dtype=log_probs.dtype)).view(1, -1)
    values, places = largest(sums, min(number, sums.size(1)))
    return [
        (place // log_probs.size(1), place % log_probs.size(1), float(log_probs.view(-1)[place]), value)
        for value, place in zip(values[0].tolist(), places[0].tolist(), strict=True)
        if value > NOWHERE
    ]


def finite(log_probs: Tensor) -> Tensor:
    """The same. Raises UserError where they are not numbers."""
    if log_probs.isnan().any():
        raise UserError("the model's scores are not numbers: its weights are broken. Take another checkpoint.")
    return log_probs
