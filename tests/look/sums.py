"""Opening cells on the way down, and checking that each is the sum of its terms."""

import random

from glassformer.look.arithmetic.cells import Cell

ROUNDING = 1e-12


def assert_adds_up(cell: Cell, chance: random.Random, rounding: float = ROUNDING, deepest: int = 60) -> set[str]:
    """Follow one way down from the cell, chosen by chance; the names of the cells met on it."""
    opened = {cell.name}
    for _ in range(deepest):
        if cell.terms:
            assert abs(cell.total - cell.value) <= rounding * cell.size, cell
        else:
            assert cell.words
        further = [factor for term in cell.terms for factor in term.factors if factor.kind != "number"] + [*cell.uses]
        opened |= {factor.name for factor in further}
        if not further:
            return opened
        cell = chance.choice([factor for factor in further if factor.kind != "weight"] or further)
    raise AssertionError(f"no end in sight: {cell}")
