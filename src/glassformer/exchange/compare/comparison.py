"""All that is known of two sides together."""

from dataclasses import asdict, dataclass
from typing import Any

from glassformer.exchange.compare.choices import Choice, differing
from glassformer.exchange.compare.measured import (
    LENGTH,
    Difference,
    NotComparable,
    entropy_at_start,
    own_weights,
    same_weights,
)
from glassformer.exchange.compare.sides import Ours


@dataclass(frozen=True)
class Comparison:
    """Two sides; each pair of values is (a's, b's)."""

    names: tuple[str, str]
    kinds: tuple[str, str]
    parameters: dict[str, tuple[int, int]]  # part -> how many, and "total"
    length: int  # tokens of the sentences that flops are counted for
    flops: dict[str, tuple[int, int]]  # token and part -> forward pass
    choices: list[Choice]  # fields of the config that differ
    formulas: dict[str, tuple[str, str]]  # what no field says, where it differs
    same_weights: Difference | str  # a string: why there is none
    own_weights: dict[str, float] | None  # of two trained models: "logits" and "largest_logit"
    entropy: dict[str, tuple[float, float, float]]  # kind of attention -> a's, b's, and what even attention has: nats

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def compare(a: Ours, b: Ours) -> Comparison:
    """Count, read and measure; the numbers are of float64 on the CPU, the same each time."""
    parameters, flops = (a.parameters(), b.parameters()), (a.flops(LENGTH), b.flops(LENGTH))
    entropies = entropy_at_start(a), entropy_at_start(b)
    return Comparison(
        names=(a.name, b.name),
        kinds=(a.kind, b.kind),
        parameters={part: (count, parameters[1][part]) for part, count in parameters[0].items()},
        length=LENGTH,
        flops={part: (count, flops[1][part]) for part, count in flops[0].items()},
        choices=differing(a.config, b.config),
        formulas={name: (text, b.formulas[name]) for name, text in a.formulas.items() if text != b.formulas[name]},
        same_weights=measured_or_why(a, b),
        own_weights=own(a, b),
        entropy={kind: (value, entropies[1][kind][0], most) for kind, (value, most) in entropies[0].items()},
    )


def measured_or_why(a: Ours, b: Ours) -> Difference | str:
    try:
        return same_weights(a, b)
    except NotComparable as reason:
        return str(reason)


def own(a: Ours, b: Ours) -> dict[str, float] | None:
    """Of two trained models that take the same ids."""
    try:
        difference, largest = own_weights(a, b)
    except NotComparable:
        return None
    return {"logits": difference, "largest_logit": largest}
