"""06: word embeddings, positions, and the ways in which they go wrong."""

import math

import torch
from torch import Tensor

from glassformer.learn.checker.measure import named_constant
from glassformer.learn.exercise import Bank, Function, Part, Probe, Property, Wrong
from glassformer.learn.exercises.e06_positions.mistakes import EMBED, SINUSOIDS
from glassformer.learn.weights import normal


def embed(wrong: Wrong, tokens: Tensor, words: Tensor, positions: Tensor) -> Tensor:
    n, t = tokens.shape
    e = words.size(1)
    factor = math.sqrt(e)
    for name, other in (("embedding-not-scaled", 1.0), ("embedding-divided", 1 / factor), ("scaled-without-root", e)):
        if name in wrong:
            factor = other
    first = 1 if "positions-from-1" in wrong else 0
    placed = positions[first : first + t]
    if "indexed-by-batch" in wrong:
        placed = positions[first : first + n].unsqueeze(1)
    if "indexed-by-token" in wrong:
        placed = positions[tokens + first]
    if "positions-missing" in wrong:
        placed = torch.zeros_like(positions[:t])
    return (words[tokens] + placed) * factor if "positions-scaled-too" in wrong else words[tokens] * factor + placed


def random_tables(seed: int, n: int, t: int, v: int, p: int, e: int) -> tuple[Tensor, Tensor, Tensor]:
    """Fewer words than places, so that no way of looking up runs out of rows."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(v, (n, t), generator=generator)
    return tokens, normal(v, e, generator=generator), normal(p, e, generator=generator)


def embed_probes() -> list[Probe]:
    return [
        Probe(label="all sizes different", arguments=random_tables(1, n=2, t=4, v=7, p=9, e=6)),
        Probe(label="more sentences than positions", arguments=random_tables(2, n=5, t=3, v=4, p=8, e=10)),
        Probe(label="one sentence", arguments=random_tables(3, n=1, t=5, v=6, p=7, e=3)),
    ]


def embed_examples() -> list[Probe]:
    tokens = torch.tensor([[2, 1]])
    words = torch.tensor([[1.0, 0, 0, 0], [0, 2, 0, 0], [0, 0, 3, 0]], dtype=torch.float64)
    positions = torch.tensor([[10.0, 0, 0, 0], [20, 0, 0, 0], [30, 0, 0, 0], [40, 0, 0, 0]], dtype=torch.float64)
    return [Probe(label="two tokens, e = 4", arguments=(tokens, words, positions))]


def sentences_do_not_mix(function: Function) -> bool:
    tokens, words, positions = random_tables(4, n=3, t=4, v=6, p=8, e=6)
    return torch.allclose(function(tokens, words, positions)[2:], function(tokens[2:], words, positions))


def one_word_moves_with_its_place(function: Function) -> bool:
    _, words, positions = random_tables(5, n=1, t=4, v=6, p=8, e=6)
    out = function(torch.full((1, 4), 3), words, positions)[0].double()
    return torch.allclose(out[1:] - out[:-1], positions[1:4] - positions[:3], atol=1e-5)


def one_place_moves_with_its_word(function: Function) -> bool:
    tokens, words, positions = random_tables(6, n=2, t=4, v=6, p=8, e=9)
    moved = function(tokens, words + 1, positions) - function(tokens, words, positions)
    return torch.allclose(moved, torch.full_like(moved, 3), rtol=1e-4)


def read_factors(function: Function) -> str | None:
    """What the words and the positions are multiplied by: the answer's change when a table is set to zeros."""
    tokens, words, positions = random_tables(7, n=1, t=3, v=5, p=6, e=16)
    both = function(tokens, words.clone(), positions.clone())[0]
    of_words = ratio(both - function(tokens, 0 * words, positions.clone())[0], words[tokens[0]])
    of_positions = ratio(both - function(tokens, words.clone(), 0 * positions)[0], positions[:3])
    for name, found, worth, expected in (
        ("word", of_words, 4.0, "4 = sqrt(e)"),
        ("position", of_positions, 1.0, "1, as it is"),
    ):
        if found is not None and not math.isclose(found, worth, rel_tol=1e-4):
            form = named_constant(found, {"e": 16})
            is_form = f" = {form}" if form not in ("", "1") else ""
            return f"with e = 16 a {name}'s row is multiplied by {found:.4g}{is_form}; expected {expected}"
    return None


def ratio(found: Tensor, table: Tensor) -> float | None:
    """The one number by which a table was multiplied; None where it was not."""
    ratios = found.double() / table
    return float(ratios.mean()) if float(ratios.max() - ratios.min()) < 1e-4 else None


