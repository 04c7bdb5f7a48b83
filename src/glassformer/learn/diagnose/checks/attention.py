"""Inside the attentions: found by the names of their projections, caught at work, compared with formulas.

A mistake is named only where its formula gives every caught number to nine digits and the right formula does not.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from glassformer.learn.diagnose.checks.formulas import WRONG, Formula, Inside, constant, distance, wrong_formulas
from glassformer.learn.diagnose.report import Report
from glassformer.learn.diagnose.subject import Subject

BEFORE, AFTER = "to_?|w_?|fc_?|lin(?:ear)?_?|proj_?|layer_?", "proj|projection|lin|linear|layer|net|w|weights?|fc"
AROUND = f"^(?:{BEFORE})?({{}})(?:_?(?:{AFTER}))?s?$"
ROLES = {
    "queries": re.compile(AROUND.format("q|qs|query|queries"), re.I),
    "keys": re.compile(AROUND.format("k|ks|key|keys"), re.I),
    "values": re.compile(AROUND.format("v|vs|value|values"), re.I),
}
LAST = re.compile(r"out|^(w|fc|lin|linear)?_?o(_?(proj|linear))?$|^fc$|^proj|^dense$|concat|combine|merge", re.I)
HEADS = ("heads", "num_heads", "n_heads", "n_head", "nhead", "nheads", "h", "head_num", "num_attention_heads")
LIBRARIES = ("torch.", "transformers.")  # what these compute is theirs to choose


@dataclass(frozen=True)
class Parts:
    """An attention and its four projections."""

    name: str
    module: nn.Module
    queries: nn.Module
    keys: nn.Module
    values: nn.Module
    out: nn.Module | None

    def layers(self) -> dict[str, nn.Module]:
        """Where its numbers are caught."""
        own = {"queries": self.queries, "keys": self.keys, "values": self.values}
        return own | {"merged": self.out if self.out is not None else self.module}

    @property
    def heads(self) -> int | None:
        """How many heads it says it has."""
        for name in HEADS:
            value = self.module.__dict__.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return value
        return None


def find(model: nn.Module) -> list[Parts]:
    """Every module with three projections named like queries, keys and values, or with a list of four of them."""
    found = []
    for name, module in model.named_modules():
        linears = {n: m for n, m in module.named_children() if isinstance(m, nn.Linear)}
        roles = {role: [m for n, m in linears.items() if pattern.match(n)] for role, pattern in ROLES.items()}
        rest = [(n, m) for n, m in linears.items() if not any(pattern.match(n) for pattern in ROLES.values())]
        if all(len(of_role) == 1 for of_role in roles.values()):
            last = [m for n, m in rest if LAST.search(n)] or [m for _, m in rest]
            q, k, v = (roles[role][0] for role in ("queries", "keys", "values"))
            found.append(Parts(name, module, q, k, v, last[0] if len(last) == 1 else None))
            continue
        for child in module.children():
            if isinstance(child, nn.ModuleList) and all(isinstance(m, nn.Linear) for m in child):
                four = [*child, *([rest[0][1]] if len(child) == 3 and len(rest) == 1 else [])]
                if len(four) == 4:
                    found.append(Parts(name, module, *four))
    return found


@contextmanager
def catching(modules: dict[str, nn.Module]) -> Iterator[dict[str, Any]]:
    """What each of these modules was given and what it gave, by name; the last call counts."""
    caught: dict[str, Any] = {}
    with calls(modules) as every:
        yield caught
    caught.update({name: each[-1] for name, each in every.items()})


@contextmanager
def calls(modules: dict[str, nn.Module]) -> Iterator[dict[str, list[tuple[Any, Any]]]]:
    """Every call of these modules, by name: the first tensor each was given, and the first it gave."""
    seen: dict[str, list[tuple[Any, Any]]] = {}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, kwargs: Any, output: Any) -> None:
            given = next((x for x in (*inputs, *kwargs.values()) if isinstance(x, Tensor)), None)
            gave = output[0] if isinstance(output, tuple) else output
            kept = [x.detach().clone() if isinstance(x, Tensor) else None for x in (given, gave)]
            seen.setdefault(name, []).append((kept[0], kept[1]))

        return hook

    handles = [module.register_forward_hook(keep(name), with_kwargs=True) for name, module in modules.items()]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def flat(x: Tensor | None, n: int, lengths: tuple[int, ...]) -> Tensor | None:
    """(n, l, e) from (n, l, e), (l, n, e), (n, l, h, d) or (n, h, l, d); None where it is none of them."""
    if x is None:
        return None
    if x.dim() == 4 and x.size(0) == n:
        if x.size(1) not in lengths and x.size(2) in lengths:
            x = x.transpose(1, 2)
        x = x.flatten(2)
    if x.dim() != 3:
        return None
    if x.size(0) == n and x.size(1) in lengths:
        return x
    return x.transpose(0, 1) if x.size(1) == n and x.size(0) in lengths else None


def insides(subject: Subject, parts: list[Parts]) -> tuple[list[tuple[Parts, Inside]], list[str]]:
    """Every attention caught over sentences with padding, and the names of those that could not be read."""
    src, trg = subject.batch(20)
    src_words, trg_words = torch.ones_like(src, dtype=torch.bool), torch.ones_like(trg, dtype=torch.bool)
    facts = subject.facts
    if facts.src_pad_idx is not None and not subject.equal_lengths:
        src[1, -2:] = src[2, -1:] = facts.src_pad_idx
        src_words = src != facts.src_pad_idx
    if facts.trg_pad_idx is not None:
        trg[1, -2:] = trg[2, -1:] = facts.trg_pad_idx
        trg_words = trg != facts.trg_pad_idx
    n, s, t = src.size(0), src.size(1), subject.scores(src, trg).size(1)
    trg_words = trg_words[:, :t]
    with calls({f"{part.name}.{role}": layer for part in parts for role, layer in part.layers().items()}) as seen:
        subject.scores(src, trg)
    read, unread = [], []
    for part in parts:
        each = [seen.get(f"{part.name}.{role}", []) for role in (*ROLES, "merged")]
        if [len(calls_of) for calls_of in each] != [1, 1, 1, 1]:
            unread.append(part.name)
            continue
        merged_at = 0 if part.out is not None else 1  # what the last layer was given; without one, what came out
        q, k, v = (flat(calls_of[0][1], n, (s, t)) for calls_of in each[:3])
        merged = flat(each[3][0][merged_at], n, (s, t))
        if q is None or k is None or v is None or merged is None or not q.size(2) == k.size(2) == v.size(2):
            unread.append(part.name)
            continue
        kind = {(s, s): "encoder", (t, t): "decoder", (t, s): "cross"}.get((q.size(1), k.size(1)))
        if kind is None or merged.shape != q.shape or v.shape != k.shape or s == t:
            unread.append(part.name)
            continue
        asking = src_words if kind == "encoder" else trg_words
        answering = trg_words if kind == "decoder" else src_words
        read.append((part, Inside(part.name, q, k, v, merged, kind, asking, answering)))
    return read, unread


def head_counts(part: Parts, width: int) -> list[int]:
    """Its own number where it says one, otherwise every divisor."""
    said = part.heads
    return [said] if said and width % said == 0 else [h for h in range(1, width + 1) if width % h == 0]


def attentions(subject: Subject, report: Report) -> None:
    """Heads, scale, softmax, masks and projections of every attention that can be read."""
    parts = find(subject.model)
    shared_projection(parts, report)
    read, unread = insides(subject, parts)
    wrong: dict[tuple[str, str], list[tuple[Parts, Inside, Formula, int]]] = {}
    right = 0
    for part, inside in read:
        counts = head_counts(part, inside.queries.size(2))
        equal = 1e-9 if subject.exact.moved < 1e-5 else 1e-4
        if any(distance(inside, Formula(), h, order) <= equal for h in counts for order in ("right", "interleaved")):
            right += 1
            continue
        named = name_it(inside, counts, equal)
        if named is None or type(part.module).__module__.startswith(LIBRARIES):
            unread.append(part.name)
            continue
        formula, heads = named
        for axis, choice in formula.wrong().items():
            wrong.setdefault((axis, choice), []).append((part, inside, formula, heads))
    for (axis, choice), places in wrong.items():
        if (axis, choice) == ("mask", "none") and places[0][1].kind != "decoder":
            continue  # perhaps the mask of another id: the checks of padding tell
        report.found(*finding(axis, choice, places, len(read)))
    torch_own = sum(isinstance(module, nn.MultiheadAttention) for module in subject.model.modules())
    if torch_own:
        report.note(
            "torch-attention", f"{torch_own} attentions are torch.nn.MultiheadAttention: their formula is right."
        )
    if unread:
        report.skip(
            "formulas of the attentions",
            f"{len(unread)} of {len(parts)} could not be read as softmax(q . k / c) v, first {unread[0] or 'model'}",
        )
    elif not parts and not torch_own:
        report.skip(
            "formulas of the attentions", "no module with projections named like queries, keys, values was found"
        )


def name_it(inside: Inside, counts: list[int], equal: float) -> tuple[Formula, int] | None:
    """The one wrong formula that gives the caught numbers; None where there is none, or more than one kind."""
    for formulas in wrong_formulas():
        hits = [(f, h) for f in formulas for h in counts if distance(inside, f, h) <= equal]
        if hits:
            kinds = {tuple(f.wrong().items()) for f, _ in hits}
            return hits[0] if len(kinds) == 1 else simplest(hits)
    return None


def simplest(hits: list[tuple[Formula, int]]) -> tuple[Formula, int] | None:
    """Formulas that coincide: named where they differ in the constant only, by the first of the list."""
    axes = {tuple(f.wrong()) for f, _ in hits}
    return hits[0] if len(axes) == 1 else None


MASK_FINDINGS = {
    "inverted": "mask-polarity",
    "padding inverted": "mask-polarity",
    "rows": "pad-mask-on-query-axis",
    "strict": "diagonal-hidden",
    "other triangle": "look-ahead-inverted",
}


def finding(axis: str, choice: str, places: list[tuple[Parts, Inside, Formula, int]], total: int) -> tuple[str, str]:
    """Which finding a wrong choice is, and its witness."""
    part, inside, _, heads = places[0]
    e = inside.queries.size(2)
    where = f"in {len(places)} of {total} attentions, first model.{part.name} ({heads} heads, {e} channels)"
    says = WRONG[axis][choice]
    if axis == "scale":
        measured = constant(choice, heads, e, inside.keys.size(1))
        asked = constant("right", heads, e, inside.keys.size(1))
        witness = f"scores are q . k x {measured:.4g}, {says}; asked is x {asked:.4g} = 1/sqrt({e // heads}); {where}."
        return "wrong-scale", witness
    names = {"split": "heads-split-wrong", "merge": "heads-merged-wrong", "softmax": "softmax-axis"}
    names |= {"values": "projections-swapped"}
    if axis == "apply":
        name = "mask-after-softmax" if choice == "after" else "mask-fill-too-small"
    elif axis == "mask":
        late = "future-leak" if inside.kind == "decoder" else "padding-leak-source"
        name = MASK_FINDINGS.get(choice, late)
    else:
        name = names[axis]
    return name, f"its output equals the formula with {says} in every digit, and not the right one; {where}."


def shared_projection(parts: list[Parts], report: Report) -> None:
    """One d x d matrix for all heads, seen in its size."""
    for part in parts:
        heads, last, first = part.heads or 1, part.out, part.queries
        if heads > 1 and isinstance(last, nn.Linear) and isinstance(first, nn.Linear):
            d = first.in_features
            if d * heads == last.in_features:
                report.found(
                    "heads-share-projection",
                    f"model.{part.name} has {heads} heads and one projection of {d} x {d} for all of them; asked is "
                    f"one of {heads * d} x {heads * d}, the heads' side by side.",
                )
                return
