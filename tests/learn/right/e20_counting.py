"""Counting, rightly, in other ways than the solution's: mostly by building the thing and measuring it."""

from itertools import pairwise

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from glassformer import Transformer
from glassformer.model.cache import Cache


def by_torch_layers(src: int, trg: int, e: int, f: int, layers: int, heads: int, tied: bool) -> int:
    """torch's own layers, without memory for their numbers, plus the tables."""
    parts: list[nn.Module] = [nn.TransformerEncoderLayer(e, heads, f, device="meta") for _ in range(layers)]
    parts += [nn.TransformerDecoderLayer(e, heads, f, device="meta") for _ in range(layers)]
    parts += [nn.Linear(e, trg, device="meta")]
    if not tied:
        parts += [nn.Embedding(src, e, device="meta"), nn.Embedding(trg, e, device="meta")]
    return sum(parameter.numel() for part in parts for parameter in part.parameters())


def by_our_model(src: int, trg: int, e: int, f: int, layers: int, heads: int, tied: bool) -> int:
    """Untied on the meta device, minus the two tables that tying saves (that device would untie them)."""
    e_even = e + e % 2
    if layers == 0 or e_even != e:
        return by_torch_layers(src, trg, e, f, layers, heads, tied)
    model = Transformer(src, trg, 0, 0, e, layers, f / e, heads, device="meta", positions="sinusoidal")
    return sum(parameter.numel() for parameter in model.parameters()) - (2 * trg * e if tied else 0)


def by_a_list_of_matrices(src: int, trg: int, e: int, f: int, layers: int, heads: int, tied: bool) -> float:
    shapes = [(e, e)] * 12 + [(1, e)] * 12 + [(e, f), (1, f), (f, e), (1, e)] * 2 + [(1, e)] * 10
    tables = [(trg, e)] if tied else [(src, e), (trg, e), (e, trg)]
    return float(layers * sum(a * b for a, b in shapes) + sum(a * b for a, b in [*tables, (1, trg)]))


def by_the_flop_counter(n: int, s: int, t: int, e: int, f: int, layers: int, heads: int, trg: int) -> int:
    """Counted by torch while torch's own products run, on tensors without memory."""
    d = e // heads

    def linear(x: torch.Tensor, size: int) -> torch.Tensor:
        return x @ torch.empty(x.size(-1), size, device="meta")

    def attention(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        queries, keys, values = (linear(z, heads * d).unflatten(-1, (heads, d)).transpose(1, 2) for z in (x, y, y))
        out = (queries @ keys.mT).softmax(-1) @ values
        return linear(out.transpose(1, 2).flatten(2), e)

    if e % heads:  # heads do not matter, but must divide e to be built
        heads, d = 1, e
    with FlopCounterMode(display=False) as counter:
        source, target = torch.empty(n, s, e, device="meta"), torch.empty(n, t, e, device="meta")
        for _ in range(layers):
            source = linear(linear(attention(source, source), f), e)
        for _ in range(layers):
            target = linear(linear(attention(attention(target, target), source), f), e)
        linear(target, trg)
    return int(counter.get_total_flops())


def by_our_model_counted(n: int, s: int, t: int, e: int, f: int, layers: int, heads: int, trg: int) -> int:
    heads = heads if e % heads == 0 else 1
    model = Transformer(9, trg, 0, None, e, layers, f / e, heads, positions="sinusoidal")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.ones(n, s, dtype=torch.long), torch.ones(n, t, dtype=torch.long))
    return int(counter.get_total_flops())


def by_one_formula(n: int, s: int, t: int, e: int, f: int, layers: int, heads: int, trg: int) -> int:
    per_layer = e * (8 * e * s + 4 * f * s + 4 * s**2) + e * (12 * e * t + 4 * f * t + 4 * t**2 + 4 * e * s + 4 * t * s)
    return n * layers * per_layer + 2 * n * t * e * trg


def by_a_real_cache(n: int, s: int, t: int, e: int, layers: int, heads: int, each: int) -> int:
    """The bytes of the tensors that our decoder keeps, whatever a number takes there."""
    heads = heads if e % heads == 0 else 1
    model = Transformer(9, 9, 0, None, e, layers, 2, heads, positions="none").double()
    cache = Cache(layers)
    with torch.no_grad():
        src = torch.ones(n, s, dtype=torch.long)
        model.decode(torch.ones(n, t, dtype=torch.long), model.encode(src), model.make_src_mask(src), cache)
    kept = [tensor for layer in cache.layers for part in layer if part for tensor in part.kept or ()]
    return sum(tensor.nbytes for tensor in kept) // 8 * each


def by_token(n: int, s: int, t: int, e: int, layers: int, heads: int, each: int) -> int:
    return sum(2 * each * e for _ in range(n) for _ in range(layers) for _ in range(s + t))


def by_growing(n: int, s: int, t: int, e: int, layers: int, heads: int, each: int) -> int:
    sizes = [2 * layers * n * e * each * positions for positions in range(s, s + t + 1)]
    return sizes[0] + sum(after - before for before, after in pairwise(sizes))


RIGHT = {
    "count_parameters": [by_torch_layers, by_our_model, by_a_list_of_matrices],
    "count_flops": [by_the_flop_counter, by_our_model_counted, by_one_formula],
    "cache_bytes": [by_a_real_cache, by_token, by_growing],
}
