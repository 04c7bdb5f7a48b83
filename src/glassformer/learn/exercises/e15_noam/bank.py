"""15: the learning rate and the ways in which it goes wrong."""

import math
from collections.abc import Sequence
from typing import Any

from glassformer.learn.checker.show import number
from glassformer.learn.exercise import Bank, Function, Part, Probe, Property, Wrong
from glassformer.learn.exercises.e15_noam.mistakes import MISTAKES


def noam(wrong: Wrong, step: int, embed_size: int, warmup: int, factor: float) -> float:
    if "step-off-by-one" in wrong:
        step = step + 1
    elif "step-one-too-few" in wrong:
        step = max(step - 1, 0)
    if "step-0-as-1" in wrong:
        step = max(step, 1)
    if step == 0 and "step-0-crash" not in wrong:
        return 0.0
    climbing: float = step * warmup ** (-0.5 if "warmup-exponent" in wrong else -1.5)
    if "power-of-the-product" in wrong and "max-for-min" not in wrong:
        climbing = (step * warmup) ** (-0.5 if "warmup-exponent" in wrong else -1.5)
    falling: float = step ** (-1.0 if "decay-without-root" in wrong else -0.5)
    if "decay-without-root" in wrong:
        falling *= warmup**0.5
    if "no-decay" in wrong:
        falling = warmup**-0.5
    rate = falling if "no-warmup" in wrong else min(falling, climbing)
    if "max-for-min" in wrong:
        rate = max(falling, climbing)
    if "d-factor-missing" not in wrong:
        rate *= embed_size**0.5 if "d-factor-inverted" in wrong else embed_size**-0.5
    if "peak-is-factor" in wrong:
        rate *= math.sqrt(embed_size * warmup)
    return rate if "factor-ignored" in wrong else factor * rate


def at_steps(function: Function, steps: Sequence[int], embed_size: int, warmup: int, factor: float) -> list[Any]:
    """The rates at several steps. 0 is as good as 0.0."""
    rates = [function(step, embed_size, warmup, factor) for step in steps]
    return [float(rate) if isinstance(rate, int) else rate for rate in rates]


def probe(label: str, steps: Sequence[int], embed_size: int, warmup: int, factor: float) -> Probe:
    return Probe(label=label, arguments=(steps, embed_size, warmup, factor), drive=at_steps)


def probes() -> list[Probe]:
    return [
        probe("steps 1 to 40, w = 7", (1, 2, 3, 5, 6, 7, 8, 9, 13, 28, 40), embed_size=24, warmup=7, factor=0.3),
        probe("the paper's sizes", (1, 100, 3999, 4000, 4001, 16_000, 100_000), 512, 4000, 1.0),
        probe("a short warm-up, factor 2", (1, 2, 3, 4, 11), embed_size=5, warmup=3, factor=2.0),
        probe("step 0", (0,), embed_size=24, warmup=7, factor=0.3),
    ]


def examples() -> list[Probe]:
    def example(step: int, factor: float) -> Probe:
        return Probe(
            label=f"step {step}",
            arguments=((step,), 4, 9, factor),
            drive=lambda function, *arguments: at_steps(function, *arguments)[0],
            shown=f"noam(step={step}, embed_size=4, warmup=9, factor={number(factor)})",
        )

    return [example(9, 1.0), example(36, 1.0), example(1, 1.0), example(9, 3.0), example(0, 1.0)]


def rates(function: Function, embed_size: int, warmup: int, factor: float) -> list[float]:
    """The rates at steps 1 to 200."""
    return [float(function(step, embed_size, warmup, factor)) for step in range(1, 201)]


def peaks_at_the_end_of_warmup(function: Function) -> bool:
    found = rates(function, 20, 11, 0.5)
    return found.index(max(found)) + 1 == 11 and math.isclose(max(found), 0.5 / math.sqrt(20 * 11))


def climbs_in_a_straight_line(function: Function) -> bool:
    found = rates(function, 20, 11, 0.5)
    return all(math.isclose(rate, found[0] * step, rel_tol=1e-6) for step, rate in enumerate(found[:11], start=1))


def halves_at_four_times_the_warmup(function: Function) -> bool:
    found = rates(function, 20, 11, 0.5)
    return math.isclose(found[43], found[10] / 2, rel_tol=1e-6)


def read_the_peak(function: Function) -> str | None:
    """Where the curve is highest, and how high."""
    found = rates(function, 16, 25, 0.8)
    at, top, expected = found.index(max(found)) + 1, max(found), 0.8 / math.sqrt(16 * 25)
    if at == 25 and math.isclose(top, expected, rel_tol=1e-4):
        return None
    return (
        f"with e = 16, w = 25 and factor 0.8 your rate is highest at step {at} of 200: {number(top)}; "
        f"expected step 25: {number(expected)} = factor / sqrt(e x w)"
    )


def read_the_powers(function: Function) -> str | None:
    """With which power of e, of the factor and, after the warm-up, of the step the rate changes."""
    base = float(function(400, 16, 25, 0.8))
    fourfold = {
        "e": (float(function(400, 64, 25, 0.8)), -0.5),
        "factor": (float(function(400, 16, 25, 3.2)), 1.0),
        "step": (float(function(1600, 16, 25, 0.8)), -0.5),
    }
    said = []
    for name, (rate, expected) in fourfold.items():
        power = round(math.log(rate / base, 4), 3)
        if not math.isclose(power, expected, abs_tol=1e-3):
            said.append(f"{name}^{number(power)} where {name}^{number(expected)} is expected")
    return f"after the warm-up your rate goes with {' and with '.join(said)}" if said else None


BANK = Bank(
    parts=(
        Part(
            function="noam",
            asked="factor x e^-0.5 x min(step^-0.5, step x w^-1.5), and 0 at step 0",
            result="a number",
            reference=noam,
            mistakes=MISTAKES,
            probes=probes,
            examples=examples,
            properties=(
                Property(
                    says="the peak is at the end of the warm-up, factor / sqrt(e x w)", holds=peaks_at_the_end_of_warmup
                ),
                Property(says="until then it climbs in a straight line from 0", holds=climbs_in_a_straight_line),
                Property(says="it has halved at four times the warm-up", holds=halves_at_four_times_the_warmup),
            ),
            readers=(read_the_peak, read_the_powers),
            # Constant from the first step: 1 x w^-0.5 is w^-0.5 already.
            synonyms=(("no-warmup + no-decay", "warmup-exponent + no-decay"),),
        ),
    )
)
