"""08: layer normalisation and the ways in which it goes wrong."""

import torch
from torch import Tensor

from glassformer.learn.exercise import Bank, Function, Part, Probe, Property, Wrong
from glassformer.learn.exercises.e08_layer_norm.mistakes import MISTAKES
from glassformer.learn.weights import norm_weights, normal


def layer_norm(wrong: Wrong, x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
    axes: tuple[int, ...] = (2,)
    for name, others in (("over-time", (1,)), ("over-time-and-features", (1, 2)), ("over-batch", (0,))):
        if name in wrong:
            axes = others
    kept = "keepdim-missing" not in wrong
    mean = x.mean(dim=axes, keepdim=kept)
    deviations = x if "root-mean-square" in wrong else x - mean
    variance = deviations.square().mean(dim=axes, keepdim=kept)
    if "unbiased-variance" in wrong:
        terms = x.numel() / x.mean(dim=axes).numel()
        variance = variance * terms / (terms - 1)
    if "eps-fixed" in wrong:
        eps = 1e-5
    if "eps-ignored" in wrong:
        eps = 0.0
    spread = (variance + eps).sqrt()
    if "eps-outside-root" in wrong:
        spread = variance.sqrt() + eps
    if "divides-by-variance" in wrong:
        spread = variance + eps
    normed = (x if "no-centring" in wrong else deviations) / spread
    gain = torch.ones_like(gain) if "gain-missing" in wrong else gain
    bias = torch.zeros_like(bias) if "bias-missing" in wrong else bias
    return gain * (normed + bias) if "bias-before-gain" in wrong else gain * normed + bias


def random_inputs(seed: int, n: int, t: int, e: int, eps: float) -> tuple[Tensor, Tensor, Tensor, float]:
    """Tokens that are not centred; each sentence's second one has nearly equal channels, so that eps decides."""
    generator = torch.Generator().manual_seed(seed)
    x = 0.7 + normal(n, t, e, generator=generator)
    x[:, 1] = 0.4 + 0.02 * x[:, 1]
    gain, bias = norm_weights(e, generator)
    return x, gain, bias, eps


def probes() -> list[Probe]:
    return [
        Probe(label="all sizes different, eps = 0.3", arguments=random_inputs(1, n=3, t=4, e=6, eps=0.3)),
        Probe(label="more positions than channels, eps = 0.05", arguments=random_inputs(2, n=2, t=7, e=5, eps=0.05)),
        Probe(label="n, t and e equal, eps = 0.2", arguments=random_inputs(3, n=4, t=4, e=4, eps=0.2)),
    ]


def examples() -> list[Probe]:
    x = torch.tensor([[[0.0, 3, 6], [4, 7, 1]]], dtype=torch.float64)
    gain = torch.tensor([2.0, 1, 1], dtype=torch.float64)
    bias = torch.tensor([1.0, 0, 10], dtype=torch.float64)
    return [Probe(label="two tokens of three channels", arguments=(x, gain, bias, 3.0))]


def normed(function: Function, x: Tensor, eps: float) -> Tensor:
    """What comes out with a gain of 1 and a bias of 0."""
    plain: Tensor = function(x, torch.ones_like(x[0, 0]), torch.zeros_like(x[0, 0]), eps)
    return plain


def rows_have_mean_zero(function: Function) -> bool:
    means = normed(function, random_inputs(4, n=2, t=3, e=5, eps=0.1)[0], 0.1).mean(dim=-1)
    return torch.allclose(means, torch.zeros_like(means), atol=1e-6)


def size_does_not_matter(function: Function) -> bool:
    x = random_inputs(5, n=2, t=3, e=5, eps=0.1)[0]
    return torch.allclose(normed(function, 10 * x, 1e-12), normed(function, x, 1e-12), rtol=1e-4)


def tokens_do_not_mix(function: Function) -> bool:
    x, gain, bias, eps = random_inputs(6, n=2, t=3, e=5, eps=0.1)
    return torch.allclose(function(x, gain, bias, eps)[1:, 1:], function(x[1:, 1:], gain, bias, eps), atol=1e-6)


def equal_channels_become_the_bias(function: Function) -> bool:
    _, gain, bias, eps = random_inputs(7, n=1, t=2, e=5, eps=0.1)
    out = function(torch.full((1, 2, 5), 0.7).double(), gain, bias, eps).double()
    return torch.allclose(out, bias.expand_as(out), atol=1e-6)


def read_divisor(function: Function) -> str | None:
    """What three tokens of mean 0 are divided by: a formula of their variance and of eps. None where none fits."""
    given = "for a token of mean 0, with gain 1, bias 0, e = 4 and eps = 0.3"
    eps, sizes = 0.3, torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    x = sizes.view(3, 1, 1) * torch.tensor([-1.0, 1, -1, 1], dtype=torch.float64)
    out = torch.cat([normed(function, token.unsqueeze(0), eps)[0] for token in x]).double()
    if not torch.allclose(out[:, 0], -out[:, 1]):
        return None
    divisors = sizes / out[:, 1]
    for form, there, along in (
        ("sqrt({}variance{})", divisors.square(), sizes.square()),
        ("{}sqrt(variance){}", divisors, sizes),
        ("{}variance{}", divisors, sizes.square()),
    ):
        factor = float((there[2] - there[0]) / (along[2] - along[0]))
        constant = float(there[0] - factor * along[0])
        fits = abs(float(there[1] - factor * along[1]) - constant) < 1e-6
        as_asked = form.startswith("sqrt") and abs(factor - 1) < 1e-4 and abs(constant - eps) < 1e-4
        if fits and not as_asked:
            times = "" if abs(factor - 1) < 1e-4 else f"{factor:.4g} x "
            plus = f" + {constant:.2g}" if abs(constant) > 1e-9 else ""
            said = form.format(times, plus)
            return f"{given}, your answer is x over {said}; expected x over sqrt(variance + 0.3)"
    return None


BANK = Bank(
    parts=(
        Part(
            function="layer_norm",
            asked="gain * (x - mean) / sqrt(variance + eps) + bias, mean and variance over the e channels of a token",
            result="n t e",
            reference=layer_norm,
            mistakes=MISTAKES,
            probes=probes,
            examples=examples,
            properties=(
                Property(says="a row has mean 0, with gain 1 and bias 0", holds=rows_have_mean_zero),
                Property(
                    says="x ten times as large gives the same answer, with a tiny eps", holds=size_does_not_matter
                ),
                Property(says="a token's answer does not depend on the other tokens", holds=tokens_do_not_mix),
                Property(says="a token with equal channels becomes the bias", holds=equal_channels_become_the_bias),
            ),
            readers=(read_divisor,),
            shortcuts=("layer_norm", "LayerNorm"),
        ),
    )
)
