"""explain(seen, name, index): the arithmetic of one cell, term by term, down to the embeddings.

    cell = explain(seen, "decoder.layers.0.cross_attention.energy", (0, 1, 2, 3))
    rich.print(cell)                         # the sum, largest terms first
    rich.print(cell.terms[0].factors[0])     # what that factor is made of, and so on down

Everything is worked out again in Python from the operands that `watch` recorded, so it holds while the model's
weights are as they were.
"""

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from glassformer.errors import UserError
from glassformer.look.arithmetic.cells import Account, Cell, Term, product
from glassformer.look.arithmetic.line import Line
from glassformer.look.arithmetic.rules import account_of
from glassformer.look.seen import Seen, Tap
from glassformer.look.watching.steps import Key, key


def explain(seen: Seen, name: str, index: Sequence[int], call: int = -1) -> Cell:
    """The cell of `seen[name]` at this index, one number an axis; `call`: which of the name's values.

    Its terms add up to its value, up to the rounding of the value's dtype. An operation without a rule of its own has
    no terms, and says so. Raises UserError where the index does not fit.
    """
    tap = seen.all(name)[call]
    place = tuple(index)
    fits = len(place) == tap.value.dim() and all(0 <= i < size for i, size in zip(place, tap.shape, strict=False))
    if not fits:
        raise UserError(
            f"index {place} is not in {name}: axes {' '.join(tap.axes)}, sizes {' '.join(map(str, tap.shape))}. "
            f"Give one number an axis, counted from 0."
        )
    return Tracer(seen).tap_cell(tap, place)


class Tracer:
    """Finds where a tensor came from: a weight, an earlier operation of the same line, or a tap."""

    def __init__(self, seen: Seen) -> None:
        self.weights = seen._weights
        taps = [tap for name in seen for tap in seen.all(name)] + seen._earlier
        self.makers: dict[Key, Tap] = {}  # the tap that made each value; others only pass it on
        for tap in [*filter(makes, taps), *taps]:
            self.makers.setdefault(key(tap.value), tap)

    def tap_cell(self, tap: Tap, index: tuple[int, ...]) -> Cell:
        value = tap.value[index].item()
        account = partial(self.of_tap, tap, index)
        return Cell(tap.name, index, value, "tap", account, tap.axes, tap.module, tap.where, tap.source)

    def of_tap(self, tap: Tap, index: tuple[int, ...]) -> Account:
        wanted = key(tap.value)
        maker = self.makers[wanted]
        if maker is not tap:
            same = self.tap_cell(maker, index)
            return Account(f"the same value as {maker.name}", *carried(tap.value, same))
        for place in reversed(range(len(tap.steps))):
            if any(key(result) == wanted for result in tap.steps[place].results):
                return self.of_step(tap, place, tap.value, index)
        return Account("given from outside: made before or beside what was watched")

    def of_step(self, tap: Tap, place: int, result: Tensor, index: tuple[int, ...]) -> Account:
        line = Line(tap.steps[place], result, index, partial(self.operand, tap, place))
        account = account_of(line)
        if result.is_floating_point() or not account.terms:
            return account
        return Account(account.words, (), tuple(f for term in account.terms for f in term.factors) + account.uses)

    def operand(self, tap: Tap, before: int, tensor: Tensor, index: tuple[int, ...]) -> Cell:
        """The cell of a tensor that one of the tap's operations read."""
        wanted, value = key(tensor), tensor[index].item()
        weight = self.weights.get(wanted)
        if weight:
            return Cell(weight, index, value, "weight", lambda: Account("a weight of the model, as it was learned"))
        for place in reversed(range(before)):
            if any(key(result) == wanted for result in tap.steps[place].results):
                step = partial(self.of_step, tap, place, tensor, index)
                axes = tap.axes if tensor.shape == tap.shape else ()
                return Cell(f"({tap.steps[place]})", index, value, "step", step, axes, tap.module)
        maker = self.makers.get(wanted)
        if maker is None or maker is tap:
            return Cell("(given)", index, value, "given", lambda: Account("given from outside what was watched"))
        return self.tap_cell(maker, index)


def carried(value: Tensor, cell: Cell) -> tuple[tuple[Term, ...], tuple[Cell, ...]]:
    """One cell passed on: the only term of a number, no term of a mask or an id."""
    return ((product(cell),), ()) if value.is_floating_point() else ((), (cell,))


def makes(tap: Tap) -> bool:
    """Whether one of its operations made its value, rather than passed it on."""
    wanted = key(tap.value)
    makers = (step for step in tap.steps if any(key(result) == wanted for result in step.results))
    first = next(makers, None)
    return first is not None and all(key(operand) != wanted for operand in first.operands)
