"""01: softmax and the ways in which it goes wrong."""

import math
from typing import Any

import torch
from torch import Tensor

from glassformer.learn.checker.measure import temperature
from glassformer.learn.exercise import Bank, Function, Part, Probe, Property, Wrong
from glassformer.learn.exercises.e01_softmax.mistakes import MISTAKES
from glassformer.learn.weights import normal


def softmax(wrong: Wrong, x: Tensor, dim: int) -> Tensor:
    axis = 0 if "wrong-dim" in wrong else -1 if "dim-ignored" in wrong else dim
    if "no-max-subtraction" in wrong:
        highest = torch.zeros((), dtype=x.dtype)
    elif "global-max" in wrong:
        highest = x.max()
    else:
        highest = x.amax(dim=axis, keepdim="keepdim-missing-in-max" not in wrong)
    below = x.sub_(highest) if "input-changed-in-place" in wrong else x - highest
    powers = below.exp()
    total = powers.sum(dim=axis, keepdim="keepdim-missing" not in wrong)
    if "sum-over-everything" in wrong:
        total = powers.sum()
    return below - total.log() if "log-softmax" in wrong else powers / total


def random_numbers(seed: int, *shape: int) -> Tensor:
    """In steps of 1/64, which float32 holds exactly beside 1000."""
    return (normal(*shape, generator=torch.Generator().manual_seed(seed)) * 64).round() / 64


def above_minus_700(function: Function, x: Tensor, dim: int) -> Any:
    """Logarithms of numbers too small for float64 are -inf in one way of writing and exact in another."""
    answer = function(x, dim)
    return answer.clamp(min=-700) if isinstance(answer, Tensor) else answer


def probes() -> list[Probe]:
    far_apart = torch.tensor([[1000.0], [-1000], [0]], dtype=torch.float64)
    one_far_above = torch.tensor([[0.0, 2000, 0.5], [1, 0, 2]], dtype=torch.float64)
    return [
        Probe(label="one row of numbers", arguments=(random_numbers(1, 5), 0)),
        Probe(label="along the middle one of three axes", arguments=(random_numbers(2, 2, 4, 5), 1)),
        Probe(label="along the last one of four axes", arguments=(random_numbers(3, 2, 3, 4, 5), -1)),
        Probe(label="along the first axis", arguments=(random_numbers(4, 3, 4), 0)),
        Probe(label="as many rows as columns", arguments=(random_numbers(5, 4, 4), 1)),
        Probe(label="rows near 1000 and -1000", arguments=(far_apart + random_numbers(6, 3, 3), -1)),
        Probe(label="one number far above its row", arguments=(one_far_above, 1), drive=above_minus_700),
    ]


def examples() -> list[Probe]:
    small = torch.tensor([[1.0, 2, 3], [5, 5, 5]], dtype=torch.float64)
    square = torch.tensor([[0.0, 1], [3, 1]], dtype=torch.float64)
    large = torch.tensor([[1000.0, 1001], [-1000, -1001]], dtype=torch.float64)
    return [
        Probe(label="two rows", arguments=(small, 1)),
        Probe(label="three columns", arguments=(small, 0)),
        Probe(label="as many rows as columns", arguments=(square, 1)),
        Probe(label="large numbers", arguments=(large, 1)),
    ]


def adds_up_to_one(function: Function) -> bool:
    sums = [function(random_numbers(7, 3, 4), dim).sum(dim=dim) for dim in (0, 1)]
    return all(torch.allclose(each, torch.ones_like(each), rtol=0, atol=2e-7) for each in sums)


def lies_between_zero_and_one(function: Function) -> bool:
    answer = function(random_numbers(8, 3, 4), 1)
    return bool(((answer >= 0) & (answer <= 1)).all())


def keeps_the_order(function: Function) -> bool:
    x = random_numbers(12, 3, 5)
    return torch.equal(function(x, 1).argsort(dim=1), x.argsort(dim=1))


def a_constant_changes_nothing(function: Function) -> bool:
    x = random_numbers(9, 3, 4)
    return torch.allclose(function(x + 1000, 1), function(x, 1))


def rows_do_not_mix(function: Function) -> bool:
    x = random_numbers(10, 4, 4)
    return torch.allclose(function(x, 1)[:1], function(x[:1], 1))


def read_factor(function: Function) -> str | None:
    """Powers of another number than e are a factor before the exponential."""
    x = random_numbers(11, 4, 5)
    found = temperature(function(x, -1), x)
    if found is None or math.isclose(found, 1, rel_tol=1e-3):
        return None
    base = math.exp(found)
    return (
        f"your weights are powers of {base:.4g}, as if x were multiplied by {found:.4g}; expected powers of e = 2.718"
    )


BANK = Bank(
    parts=(
        Part(
            function="softmax",
            asked="e^(x - max x) / sum of e^(x - max x), max and sum along dim",
            result="the shape of x",
            reference=softmax,
            mistakes=MISTAKES,
            probes=probes,
            examples=examples,
            properties=(
                Property(says="the answers add up to 1 along dim", holds=adds_up_to_one),
                Property(says="no answer is below 0 or above 1", holds=lies_between_zero_and_one),
                Property(says="a larger number gets a larger weight", holds=keeps_the_order),
                Property(says="adding 1000 to every number changes nothing", holds=a_constant_changes_nothing),
                Property(says="a row's answer does not depend on the other rows", holds=rows_do_not_mix),
            ),
            readers=(read_factor,),
            shortcuts=("softmax", "log_softmax", "Softmax", "logsumexp"),
        ),
    )
)
