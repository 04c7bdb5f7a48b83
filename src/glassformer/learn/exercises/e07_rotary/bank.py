"""07: rotary positions and the ways in which they go wrong."""

import torch
from torch import Tensor

from glassformer.learn.exercise import Bank, Function, Part, Probe, Property, Wrong
from glassformer.learn.exercises.e07_rotary.mistakes import MISTAKES
from glassformer.learn.weights import normal


def rotate(wrong: Wrong, x: Tensor, positions: Tensor, base: float) -> Tensor:
    if "no-op" in wrong:
        return x
    angle = angles(wrong, x, positions, base)
    in_halves = shared_in_halves = False
    for name, pairs, shared in (
        ("pairs-in-halves", True, True),
        ("halves-with-neighbours-angles", True, False),
        ("neighbours-with-halves-angles", False, True),
    ):
        if name in wrong:
            in_halves, shared_in_halves = pairs, shared
    angle = torch.cat([angle, angle], dim=-1) if shared_in_halves else angle.repeat_interleave(2, dim=-1)
    if "heads-as-positions" not in wrong:
        angle = angle.unsqueeze(1)
    first, second = split(x, in_halves)
    (cos_first, cos_second), (sin_first, sin_second) = split(angle.cos(), in_halves), split(angle.sin(), in_halves)
    sign = 1 if "not-a-rotation" in wrong else -1
    new_first = first * cos_first + sign * second * sin_first
    new_second = (new_first if "first-overwritten" in wrong else first) * sin_second + second * cos_second
    if in_halves or "output-concatenated" in wrong:
        return torch.cat([new_first, new_second], dim=-1)
    return torch.stack([new_first, new_second], dim=-1).flatten(-2)


