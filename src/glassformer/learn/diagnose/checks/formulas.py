"""The right attention and its known mistakes, as formulas of what the projections gave: one choice wrong, or two."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import combinations

import torch
from torch import Tensor, einsum


@dataclass(frozen=True)
class Formula:
    """softmax(Q K^T / sqrt(d) under a mask) V, cut into heads and merged again; each field is one choice."""

    split: str = "right"
    merge: str = "right"
    scale: str = "right"
    softmax: str = "keys"
    mask: str = "right"
    apply: str = "before"  # where the mask is applied
    values: str = "values"

    def wrong(self) -> dict[str, str]:
        """The choices that differ from the right ones."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}


# How each wrong choice reads in a witness. A channel order other than ours is a convention: learned weights permute.
WRONG: dict[str, dict[str, str]] = {
    "split": {"viewed": "(n, k, e) viewed as (n, h, k, d)"},
    "merge": {"viewed": "(n, h, q, d) viewed as (n, q, e)"},
    "scale": {
        "none": "no scale",
        "1/d": "1/head_dim",
        "1/sqrt(e)": "1/sqrt(embed_size)",
        "1/e": "1/embed_size",
        "sqrt(d)": "a product with sqrt(head_dim)",
        "d": "a product with head_dim",
        "1/sqrt(k)": "1/sqrt(number of keys)",
        "1/sqrt(h)": "1/sqrt(heads)",
    },
    "softmax": {"queries": "over the queries", "heads": "over the heads"},
    "mask": {
        "none": "no mask",
        "inverted": "the opposite of the mask",
        "padding inverted": "the look-ahead mask and the opposite of the padding mask",
        "rows": "the padding mask on the query axis",
        "strict": "a look-ahead mask that hides the diagonal",
        "one ahead": "a look-ahead mask one step too late",
        "other triangle": "the other triangle",
        "no look-ahead": "the padding mask alone",
    },
    "apply": {"after": "the mask applied after the softmax", "zero": "hidden energies filled with 0 or nearly 0"},
    "values": {
        "keys": "the keys as values",
        "swapped": "keys and values swapped",
        "queries as keys": "the queries as keys",
    },
}


@dataclass(frozen=True)
class Inside:
    """One attention as it was caught at work: (n, q, e), (n, k, e), (n, k, e) -> (n, q, e)."""

    name: str
    queries: Tensor
    keys: Tensor
    values: Tensor
    merged: Tensor
    kind: str  # encoder, decoder (both self-attention) or cross
    query_words: Tensor  # bool (n, q): which positions are words
    key_words: Tensor  # bool (n, k)

    def masks(self) -> dict[str, list[Tensor]]:
        """For each choice, the masks (n, q, k), True = may attend, that count as it. The first list are right ones."""
        n, q, k = self.queries.size(0), self.queries.size(1), self.keys.size(1)
        keys = self.key_words[:, None, :].expand(n, q, k)
        rows = self.query_words[:, :, None].expand(n, q, k)
        every = torch.ones(n, q, k, dtype=torch.bool, device=keys.device)
        if self.kind != "decoder":
            listed = {"right": [keys, keys & rows] if q == k else [keys], "none": [every], "inverted": [~keys]}
            if self.kind == "encoder":
                listed["rows"] = [rows]
            return listed
        causal = every.tril()
        return {
            "right": [keys & causal, causal, keys & rows & causal],
            "none": [every],
            "inverted": [~(keys & causal)],
            "padding inverted": [causal & ~keys],
            "rows": [rows & causal],
            "strict": [every.tril(-1) & keys, every.tril(-1)],
            "one ahead": [every.tril(1) & keys, every.tril(1)],
            "other triangle": [every.triu() & keys, every.triu(), every.triu(1) & keys, every.triu(1)],
            "no look-ahead": [keys],
        }


def constant(scale: str, heads: int, e: int, keys: int) -> float:
    """The number that q . k is multiplied by."""
    d = e // heads
    constants: dict[str, float] = {
        "right": d**-0.5,
        "none": 1.0,
        "1/d": 1 / d,
        "1/sqrt(e)": e**-0.5,
        "1/e": 1 / e,
        "sqrt(d)": d**0.5,
        "d": float(d),
        "1/sqrt(k)": keys**-0.5,
        "1/sqrt(h)": heads**-0.5,
    }
    return constants[scale]


def cut(x: Tensor, heads: int, how: str) -> Tensor:
    """(n, k, e) as (n, h, k, d)."""
    n, k, e = x.shape
    if how == "viewed":
        return x.reshape(n, heads, k, e // heads)
    if how == "interleaved":
        return x.reshape(n, k, e // heads, heads).permute(0, 3, 1, 2)
    return x.reshape(n, k, heads, e // heads).transpose(1, 2)


def joined(heads_out: Tensor, how: str) -> Tensor:
    """(n, h, q, d) as (n, q, e)."""
    n, h, q, d = heads_out.shape
    if how == "viewed":
        return heads_out.reshape(n, q, h * d)
    if how == "interleaved":
        return heads_out.permute(0, 2, 3, 1).reshape(n, q, h * d)
    return heads_out.transpose(1, 2).reshape(n, q, h * d)


def outcomes(inside: Inside, formula: Formula, heads: int, order: str = "right") -> Iterator[Tensor]:
    """What this formula gives, once for each mask and each rule for rows without a key."""
    queries, keys, values = inside.queries, inside.keys, inside.values
    if formula.values == "keys":
        values = keys
    elif formula.values == "swapped":
        keys, values = values, keys
    elif formula.values == "queries as keys":
        if queries.shape != keys.shape:
            return
        keys = queries
    split = formula.split if formula.split != "right" else order
    merge = formula.merge if formula.merge != "right" else order
    q, k, v = (cut(x, heads, split) for x in (queries, keys, values))
    scale = constant(formula.scale, heads, inside.queries.size(2), keys.size(1))
    energy = einsum("nhqd,nhkd->nhqk", q, k) * scale
    dim = {"keys": -1, "queries": -2, "heads": 1}[formula.softmax]
    for mask in inside.masks().get(formula.mask, []):
        hidden = ~mask[:, None]
        if formula.apply == "after":
            weights = [energy.softmax(dim).masked_fill(hidden, 0)]
        elif formula.apply == "zero":
            weights = [energy.masked_fill(hidden, 0).softmax(dim)]
        else:
            soft = energy.masked_fill(hidden, torch.finfo(energy.dtype).min).softmax(dim)
            weights = [soft, soft.masked_fill(hidden, 0)]
        for weight in weights:
            yield joined(weight @ v, merge)


def distance(inside: Inside, formula: Formula, heads: int, order: str = "right") -> float:
    """How far the nearest outcome is, relative to the size of what was caught; rows of padding do not count."""
    rows = inside.query_words
    caught = inside.merged[rows]
    size = caught.std().item() or 1.0
    far = [(out[rows] - caught).abs().amax().item() for out in outcomes(inside, formula, heads, order)]
    nearest: float = min((d for d in far if not math.isnan(d)), default=math.inf)
    return nearest / size


def wrong_formulas() -> Iterator[list[Formula]]:
    """Every formula with one choice wrong, then every one with two."""
    single = [(axis, choice) for axis, choices in WRONG.items() for choice in choices]
    yield [replace(Formula(), **{axis: choice}) for axis, choice in single]
    yield [replace(Formula(), **dict(pair)) for pair in combinations(single, 2) if pair[0][0] != pair[1][0]]
