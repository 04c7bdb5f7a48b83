"""09: the feed-forward layer and the ways in which it goes wrong."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from glassformer.learn.exercise import Bank, Function, Part, Probe, Property, Wrong
from glassformer.learn.exercises.e09_feed_forward.mistakes import MISTAKES
from glassformer.learn.weights import FeedForwardWeights, feed_forward_weights, normal


def feed_forward(wrong: Wrong, x: Tensor, weights: FeedForwardWeights) -> Tensor:
    activation: Callable[[Tensor], Tensor] = F.relu
    if "gelu-for-relu" in wrong:
        activation = F.gelu
    if "silu-for-relu" in wrong:
        activation = F.silu
    read = activation(x) if "activation-on-input" in wrong else x
    w1, w2 = (weights.w1.T, weights.w2.T) if "weights-transposed" in wrong else (weights.w1, weights.w2)
    product = read.matmul(w1)
    b1 = torch.zeros_like(weights.b1) if "b1-missing" in wrong else weights.b1
    if "no-activation" in wrong:
        hidden = product + b1
    elif "bias-after-activation" in wrong:
        hidden = activation(product) + b1
    else:
        hidden = activation(product + b1)
    out = hidden.matmul(w2)
    if "b2-missing" not in wrong:
        out = out + weights.b2
    if "activation-on-output" in wrong:
        out = activation(out)
    return x + out if "residual-inside" in wrong else out


def random_inputs(seed: int, n: int, t: int, e: int, f: int) -> tuple[Tensor, FeedForwardWeights]:
    generator = torch.Generator().manual_seed(seed)
    return normal(n, t, e, generator=generator), feed_forward_weights(e, f, generator)


def probes() -> list[Probe]:
    return [
        Probe(label="all sizes different", arguments=random_inputs(1, n=2, t=3, e=4, f=7)),
        Probe(label="as wide inside as outside", arguments=random_inputs(2, n=3, t=2, e=5, f=5)),
        Probe(label="narrower inside", arguments=random_inputs(3, n=1, t=4, e=6, f=3)),
    ]


def examples() -> list[Probe]:
    return [example("e = 1, f = 3", b2=5), example("a negative answer", b2=-300)]


def example(label: str, b2: int) -> Probe:
    rows: tuple[list[object], ...] = ([[1, -1, 3]], [0, 1, -4], [[1], [10], [100]], [b2])
    w1, b1, w2, last = (torch.tensor(row, dtype=torch.float64) for row in rows)
    x = torch.tensor([[[2.0], [-1]]], dtype=torch.float64)
    return Probe(
        label=label,
        arguments=(x, FeedForwardWeights(w1, b1, w2, last)),
        shown=(
            "feed_forward(x, weights)\n"
            "  x = [[[2], [-1]]]\n"
            f"  w1 = {rows[0]}   b1 = {rows[1]}\n"
            f"  w2 = {rows[2]}   b2 = {rows[3]}"
        ),
    )


def it_bends(function: Function) -> bool:
    """A linear map would give f(a + b) + f(0) = f(a) + f(b)."""
    a, weights = random_inputs(5, n=1, t=2, e=5, f=8)
    b = a.flip(1)
    bent = function(a + b, weights) + function(0 * a, weights) - function(a, weights) - function(b, weights)
    return float(bent.abs().max()) > 1e-3


def silent_hidden_layer_gives_b2(function: Function) -> bool:
    x, weights = random_inputs(6, n=2, t=3, e=5, f=8)
    out = function(x, weights._replace(b1=torch.full_like(weights.b1, -100.0))).double()
    return torch.allclose(out, weights.b2.expand_as(out), atol=1e-6)


def read_activation(function: Function) -> str | None:
    """What the hidden layer makes of -1 and of 1, read through matrices of ones and without biases, e = f = 1."""
    one, none = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    minus, plus = (float(function(sign * one.unsqueeze(0), FeedForwardWeights(one, none, one, none)))
                   for sign in (-1, 1))  # fmt: skip
    if abs(minus) < 1e-6 and abs(plus - 1) < 1e-6:
        return None
    return f"with w1 = w2 = 1 and no biases, your layer makes {minus:.4g} of -1 and {plus:.4g} of 1; expected 0 and 1"


BANK = Bank(
    parts=(
        Part(
            function="feed_forward",
            asked="max(0, x W_1 + b_1) W_2 + b_2",
            result="n t e",
            reference=feed_forward,
            mistakes=MISTAKES,
            probes=probes,
            examples=examples,
            properties=(
                Property(says="it is no linear map", holds=it_bends),
                Property(
                    says="where all hidden numbers are negative the answer is b_2", holds=silent_hidden_layer_gives_b2
                ),
            ),
            readers=(read_activation,),
        ),
    )
)
