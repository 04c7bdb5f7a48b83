"""04: masked attention and the ways in which it goes wrong."""

import math
from typing import Any

import torch
from torch import Tensor, einsum

from glassformer.learn.checker.measure import temperature, temperature_sentence
from glassformer.learn.checker.show import number
from glassformer.learn.exercise import Bank, Function, Part, Probe, Property, Wrong
from glassformer.learn.exercises.e04_masked_attention.mistakes import MASKED, SAFE
from glassformer.learn.weights import normal

Inputs = tuple[Tensor, Tensor, Tensor, Tensor]


def masked_attention(wrong: Wrong, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    scale = 1.0 if "scale-missing" in wrong else 1 / math.sqrt(queries.size(-1))
    scaled = queries.mul_(scale) if "input-changed-in-place" in wrong else queries * scale
    energy = einsum("nqhd,nkhd->nhqk", scaled, keys)
    if "mask-of-another-sentence" in wrong:
        mask = repeated_over_heads(mask, energy)
    if "mask-transposed" in wrong:
        mask = mask.transpose(-2, -1)
    if "mask-inverted" in wrong:
        mask = ~mask
    if "mask-ignored" in wrong:
        weights = energy.softmax(dim=-1)
    elif "masked-after-softmax" in wrong:
        weights = energy.softmax(dim=-1) * mask
    elif "mask-added-as-0-or-1" in wrong:
        weights = (energy + mask).softmax(dim=-1)
    else:
        zero, small = "zeros-instead-of-minus-inf" in wrong, "fill-too-small" in wrong
        fill = 0 if zero else -10 if small else torch.finfo(energy.dtype).min
        weights = energy.masked_fill(~mask, fill).softmax(dim=-1)
    return einsum("nhqk,nkhm->nqhm", weights, values)


def repeated_over_heads(mask: Tensor, energy: Tensor) -> Tensor:
    """One mask a sentence, repeated as a b a b where the scores' sentences and heads come as a a b b."""
    n, h = energy.shape[:2]
    if mask.size(1) > 1 or mask.size(0) == 1:
        return mask
    return mask[torch.arange(n * h) % n].view(n, h, *mask.shape[2:])


def safe_masked_attention(wrong: Wrong, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    energy = einsum("nqhd,nkhd->nhqk", queries, keys) / math.sqrt(queries.size(-1))
    fill = -1e9 if "fill-overflows-in-half" in wrong else torch.finfo(energy.dtype).min
    sees = mask.all(dim=-1, keepdim=True) if "partly-hidden-rows-emptied" in wrong else mask.any(dim=-1, keepdim=True)
    if "dead-row-NaN" in wrong or "dead-row-NaN-patched" in wrong:
        weights = energy.masked_fill(~mask, -math.inf).softmax(dim=-1)
    elif "dead-row-NaN-in-gradient" in wrong:
        added = torch.zeros_like(energy).masked_fill(~mask, -math.inf)
        weights = (energy + added).softmax(dim=-1).nan_to_num(0)
    elif "dead-row-average" in wrong:
        weights = energy.masked_fill(~mask, fill).softmax(dim=-1)
    elif "dead-row-sees-everything" in wrong:
        weights = energy.masked_fill(~(mask | ~sees), fill).softmax(dim=-1)
    else:
        weights = energy.masked_fill(~mask, fill).softmax(dim=-1).masked_fill(~sees, 0)
    out = einsum("nhqk,nkhm->nqhm", weights, values)
    return out.nan_to_num(0) if "dead-row-NaN-patched" in wrong and "dead-row-NaN" not in wrong else out


def random_vectors(seed: int, n: int, q: int, k: int, h: int, d: int, m: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        normal(n, q, h, d, generator=generator),
        normal(n, k, h, d, generator=generator),
        normal(n, k, h, m, generator=generator),
    )


def random_mask(seed: int, *shape: int) -> Tensor:
    """Each row, and each column of a square one, allows a key and hides one, however it is read."""
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) > 0.5
    for row in range(shape[-2]):
        mask[..., row, row % shape[-1]] = True
        mask[..., row, (row + 1) % shape[-1]] = False
    return mask


def padding(*lengths: int, k: int) -> Tensor:
    return (torch.arange(k) < torch.tensor(lengths)[:, None])[:, None, None]


def probes() -> list[Probe]:
    return [
        Probe(
            label="all sizes different",
            arguments=(*random_vectors(1, n=2, q=4, k=5, h=3, d=6, m=7), random_mask(1, 2, 1, 4, 5)),
        ),
        Probe(
            label="as many queries as keys",
            arguments=(*random_vectors(2, n=2, q=5, k=5, h=3, d=4, m=6), random_mask(2, 2, 1, 5, 5)),
        ),
        Probe(
            label="a mask of its own for each head",
            arguments=(*random_vectors(3, n=3, q=5, k=5, h=2, d=4, m=3), random_mask(3, 3, 2, 5, 5)),
        ),
        Probe(
            label="a padding mask, n 1 1 k",
            arguments=(*random_vectors(4, n=2, q=4, k=6, h=3, d=5, m=4), padding(5, 2, k=6)),
        ),
        Probe(
            label="one mask for all sentences",
            arguments=(*random_vectors(5, n=2, q=3, k=4, h=3, d=5, m=6), random_mask(5, 1, 1, 3, 4)),
        ),
    ]


def small_inputs() -> Inputs:
    """Three queries and keys; the values are far apart, so that what shines through shows."""
    queries = torch.tensor([[[[2.0, 0, 0, 0]], [[0, 4, 0, 0]], [[2, 2, 0, 0]]]], dtype=torch.float64)
    keys = torch.tensor([[[[1.0, 0, 0, 0]], [[0, 1, 0, 0]], [[1, 1, 0, 0]]]], dtype=torch.float64)
    values = torch.tensor([[[[10.0]], [[20]], [[9000]]]], dtype=torch.float64)
    mask = torch.tensor([[[[True, True, False], [False, True, False], [True, False, True]]]])
    return queries, keys, values, mask


def examples() -> list[Probe]:
    queries = torch.tensor([[[[1.0], [2]]]] * 2, dtype=torch.float64)
    keys = torch.tensor([[[[1.0], [1]], [[0], [0]], [[2], [2]]]] * 2, dtype=torch.float64)
    values = torch.tensor([[[[10.0], [10]], [[20], [20]], [[40], [40]]]] * 2, dtype=torch.float64)
    hides_one = torch.tensor([[[[True, True, False]]], [[[False, True, True]]]])
    return [
        Probe(label="three queries, three keys", arguments=small_inputs()),
        Probe(label="two sentences, two heads", arguments=(queries, keys, values, hides_one)),
    ]


def answer_and_gradients(function: Function, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Any:
    """The answer, and the first gradient of the sum of its squares that is NaN. Not all of them: which parts of the
    queries' and the keys' are NaN too depends on the way of writing.
    """
    inputs = [each.requires_grad_() for each in (queries, keys, values)]
    out = function(*inputs, mask)
    if not isinstance(out, Tensor) or out.isnan().any():
        return out
    if not out.requires_grad:
        return {"answer": out, "NaN in the gradient of": "(there is no gradient)"}
    of_queries, of_keys, of_values = torch.autograd.grad(out.square().sum(), inputs, materialize_grads=True)
    of_both = torch.cat([of_queries.flatten(), of_keys.flatten()])
    nan = "values" if of_values.isnan().any() else "queries and keys" if of_both.isnan().any() else "nothing"
    return {"answer": out, "NaN in the gradient of": nan}


def same_in_float16(function: Function, *inputs: Tensor) -> bool | str:
    try:
        in_half = function(*(each.half() if each.is_floating_point() else each for each in inputs))
    except RuntimeError as error:  # told from other errors in float16, which keep their own text
        if "overflow" not in str(error):
            raise
        return "a number that is too large for float16"
    return torch.allclose(in_half.double(), function(*inputs).double(), rtol=0.02, atol=0.02)


def without_a_key(inputs: Inputs, *rows: int) -> Inputs:
    """The same, with these queries seeing nothing."""
    queries, keys, values, mask = inputs
    emptied = mask.expand(-1, -1, queries.size(1), -1).clone()
    emptied[:, :, list(rows)] = False
    return queries, keys, values, emptied


def safe_inputs() -> tuple[Inputs, Inputs]:
    oblong = (*random_vectors(6, n=2, q=4, k=5, h=3, d=6, m=7), random_mask(6, 2, 1, 4, 5))
    by_head = (*random_vectors(7, n=2, q=3, k=4, h=3, d=5, m=6), random_mask(7, 2, 3, 3, 4))
    return without_a_key(oblong, 1, 3), without_a_key(by_head, 0)


def safe_probes() -> list[Probe]:
    oblong, by_head = safe_inputs()
    empty = (*random_vectors(8, n=2, q=3, k=4, h=2, d=5, m=3), padding(0, 3, k=4))
    return [
        Probe(label="queries that see nothing", arguments=oblong, drive=answer_and_gradients),
        Probe(
            label="a mask for each head, the first query sees nothing", arguments=by_head, drive=answer_and_gradients
        ),
        Probe(label="a sentence of only padding", arguments=empty, drive=answer_and_gradients),
        Probe(label="every query sees a key", arguments=probes()[0].arguments, drive=answer_and_gradients),
        Probe(label="in float16", arguments=oblong, drive=same_in_float16),
    ]


def safe_examples() -> list[Probe]:
    inputs = without_a_key(small_inputs(), 1)
    setting = (
        "safe_masked_attention on three queries and three keys, values 10, 20 and 9000\n"
        "  mask = [[x, x, .], [., ., .], [x, ., x]]: query 1 sees nothing"
    )
    return [
        Probe(label="query 1 sees nothing", arguments=inputs, shown=setting),
        Probe(
            label="its gradients",
            arguments=inputs,
            drive=answer_and_gradients,
            shown=setting + "\n  and is a gradient NaN, after backward on the sum of the answer's squares?",
        ),
        Probe(
            label="in float16",
            arguments=safe_inputs()[0],
            drive=same_in_float16,
            shown="safe_masked_attention in float16: is it the same as in float64, to two digits?",
        ),
    ]


def weights_of(function: Function, queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
    """The attention weights (n, h, q, k), read by giving each key its own unit vector as value."""
    n, k, h, _ = keys.shape
    identity = torch.eye(k, dtype=keys.dtype).view(1, k, 1, k).expand(n, k, h, k).clone()
    read: Tensor = function(queries.clone(), keys.clone(), identity, mask.clone())
    return read.transpose(1, 2)


def a_hidden_value_changes_nothing(function: Function) -> bool:
    queries, keys, values, mask = probes()[3].arguments
    other = torch.where(mask[:, 0, 0, :, None, None], values, values + 5)
    return torch.allclose(function(queries, keys, other, mask), function(queries, keys, values, mask))


def a_hidden_key_changes_nothing(function: Function) -> bool:
    queries, keys, values, mask = probes()[3].arguments
    other = torch.where(mask[:, 0, 0, :, None, None], keys, keys + 2)
    return torch.allclose(function(queries, other, values, mask), function(queries, keys, values, mask))


def weights_add_up_to_one(function: Function) -> bool:
    queries, keys, _, mask = probes()[0].arguments
    sums = weights_of(function, queries, keys, mask).sum(dim=-1)
    return torch.allclose(sums, torch.ones_like(sums))


def sentences_do_not_mix(function: Function) -> bool:
    inputs = probes()[0].arguments
    return all(
        torch.allclose(function(*inputs)[[sentence]], function(*(each[[sentence]] for each in inputs)))
        for sentence in (0, 1)
    )


def read_temperature(function: Function) -> str | None:
    queries, keys, _ = random_vectors(9, n=2, q=4, k=6, h=3, d=16, m=1)
    weights = weights_of(function, queries, keys, padding(5, 5, k=6))[..., :5]
    found = temperature(weights, einsum("nqhd,nkhd->nhqk", queries, keys)[..., :5])
    sizes = {"d": 16, "k": 6, "h d": 48, "h": 3}
    return None if found is None else temperature_sentence(found, sizes, "1/sqrt(d)", 0.25)


def read_fill(function: Function) -> str | None:
    """What a hidden score becomes, wherever that leaves it a weight: log w = score + a number of the row's."""
    queries, keys, _ = random_vectors(10, n=2, q=3, k=5, h=2, d=4, m=1)
    logs = weights_of(function, queries, keys, padding(3, 3, k=5)).log()
    of_the_row = logs[..., :3] - einsum("nqhd,nkhd->nhqk", queries, keys)[..., :3] / 2
    scores = logs[..., 3:] - of_the_row.mean(dim=-1, keepdim=True)
    fill = float(scores.mean())
    is_constant = bool((of_the_row - of_the_row[..., :1]).abs().max() < 1e-6 and (scores - fill).abs().max() < 1e-6)
    if not is_constant:
        return None
    return (
        f"a hidden score becomes {number(round(fill, 12))} in your function; expected one so low that its weight is 0"
    )


def queries_without_a_key_get_zeros(function: Function) -> bool:
    oblong, by_head = safe_inputs()
    return not bool(function(*oblong)[:, [1, 3]].any()) and not bool(function(*by_head)[:, 0].any())


def the_other_queries_are_as_before(function: Function) -> bool:
    queries, keys, values, mask = safe_inputs()[0]
    sees_one = [0, 2]
    alone = function(queries[:, sees_one], keys, values, mask[:, :, sees_one])
    weights = weights_of(function, queries, keys, mask)[:, :, sees_one].sum(dim=-1)
    return torch.allclose(function(queries, keys, values, mask)[:, sees_one], alone) and torch.allclose(
        weights, torch.ones_like(weights)
    )


def gradients_are_numbers(function: Function) -> bool:
    found = answer_and_gradients(function, *(each.clone() for each in safe_inputs()[0]))
    return isinstance(found, dict) and found["NaN in the gradient of"] == "nothing"


def works_in_float16(function: Function) -> bool:
    return same_in_float16(function, *safe_inputs()[0]) is True


def read_weights_of_no_key(function: Function) -> str | None:
    queries, keys, _ = random_vectors(11, n=1, q=2, k=3, h=1, d=4, m=1)
    found = weights_of(function, queries, keys, torch.zeros(1, 1, 2, 3, dtype=torch.bool))[0, 0, 0]
    if not bool(found.any()):
        return None
    said = ", ".join("NaN" if value != value else number(value) for value in found.tolist())
    return f"a query with three keys, all hidden, gives them the weights {said}; expected 0, 0, 0"


BANK = Bank(
    parts=(
        Part(
            function="masked_attention",
            asked="softmax(Q K^T / sqrt(d), with -infinity where the mask is False) V",
            result="n q h m",
            reference=masked_attention,
            mistakes=MASKED,
            probes=probes,
            examples=examples,
            properties=(
                Property(says="a hidden key's value changes nothing", holds=a_hidden_value_changes_nothing),
                Property(says="a hidden key's vector changes nothing", holds=a_hidden_key_changes_nothing),
                Property(says="the weights of one query add up to 1", holds=weights_add_up_to_one),
                Property(says="a sentence's answer does not depend on the others", holds=sentences_do_not_mix),
            ),
            readers=(read_temperature, read_fill),
            shortcuts=("scaled_dot_product_attention",),
        ),
        Part(
            function="safe_masked_attention",
            asked="masked_attention, and 0 for a query with no allowed key",
            result="n q h m",
            reference=safe_masked_attention,
            mistakes=SAFE,
            probes=safe_probes,
            examples=safe_examples,
            properties=(
                Property(says="a query with no allowed key gets zeros", holds=queries_without_a_key_get_zeros),
                Property(says="the other queries are unharmed", holds=the_other_queries_are_as_before),
                Property(says="no gradient is NaN", holds=gradients_are_numbers),
                Property(says="it works in float16", holds=works_in_float16),
            ),
            readers=(read_weights_of_no_key,),
            shortcuts=("scaled_dot_product_attention",),
        ),
    )
)
