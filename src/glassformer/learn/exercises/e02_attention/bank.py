"""02: attention and the ways in which it goes wrong."""

import math

import torch
from torch import Tensor, einsum

from glassformer.learn.checker.measure import temperature, temperature_sentence
from glassformer.learn.exercise import Bank, Function, Part, Probe, Property, Wrong
from glassformer.learn.exercises.e02_attention.mistakes import MISTAKES
from glassformer.learn.weights import normal


def attention(wrong: Wrong, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    d = queries.size(-1)
    energy = einsum("nqhd,nkhd->nhqk", queries, keys)
    if "keys-viewed-not-transposed" in wrong:
        by_head = queries.transpose(1, 2), keys.transpose(1, 2)
        energy = by_head[0] @ by_head[1].reshape(*by_head[1].shape[:2], d, -1)
    scale = 1 / math.sqrt(d)
    for name, other in (
        ("scale-missing", 1.0),
        ("scale-without-root", 1 / d),
        ("scale-inverted", math.sqrt(d)),
        ("scale-sqrt-value-width", 1 / math.sqrt(values.size(-1))),
        ("scale-sqrt-length", 1 / math.sqrt(keys.size(1))),
    ):
        if name in wrong:
            scale = other
    after = "scale-after-softmax" in wrong
    scaled = energy if after else energy * scale
    axis = -2 if "softmax-over-queries" in wrong else 0 if "softmax-over-batch" in wrong else -1
    weights = scaled.softmax(dim=axis)
    mixed = einsum("nhqk,nkhm->nqhm", weights * scale if after else weights, values)
    if "merge-without-transpose" in wrong:
        mixed = mixed.transpose(1, 2).reshape(mixed.shape)
    return mixed


def random_inputs(seed: int, n: int, q: int, k: int, h: int, d: int, m: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        normal(n, q, h, d, generator=generator),
        normal(n, k, h, d, generator=generator),
        normal(n, k, h, m, generator=generator),
    )


def probes() -> list[Probe]:
    return [
        Probe(label="all sizes different", arguments=random_inputs(1, n=2, q=4, k=5, h=3, d=6, m=7)),
        Probe(label="as many queries as keys", arguments=random_inputs(2, n=3, q=5, k=5, h=2, d=4, m=3)),
        Probe(label="one sentence, one query", arguments=random_inputs(3, n=1, q=1, k=6, h=2, d=3, m=5)),
    ]


def examples() -> list[Probe]:
    queries = torch.tensor([[[[2.0, 0, 0, 0]], [[0, 4, 0, 0]]]], dtype=torch.float64)
    keys = torch.tensor([[[[1.0, 0, 0, 0]], [[0, 1, 0, 0]], [[1, 1, 0, 0]]]], dtype=torch.float64)
    values = torch.tensor([[[[10.0]], [[20]], [[40]]]], dtype=torch.float64)
    return [
        Probe(label="two queries, three keys", arguments=(queries, keys, values)),
        Probe(label="two heads", arguments=tuple(torch.cat([x, x], dim=2) for x in (queries, keys, values))),
        Probe(label="two sentences", arguments=tuple(torch.cat([x, x.flip(1)]) for x in (queries, keys, values))),
    ]


def weights_of(function: Function, queries: Tensor, keys: Tensor) -> Tensor:
    """The attention weights (n, h, q, k), read by giving each key its own unit vector as value."""
    n, k, h, _ = keys.shape
    identity = torch.eye(k, dtype=keys.dtype).view(1, k, 1, k).expand(n, k, h, k).clone()
    read: Tensor = function(queries, keys, identity)
    return read.transpose(1, 2)


def rows_add_up_to_one(function: Function) -> bool:
    queries, keys, _ = random_inputs(4, n=2, q=3, k=5, h=2, d=4, m=1)
    sums = weights_of(function, queries, keys).sum(dim=-1)
    return torch.allclose(sums, torch.ones_like(sums))


def sentences_do_not_mix(function: Function) -> bool:
    queries, keys, values = random_inputs(5, n=2, q=3, k=4, h=2, d=4, m=3)
    alone = function(queries[:1], keys[:1], values[:1])
    return torch.allclose(function(queries, keys, values)[:1], alone)


def key_order_does_not_matter(function: Function) -> bool:
    queries, keys, values = random_inputs(6, n=2, q=3, k=4, h=2, d=4, m=3)
    order = [2, 0, 3, 1]
    return torch.allclose(function(queries, keys[:, order], values[:, order]), function(queries, keys, values))


def read_temperature(function: Function) -> str | None:
    queries, keys, _ = random_inputs(7, n=2, q=4, k=5, h=3, d=16, m=1)
    found = temperature(weights_of(function, queries, keys), einsum("nqhd,nkhd->nhqk", queries, keys))
    sizes = {"d": 16, "k": 5, "h d": 48, "h": 3}
    return None if found is None else temperature_sentence(found, sizes, "1/sqrt(d)", 0.25)


BANK = Bank(
    parts=(
        Part(
            function="attention",
            asked="softmax(Q K^T / sqrt(d)) V, softmax over the keys",
            result="n q h m",
            reference=attention,
            mistakes=MISTAKES,
            probes=probes,
            examples=examples,
            properties=(
                Property(says="the weights of one query add up to 1", holds=rows_add_up_to_one),
                Property(says="a sentence's answer does not depend on the others", holds=sentences_do_not_mix),
                Property(says="the order of the keys does not matter", holds=key_order_does_not_matter),
            ),
            readers=(read_temperature,),
            shortcuts=("scaled_dot_product_attention",),
        ),
    )
)
