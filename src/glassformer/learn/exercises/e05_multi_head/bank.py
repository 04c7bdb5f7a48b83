"""05: multi-head attention and the ways in which it goes wrong."""

import math

import torch
from torch import Tensor, einsum

from glassformer.learn.checker.measure import temperature, temperature_sentence
from glassformer.learn.checker.show import written
from glassformer.learn.exercise import Bank, Function, Part, Probe, Property, Wrong
from glassformer.learn.exercises.e05_multi_head.mistakes import MISTAKES
from glassformer.learn.weights import AttentionWeights, attention_weights, normal

Inputs = tuple[Tensor, Tensor, AttentionWeights, int, Tensor]


def multi_head(wrong: Wrong, query: Tensor, key: Tensor, weights: AttentionWeights, heads: int, mask: Tensor) -> Tensor:
    to_queries, to_keys, to_values, fc_out = weights
    if "k-v-swapped" in wrong:
        to_keys, to_values = to_values, to_keys
    if "q-k-swapped" in wrong:
        to_queries, to_keys = to_keys, to_queries
    if "projections-transposed" in wrong:
        to_queries, to_keys, to_values = to_queries.T, to_keys.T, to_values.T
    queries = cut(wrong, query if "queries-not-projected" in wrong else query @ to_queries, heads)
    keys = cut(wrong, (query if "keys-from-queries" in wrong else key) @ to_keys, heads)
    values = cut(wrong, (query if "values-from-queries" in wrong else key) @ to_values, heads)

    width = query.size(-1) if "scale-sqrt-model" in wrong else queries.size(-1)
    energy = einsum("nqhd,nkhd->nhqk", queries, keys) / math.sqrt(width)
    if "mask-ignored" not in wrong:
        energy = energy.masked_fill(~mask, torch.finfo(energy.dtype).min)
    attention = energy.softmax(dim=1 if "softmax-over-heads" in wrong else -1)
    heads_out = einsum("nhqk,nkhd->nqhd", attention, values)

    if "heads-averaged" in wrong:
        heads_out = heads_out.mean(dim=2, keepdim=True).expand_as(heads_out)
    out = merged(wrong, heads_out)
    if "wo-missing" in wrong:
        return out
    return out @ (fc_out.T if "wo-transposed" in wrong else fc_out)


