"""The model under examination: how it is called, sentences to call it with, and how far its scores move."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from glassformer.learn.diagnose.adapter import Adapter, Facts, read_facts
from glassformer.learn.diagnose.forms import HOW_TO_TELL, CannotCall, Form, forms, pick

SENTENCES, SRC_LEN, TRG_LEN, PADS = 3, 5, 7, 3  # all different, so that a swapped axis cannot hide
EXAMPLE_IDS = 4  # vocabularies have at least ids 1 to 3, while nothing is known


@dataclass(frozen=True)
class Exact:
    """What counts as equal. A move is the largest difference of scores, divided by their standard deviation."""

    moved: float  # at least this far: it moved
    still: float  # at most this far: it did not; between the two nothing is said


DOUBLE, SINGLE = Exact(1e-7, 1e-11), Exact(1e-3, 1e-7)


@dataclass(kw_only=True)
class Subject:
    """A model that can be called, within `borrowed`."""

    model: nn.Module
    form: Form
    facts: Facts
    src_vocab: int
    trg_vocab: int
    exact: Exact
    tables: dict[str, nn.Parameter | Tensor]  # "src", "trg": the word embeddings; "positions": a learned table
    scale: float = 1.0  # standard deviation of its scores
    equal_lengths: bool = False  # it runs only where source and target are equally long
    unequal: str = ""  # what it raises otherwise
    generate: Callable[[nn.Module, Tensor], Tensor] | None = None  # the adapter's greedy decoder
    square: bool = False  # it runs only where the batch is as large as the sentences are long
    fails_without_grad: str = ""  # what it raises under torch.no_grad(), where it runs with gradients

    @property
    def device(self) -> torch.device:
        return next((p.device for p in self.model.parameters()), torch.device("cpu"))

    @property
    def src_len(self) -> int:
        return TRG_LEN if self.equal_lengths else SRC_LEN

    @property
    def trg_len(self) -> int:
        return TRG_LEN

    def raw(self, src: Tensor, trg: Tensor) -> Tensor:
        """Scores (n, t, v) with whatever gradient mode is on."""
        answer = self.form.call(src, trg)
        scores = pick(answer, src.size(0), trg.size(1), self.form)
        if scores is None:
            sizes = f"n={src.size(0)}, s={src.size(1)}, t={trg.size(1)}"
            raise CannotCall(f"for {sizes} it gives no scores (n, t, v), but {shapes(answer)}")
        return scores

    def scores(self, src: Tensor, trg: Tensor) -> Tensor:
        with torch.set_grad_enabled(bool(self.fails_without_grad)):
            return self.raw(src, trg).detach().clone()

    def words(self, side: str) -> list[int]:
        """Ids without a job: neither padding, nor start, nor end of either side."""
        facts = self.facts
        size = self.src_vocab if side == "src" else self.trg_vocab
        special = {facts.src_pad_idx, facts.trg_pad_idx, facts.start_idx, facts.end_idx}
        ordinary = [i for i in range(1, min(size, 2000)) if i not in special]
        return ordinary if len(ordinary) >= 2 else [i for i in range(size) if i not in special]

    def sentences(self, side: str, length: int, seed: int = 0, n: int = SENTENCES) -> Tensor:
        """Random words (n, length), all different within a sentence where the vocabulary is large enough."""
        generator = torch.Generator().manual_seed(1000 * seed + length + (side == "src"))
        words = torch.tensor(self.words(side))
        rows = []
        for _ in range(n):
            order = torch.randperm(len(words), generator=generator)
            rows.append(words[order.repeat(1 + length // len(words))[:length]])
        return torch.stack(rows).to(self.device)

    def batch(self, seed: int = 0, n: int = SENTENCES) -> tuple[Tensor, Tensor]:
        """Words without padding: src (n, s) and trg (n, t)."""
        return self.sentences("src", self.src_len, seed, n), self.sentences("trg", self.trg_len, seed, n)

    def other_word(self, side: str, word: int, step: int = 1) -> int:
        """A word that is another one."""
        words = self.words(side)
        return words[(words.index(word) + step) % len(words)] if word in words else words[0]

    def padded(self, tokens: Tensor, pad: int, pads: int = PADS) -> Tensor:
        return torch.cat([tokens, tokens.new_full((tokens.size(0), pads), pad)], dim=1)

    def move(self, one: Tensor, other: Tensor) -> float:
        """How far scores moved; infinite where a number became NaN or infinite."""
        difference = (one - other).abs()
        same = (one == other) | (one.isnan() & other.isnan())
        largest = torch.where(same, torch.zeros_like(difference), difference).amax().item() if one.numel() else 0.0
        return float("inf") if largest != largest else largest / self.scale


def examine(model: nn.Module, adapter: Adapter, dtype: torch.dtype | None) -> Subject:
    """Find out how the model is called, within `borrowed`. Raises CannotCall with what to write otherwise."""
    facts = read_facts(model, adapter)
    tried: list[str] = []
    n, s, t = SENTENCES, SRC_LEN, TRG_LEN
    for lengths in ((n, s, t), (n, t, t), (t, t, t)):
        for form in forms(model, adapter, facts):
            try:
                subject = attempt(model, form, facts, dtype, *lengths)
            except CannotCall:
                raise
            except Exception as error:
                tried.append(f"{form.name}: {type(error).__name__}: {first_line(error)}")
                continue
            subject.equal_lengths, subject.square = lengths != (n, s, t), lengths == (t, t, t)
            subject.generate = adapter.generate
            subject.unequal = tried[0].partition(": ")[2] if tried else ""
            return subject
    shown = "\n".join(f"  {line}" for line in dict.fromkeys(tried))
    raise CannotCall(f"no way to call the model was found. Tried:\n{shown}\n{HOW_TO_TELL}")


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def attempt(model: nn.Module, form: Form, facts: Facts, dtype: torch.dtype | None, n: int, s: int, t: int) -> Subject:
    """Call the model once; see which tables its ids go to, and how many scores come out."""
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    special = {facts.src_pad_idx, facts.trg_pad_idx}
    pool = [i for i in range(EXAMPLE_IDS + len(special)) if i not in special][1:EXAMPLE_IDS]
    generator = torch.Generator().manual_seed(0)
    src, trg = (torch.tensor(pool)[torch.randint(len(pool), (n, k), generator=generator)].to(device) for k in (s, t))
    looked_up: list[tuple[nn.Embedding, Tensor]] = []
    handles = [
        module.register_forward_hook(
            lambda m, args, out: looked_up.append((m, args[0])) if args and isinstance(args[0], Tensor) else None
        )
        for module in model.modules()
        if isinstance(module, nn.Embedding)
    ]
    fails = ""
    try:
        try:
            with torch.no_grad():
                answer = form.call(src, trg)
        except Exception as error:  # nn.Transformer's fast path refuses some masks that the slow one takes
            fails = f"{type(error).__name__}: {first_line(error)}"
            looked_up.clear()
            with torch.enable_grad():
                answer = form.call(src, trg)
    finally:
        for handle in handles:
            handle.remove()
    form.flat = isinstance(answer, Tensor) and answer.dim() == 2
    scores = pick(answer, n, t, form)
    if scores is None:
        raise ValueError(f"its answer holds no scores (n={n}, t={t}, v): got {shapes(answer)}")
    tables: dict[str, nn.Parameter | Tensor] = {k: v for k, v in form.own_tables.items() if k in ("src", "trg")}
    sizes = {side: table.size(0) for side, table in tables.items()}
    for embedding, ids in looked_up:
        for side, tokens in (("src", src), ("trg", trg)):
            if side not in sizes and same_ids(ids, tokens):
                tables[side], sizes[side] = embedding.weight, embedding.num_embeddings
        if torch.equal(ids.flatten()[:t].cpu(), torch.arange(min(t, ids.numel()))):
            tables.setdefault("positions", embedding.weight)
    facts = complete(facts, tables, form, model)
    used = {id(embedding) for embedding, _ in looked_up}
    unused = [m.num_embeddings for m in model.modules() if isinstance(m, nn.Embedding) and id(m) not in used]
    src_vocab = facts.src_vocab_size or sizes.get("src") or next(iter(unused), None)
    trg_vocab = facts.trg_vocab_size or sizes.get("trg") or scores.size(-1)
    if src_vocab is None:
        raise CannotCall(f"the size of the source's vocabulary could not be read from the model. {HOW_TO_TELL}")
    return Subject(
        model=model,
        form=form,
        facts=facts,
        src_vocab=src_vocab,
        trg_vocab=trg_vocab,
        exact=DOUBLE if dtype is torch.float64 else SINGLE,
        tables=tables,
        scale=spread(scores),
        fails_without_grad=fails,
    )


def spread(scores: Tensor) -> float:
    """The standard deviation of what is finite; 1 where that is no help."""
    finite = scores[scores.isfinite()].double()
    return (finite.std().item() if finite.numel() > 1 else 0.0) or 1.0


def same_ids(ids: Tensor, tokens: Tensor) -> bool:
    """Whether an embedding read these tokens, in either layout, or all but the last of them."""
    return any(torch.equal(ids, read) for read in (tokens, tokens.T, tokens[:, :-1], tokens.T[:-1]))


def shapes(answer: object) -> str:
    if isinstance(answer, Tensor):
        return str(tuple(answer.shape))
    if isinstance(answer, Sequence):
        return ", ".join(shapes(part) for part in answer) or "nothing"
    return type(answer).__name__


def complete(facts: Facts, tables: dict[str, nn.Parameter | Tensor], form: Form, model: nn.Module) -> Facts:
    """Padding from the tables' `padding_idx` and the limit from a table of positions, where nobody said."""
    where = dict(facts.where)
    found: dict[str, int | None] = {}
    for side in ("src", "trg"):
        field = f"{side}_pad_idx"
        if form.own_pads:
            found[field], where[field] = 0, "of the embeddings lent to it"
        elif getattr(facts, field) is None and field not in where:
            table = next(
                (m for m in model.modules() if isinstance(m, nn.Embedding) and m.weight is tables.get(side)), None
            )
            if table is not None and table.padding_idx is not None:
                found[field], where[field] = table.padding_idx, "the embedding's padding_idx"
    if facts.max_length is None and "positions" in tables:
        found["max_length"], where["max_length"] = tables["positions"].size(0), "rows of the table of positions"
    if form.own_pads:
        found["max_length"], where["max_length"] = None, ""
    return replace(facts, where={k: v for k, v in where.items() if v}, **found)  # type: ignore[arg-type]