def split(x: Tensor, in_halves: bool) -> tuple[Tensor, Tensor]:
    """The first and the second channels of all pairs."""
    d = x.size(-1)
    return (x[..., : d // 2], x[..., d // 2 :]) if in_halves else (x[..., 0::2], x[..., 1::2])


def angles(wrong: Wrong, x: Tensor, positions: Tensor, base: float) -> Tensor:
    """One for each position and pair, (t, d/2)."""
    d = x.size(-1)
    pair = torch.arange(d // 2, dtype=torch.float64)
    exponents = 2 * pair / d
    for name, other in (
        ("exponent-halved", pair / d),
        ("exponent-doubled", 4 * pair / d),
        ("same-angle-everywhere", 0 * pair),
    ):
        if name in wrong:
            exponents = other
    place = torch.arange(len(positions)) if "positions-ignored" in wrong else positions
    if "positions-from-1" in wrong:
        place = place + 1
    if "base-fixed" in wrong:
        base = 10000.0
    frequency = base ** (exponents if "frequency-inverted" in wrong else -exponents)
    angle = torch.outer(place.double(), frequency)
    return -angle if "rotates-backwards" in wrong else angle


def random_inputs(seed: int, n: int, h: int, d: int, positions: list[int], base: float) -> tuple[Tensor, Tensor, float]:
    """x is float32, as torch.arange(0, d, 2) / d is: angles computed so must not spoil a right answer's last digits."""
    generator = torch.Generator().manual_seed(seed)
    return normal(n, len(positions), h, d, generator=generator).float(), torch.tensor(positions), base


def probes() -> list[Probe]:
    return [
        Probe(
            label="all sizes different, positions with gaps",
            arguments=random_inputs(1, n=2, h=3, d=8, positions=[3, 4, 7, 12, 20], base=50.0),
        ),
        Probe(
            label="as many heads as positions",
            arguments=random_inputs(2, n=2, h=4, d=10, positions=[2, 3, 9, 11], base=20.0),
        ),
        Probe(
            label="from position 0 on",
            arguments=random_inputs(3, n=1, h=2, d=6, positions=[0, 1, 2, 3, 4], base=700.0),
        ),
    ]


def examples() -> list[Probe]:
    x = torch.tensor([[[[1.0, 0, 1, 0]], [[0, 1, 0, 1]]]])
    two_heads = torch.tensor([[[[1.0, 0, 1, 0], [0, 0, 2, 0]]]])
    return [
        Probe(label="positions 1 and 2, base = 100", arguments=(x, torch.tensor([1, 2]), 100.0)),
        Probe(label="two heads", arguments=(two_heads, torch.tensor([1]), 100.0)),
    ]


def lengths_are_kept(function: Function) -> bool:
    x, positions, base = random_inputs(4, n=2, h=3, d=8, positions=[0, 2, 9], base=30.0)
    return near(function(x, positions, base).norm(dim=-1), x.norm(dim=-1))


def position_0_changes_nothing(function: Function) -> bool:
    x, positions, base = random_inputs(5, n=2, h=3, d=8, positions=[0], base=30.0)
    return near(function(x, positions, base), x)


def only_distance_counts(function: Function) -> bool:
    """Scores of one query and one key: at each of three distances, the same from wherever it is measured."""
    query, _, base = random_inputs(6, n=1, h=1, d=8, positions=[0], base=30.0)
    key, _, _ = random_inputs(7, n=1, h=1, d=8, positions=[0], base=30.0)

    def score(place: int, other: int) -> Tensor:
        product: Tensor = function(query, torch.tensor([place]), base) * function(key, torch.tensor([other]), base)
        return product.sum()

    return all(
        near(score(place + apart, place), score(place + apart + 13, place + 13))
        for apart in (1, 3, 8)
        for place in (1, 5)
    )


def heads_are_turned_alike(function: Function) -> bool:
    x, positions, base = random_inputs(8, n=2, h=4, d=8, positions=[1, 2, 5, 9], base=30.0)
    order = [2, 0, 3, 1]
    return near(function(x[:, :, order], positions, base), function(x, positions, base)[:, :, order])


def near(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a.double(), b.double(), rtol=1e-4, atol=1e-5)


def landed(function: Function, channel: int) -> Tensor:
    """What becomes of a 1 in one of eight channels of each of three heads, at position 1 with base 16."""
    x = torch.zeros(1, 1, 3, 8)
    x[..., channel] = 1
    out: Tensor = function(x, torch.tensor([1]), 16.0).double()
    return out[0, 0, 0]


def read_pair(function: Function) -> str | None:
    """In which channels the number of channel 0 arrives."""
    channels = [channel for channel, size in enumerate(landed(function, 0).abs().tolist()) if size > 1e-6]
    if channels == [0, 1]:
        return None
    where = ", ".join(map(str, channels)) or "no channel"
    return f"with d = 8 what stands in channel 0 lands in {where}; expected in 0, 1"


def read_angles(function: Function) -> str | None:
    """By how much each pair turns at position 1; None where the pairs are not neighbours, or not turned."""
    found = []
    for pair in range(4):
        out = landed(function, 2 * pair)
        cosine, sine = out[2 * pair], out[2 * pair + 1]
        if abs(float(cosine.square() + sine.square()) - 1) > 1e-4:
            return None
        found.append(float(torch.atan2(sine, cosine)))
    expected = [1.0, 0.5, 0.25, 0.125]  # 16^(-2i / 8)
    if all(abs(mine - right) < 1e-4 for mine, right in zip(found, expected, strict=True)):
        return None
    said = ", ".join(f"{angle:.4g}" for angle in found)
    return f"at position 1, with d = 8 and base 16, your pairs turn by {said} radians; expected 1, 0.5, 0.25, 0.125"


BANK = Bank(
    parts=(
        Part(
            function="rotate",
            asked="pairs (2i, 2i + 1) turned by p / base^(2i / d)",
            result="n t h d",
            reference=rotate,
            mistakes=MISTAKES,
            probes=probes,
            examples=examples,
            properties=(
                Property(says="vectors keep their length", holds=lengths_are_kept),
                Property(says="position 0 changes nothing", holds=position_0_changes_nothing),
                Property(
                    says="the score of two turned vectors depends on their distance alone", holds=only_distance_counts
                ),
                Property(says="all heads are turned alike", holds=heads_are_turned_alike),
            ),
            readers=(read_pair, read_angles),
            synonyms=(
                (
                    "pairs-in-halves + same-angle-everywhere",
                    "halves-with-neighbours-angles + same-angle-everywhere",
                ),
            ),
        ),
    )
)