def cut(wrong: Wrong, x: Tensor, heads: int) -> Tensor:
    """(n, t, e) to (n, t, h, d)."""
    n, t, e = x.shape
    if "view-without-transpose" in wrong:
        return x.reshape(n, heads, t, e // heads).transpose(1, 2)
    if "heads-interleaved" in wrong:
        return x.reshape(n, t, e // heads, heads).transpose(2, 3)
    return x.reshape(n, t, heads, e // heads)


def merged(wrong: Wrong, heads_out: Tensor) -> Tensor:
    """(n, q, h, d) to (n, q, e)."""
    n, q, h, d = heads_out.shape
    if "merge-without-transpose" in wrong:
        return heads_out.transpose(1, 2).reshape(n, q, h * d)
    if "merge-head-minor" in wrong:
        return heads_out.transpose(2, 3).reshape(n, q, h * d)
    return heads_out.reshape(n, q, h * d)


def random_inputs(seed: int, n: int, q: int, k: int, heads: int, e: int, mask: Tensor | None = None) -> Inputs:
    """Words and weights; a mask of its own for each head in which each pair is seen by one of them, if none is given.

    So a softmax over the heads means the same for every fill of the hidden scores.
    """
    generator = torch.Generator().manual_seed(seed)
    query, key = normal(n, q, e, generator=generator), normal(n, k, e, generator=generator)
    weights = attention_weights(e, generator, std=1.3 * e**-0.5)
    if mask is None:
        row, column, head = torch.arange(q)[:, None], torch.arange(k), torch.arange(heads)[:, None, None]
        shift = torch.randint(3, (n, 1, 1, 1), generator=generator)
        mask = (row + column + head + shift) % 3 != 0
    return query, key, weights, heads, mask


def to_itself(inputs: Inputs) -> Inputs:
    query, _, weights, heads, mask = inputs
    return query, query, weights, heads, mask


def padding(*lengths: int, k: int) -> Tensor:
    return (torch.arange(k) < torch.tensor(lengths)[:, None])[:, None, None]


def look_ahead(length: int) -> Tensor:
    return torch.ones(1, 1, length, length, dtype=torch.bool).tril()


def probes() -> list[Probe]:
    return [
        Probe(label="another text, longer", arguments=random_inputs(1, n=2, q=4, k=5, heads=3, e=12)),
        Probe(label="another text, equally long", arguments=random_inputs(2, n=2, q=5, k=5, heads=3, e=12)),
        Probe(
            label="to itself, with the look-ahead mask",
            arguments=to_itself(random_inputs(4, n=2, q=6, k=6, heads=3, e=12, mask=look_ahead(6))),
        ),
        Probe(
            label="another text, with padding",
            arguments=random_inputs(5, n=2, q=3, k=6, heads=4, e=20, mask=padding(6, 4, k=6)),
        ),
    ]


def whole(*rows: list[int]) -> Tensor:
    return torch.tensor([list(row) for row in rows], dtype=torch.float64)


def examples() -> list[Probe]:
    eye = torch.eye(4, dtype=torch.float64)
    plain = AttentionWeights(eye, eye, eye, eye)
    mixed = AttentionWeights(
        whole([1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]),
        whole([1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]),
        whole([2, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]),
        whole([1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 1, 0, 3]),
    )
    words, others = whole([1, 0, 2, 0], [0, 1, 0, 3])[None], whole([3, 1, 0, 1], [0, 2, 1, 0])[None]
    setting = "multi_head of {}, with 2 heads, {}, and {}"
    one = "the words [[1, 0, 2, 0], [0, 1, 0, 3]] to themselves"
    two = "the words [[1, 0, 2, 0], [0, 1, 0, 3]] to the words [[3, 1, 0, 1], [0, 2, 1, 0]]"
    these = "\n  ".join(
        ["these weights:", *(f"{name:10} {written(matrix)}" for name, matrix in mixed._asdict().items())]
    )
    sees_all, sees_past = torch.ones(1, 1, 2, 2, dtype=torch.bool), look_ahead(2)
    return [
        Probe(
            label="all weights the unit matrix, look-ahead",
            arguments=(words, words, plain, 2, sees_past),
            shown=setting.format(one, "look-ahead mask", "all four weights the unit matrix"),
        ),
        Probe(
            label="all weights the unit matrix",
            arguments=(words, words, plain, 2, sees_all),
            shown=setting.format(one, "nothing hidden", "all four weights the unit matrix"),
        ),
        Probe(
            label="other weights",
            arguments=(words, others, mixed, 2, sees_all),
            shown=setting.format(two, "nothing hidden", these),
        ),
    ]


def a_head_without_output_has_no_effect(function: Function) -> bool:
    query, key, weights, heads, mask = random_inputs(7, n=2, q=3, k=4, heads=3, e=12)
    unread, louder = weights.fc_out.clone(), weights.to_queries.clone()
    unread[4:8] = 0
    louder[:, 4:8] *= 3
    before = weights._replace(fc_out=unread)
    after = before._replace(to_queries=louder)
    return torch.allclose(function(query, key, before, heads, mask), function(query, key, after, heads, mask))


def a_later_word_changes_nothing(function: Function) -> bool:
    query, _, weights, heads, mask = random_inputs(8, n=2, q=5, k=5, heads=3, e=12, mask=look_ahead(5))
    other = query.clone()
    other[:, 3:] += 1
    before, after = (function(x, x, weights, heads, mask)[:, :3] for x in (query, other))
    return torch.allclose(before, after)


def words_all_alike_pass_through(function: Function) -> bool:
    query, key, weights, heads, _ = random_inputs(9, n=2, q=3, k=4, heads=3, e=12)
    alike, everything = key[:, :1].expand_as(key).clone(), torch.ones(1, 1, 1, 4, dtype=torch.bool)
    expected = (alike[:, :1] @ weights.to_values @ weights.fc_out).expand(-1, 3, -1)
    return torch.allclose(function(query, alike, weights, heads, everything), expected)


def every_matrix_counts(function: Function) -> bool:
    query, key, weights, heads, mask = random_inputs(10, n=2, q=3, k=4, heads=3, e=12)
    before = function(query, key, weights, heads, mask)
    others = [weights._replace(**{name: matrix * 1.5}) for name, matrix in weights._asdict().items()]
    return all(not torch.allclose(function(query, key, other, heads, mask), before) for other in others)


def read_temperature(function: Function) -> str | None:
    """The keys are unit vectors and pass to the output unchanged, so that each head's answer is its weights."""
    heads, d = 3, 4
    e = heads * d
    generator = torch.Generator().manual_seed(11)
    query, key = normal(2, 3, e, generator=generator), torch.eye(d, e, dtype=torch.float64).expand(2, d, e).clone()
    to_values = torch.zeros(e, e, dtype=torch.float64)
    to_values[:d] = torch.eye(d, dtype=torch.float64).repeat(1, heads)
    drawn = attention_weights(e, generator, std=0.7)
    weights = drawn._replace(to_values=to_values, fc_out=torch.eye(e, dtype=torch.float64))
    out: Tensor = function(query, key, weights, heads, torch.ones(1, 1, 1, d, dtype=torch.bool))
    attention = out.view(2, 3, heads, d).transpose(1, 2)
    queries, keys = ((x @ w).view(2, -1, heads, d) for x, w in ((query, drawn.to_queries), (key, drawn.to_keys)))
    found = temperature(attention, einsum("nqhd,nkhd->nhqk", queries, keys))
    sizes = {"d": d, "e": e, "h": heads}
    return None if found is None else temperature_sentence(found, sizes, "1/sqrt(d)", 0.5)


def follows(function: Function) -> Tensor:
    """Which channel of the merged heads (column) moves with which channel of the queries (row): e = 12, 3 heads."""
    query, key, weights, heads, mask = random_inputs(12, n=2, q=3, k=4, heads=3, e=12)
    diagonal = torch.linspace(0.5, 1.6, 12, dtype=torch.float64)  # so that a transposed W^Q is the same
    weights = weights._replace(fc_out=torch.eye(12, dtype=torch.float64), to_queries=diagonal.diag())
    before = function(query, key, weights, heads, mask)
    rows = []
    for channel in range(12):
        louder = diagonal.clone()
        louder[channel] *= 2
        after = function(query, key, weights._replace(to_queries=louder.diag()), heads, mask)
        rows.append(((after - before).abs() > 1e-9).flatten(0, 1).any(dim=0))
    return torch.stack(rows)


def channels(row: Tensor) -> str:
    return "all 12" if row.all() else ", ".join(str(index) for index in row.nonzero().flatten().tolist()) or "none"


def read_first_head(function: Function) -> str | None:
    found = follows(function)
    goes_to, comes_from, expected = channels(found[0]), channels(found[:, 0]), "0, 1, 2, 3"
    if goes_to != expected:
        return f"e = 12, 3 heads: channel 0 of the queries moves these before W^O: {goes_to}; expected {expected}"
    if comes_from != expected:
        return f"e = 12, 3 heads: channel 0 before W^O follows these of the queries: {comes_from}; expected {expected}"
    return None


BANK = Bank(
    parts=(
        Part(
            function="multi_head",
            asked="(head_0, ..., head_h-1 side by side) W^O, head_i = softmax(Q_i K_i^T / sqrt(e / h)) V_i",
            result="n q e",
            reference=multi_head,
            mistakes=MISTAKES,
            probes=probes,
            examples=examples,
            properties=(
                Property(
                    says="a head whose rows of fc_out are 0 has no effect", holds=a_head_without_output_has_no_effect
                ),
                Property(says="a later word changes nothing before it", holds=a_later_word_changes_nothing),
                Property(says="key words that are all alike give key W^V W^O", holds=words_all_alike_pass_through),
                Property(says="each of the four matrices has an effect", holds=every_matrix_counts),
            ),
            readers=(read_temperature, read_first_head),
            shortcuts=("MultiheadAttention", "multi_head_attention_forward", "scaled_dot_product_attention"),
        ),
    )
)