def sinusoids(wrong: Wrong, length: int, embed_size: int) -> Tensor:
    e = embed_size
    pair = torch.arange(e // 2, dtype=torch.float64)
    place = torch.arange(length, dtype=torch.float64).unsqueeze(1)
    if "positions-from-1" in wrong:
        place = place + 1
    exponents = 2 * pair / e
    if "exponent-factor-2-lost" in wrong:
        exponents = pair / e
    elif "2-applied-twice" in wrong:
        exponents = 4 * pair / e
    odd_exponents = exponents + exponents[1] / 2 if "own-frequency-per-column" in wrong else exponents
    if "halves-tensor2tensor" in wrong:
        exponents = odd_exponents = pair / (e // 2 - 1)
    sign = 1 if "frequency-inverted" in wrong else -1
    unit = math.pi / 180 if "degrees" in wrong else 1.0
    angle, odd_angle = (unit * place * 10000 ** (sign * each) for each in (exponents, odd_exponents))
    waves = [angle.sin(), odd_angle.cos()]
    if "sin-everywhere" in wrong:
        waves = [angle.sin(), odd_angle.sin()]
    elif "cos-sin-swapped" in wrong:
        waves = [angle.cos(), odd_angle.sin()]
    in_halves = wrong & {"halves-not-interleaved", "halves-tensor2tensor"}
    return torch.cat(waves, dim=1) if in_halves else torch.stack(waves, dim=2).flatten(1)


def sinusoid_probes() -> list[Probe]:
    return [
        Probe(label="seven places, six channels", arguments=(7, 6)),
        Probe(label="five places, twelve channels", arguments=(5, 12)),
        Probe(label="thirty places, ten channels", arguments=(30, 10)),
    ]


def sinusoid_examples() -> list[Probe]:
    return [
        Probe(label="two places, four channels", arguments=(2, 4)),
        Probe(label="three places, eight channels", arguments=(3, 8)),
    ]


def first_row_alternates(function: Function) -> bool:
    first = function(3, 8)[0]
    return torch.allclose(first, torch.tensor([0.0, 1, 0, 1, 0, 1, 0, 1], dtype=first.dtype))


def pairs_lie_on_a_circle(function: Function) -> bool:
    lengths = function(6, 8).square().unflatten(1, (4, 2)).sum(dim=2)
    return torch.allclose(lengths, torch.ones_like(lengths))


def only_distance_counts(function: Function) -> bool:
    table = function(12, 8)
    products = table @ table.T
    return all(
        torch.allclose(along, along[:1].expand_as(along), atol=1e-5)
        for along in (products.diagonal(apart) for apart in (1, 3, 5))
    )


def first_pair_turns_by_a_radian(function: Function) -> bool:
    table = function(4, 8)
    expected = torch.arange(4, dtype=table.dtype)
    return torch.allclose(table[:, 0], expected.sin(), atol=1e-6) or torch.allclose(table[:, 0], expected.cos())


def read_growth(function: Function) -> str | None:
    """By what the wavelength grows from one pair of channels to the next, read at place 1."""
    table = function(2, 8).double()
    angles = torch.atan2(table[1, 0::2], table[1, 1::2])
    if not torch.allclose(table[1, 0::2].square() + table[1, 1::2].square(), torch.ones(4).double(), atol=1e-5):
        return None
    if not bool((angles > 0).all()):
        return None
    growths = angles[:-1] / angles[1:]
    growth = float(growths[0])
    if float((growths - growth).abs().max()) > 1e-3 * abs(growth) or math.isclose(growth, 10, rel_tol=1e-4):
        return None
    found = f"{growth:.4g} times as long from pair to pair, as with {growth**4:.4g}^(2 / e)"
    return f"with e = 8 your waves get {found}; expected 10 times = 10000^(2 / e)"


BANK = Bank(
    parts=(
        Part(
            function="embed",
            asked="words[token] * sqrt(e) + positions[place]",
            result="n t e",
            reference=embed,
            mistakes=EMBED,
            probes=embed_probes,
            examples=embed_examples,
            properties=(
                Property(says="a sentence's answer does not depend on the others", holds=sentences_do_not_mix),
                Property(
                    says="the same word at two places differs by the difference of their rows of positions",
                    holds=one_word_moves_with_its_place,
                ),
                Property(
                    says="with e = 9, words larger by 1 give answers larger by 3", holds=one_place_moves_with_its_word
                ),
            ),
            readers=(read_factors,),
        ),
        Part(
            function="sinusoids",
            asked="sin and cos of place / 10000^(2i / e), in channels 2i and 2i + 1",
            result="t e",
            reference=sinusoids,
            mistakes=SINUSOIDS,
            probes=sinusoid_probes,
            examples=sinusoid_examples,
            properties=(
                Property(says="the row of place 0 is 0, 1, 0, 1 ...", holds=first_row_alternates),
                Property(says="the squares of the two channels of a pair add up to 1", holds=pairs_lie_on_a_circle),
                Property(says="the first pair turns by one radian a place", holds=first_pair_turns_by_a_radian),
                Property(
                    says="the product of two rows depends on the distance of their places alone",
                    holds=only_distance_counts,
                ),
            ),
            readers=(read_growth,),
        ),
    )
)
