"""The operations that take many cells together: einsum, linear layers, norms, softmax, sums and means."""

import itertools
import math
import string

import torch
from torch import Tensor

from glassformer.look.arithmetic.cells import Account, Cell, Term, constant, made, made_from, number, product
from glassformer.look.arithmetic.line import Line
from glassformer.look.watching.steps import tensors


def einsum(line: Line) -> Account:
    equation = line.step.equation
    if equation is None:
        return Account("an einsum without a string, not opened here")
    operands = list(tensors(line.step.args[1:]))
    inputs, output = letters_of(equation, operands)
    at = dict(zip(output, line.index, strict=True))
    sizes = {
        letter: size
        for letters, operand in zip(inputs, operands, strict=True)
        for letter, size in zip(letters, operand.shape, strict=True)
        if size > 1 or letter not in at
    }
    summed = [letter for letter in dict.fromkeys("".join(inputs)) if letter not in at]
    terms = []
    for places in itertools.product(*(range(sizes[letter]) for letter in summed)):
        here = at | dict(zip(summed, places, strict=True))
        terms.append(
            product(
                *(
                    line.cell(operand, tuple(here[letter] for letter in letters))
                    for letters, operand in zip(inputs, operands, strict=True)
                )
            )
        )
    over = f", summed over {' and '.join(summed)}" if summed else ""
    return Account(f"einsum {equation}{over}", tuple(terms))


def letters_of(equation: str, operands: list[Tensor]) -> tuple[list[str], str]:
    """The letters of each operand and of the result, where "..." has letters too and "->" may be missing."""
    left, arrow, output = equation.replace(" ", "").partition("->")
    unused = "".join(letter for letter in string.ascii_letters if letter not in equation)
    inputs, widest = [], ""
    for letters, operand in zip(left.split(","), operands, strict=True):
        hidden = unused[: operand.dim() - len(letters.replace("...", ""))][::-1] if "..." in letters else ""
        widest = max(widest, hidden, key=len)
        inputs.append(letters.replace("...", hidden))
    if not arrow:
        named = left.replace("...", "").replace(",", "")
        output = "..." + "".join(sorted(letter for letter in set(named) if named.count(letter) == 1))
    return inputs, output.replace("...", widest)


def linear(line: Line) -> Account:
    x, weight, bias = line.given(0, "input"), line.given(1, "weight"), line.given(2, "bias")
    *before, out = line.index
    terms = [product(line.operand(x, (*before, i)), line.operand(weight, (out, i))) for i in range(x.size(-1))]
    if bias is None:
        return Account(f"linear: {x.size(-1)} inputs × weights", tuple(terms))
    return Account(f"linear: {x.size(-1)} inputs × weights, and a bias", (*terms, product(line.operand(bias, (out,)))))


def matmul(line: Line) -> Account:
    left, right = line.pair()
    at = list(line.index)
    column = (at.pop(),) if right.dim() > 1 else ()
    row = (at.pop(),) if left.dim() > 1 else ()
    terms = []
    for i in range(left.size(-1)):
        one = line.cell(left, (*at, *row, i))
        terms.append(product(one, line.cell(right, (*at, i, *column))))
    return Account("a row × a column", tuple(terms))


def layer_norm(line: Line) -> Account:
    x, shape = line.given(0, "input"), line.given(1, "normalized_shape")
    weight, bias = line.given(2, "weight"), line.given(3, "bias")
    inside = line.index[len(line.index) - len(shape) :]
    cells = row(line, x, len(shape))
    average = made("mean", mean([cell.value for cell in cells]), lambda: averaged("the mean of the row", cells))
    variance_of = [(cell.value - average.value) ** 2 for cell in cells]
    variance = made(
        "variance", mean(variance_of), lambda: Account("mean squared distance from the mean", *squares(cells, average))
    )
    spread = math.sqrt(variance.value + line.given(4, "eps"))
    inverse = made_from("1 / std", 1 / spread, (variance,))
    scale = () if weight is None else (line.operand(weight, inside),)
    here = line.operand(x, line.index)
    terms = [product(here, inverse, *scale), product(constant(-1.0), average, inverse, *scale)]
    if bias is not None:
        terms.append(product(line.operand(bias, inside)))
    return Account(f"layer norm: (x - {number(average.value)}) / {number(spread)}, scaled and shifted", tuple(terms))


def rms_norm(line: Line) -> Account:
    x, shape, weight, eps = (
        line.given(place, name) for place, name in enumerate(("input", "normalized_shape", "weight", "eps"))
    )
    cells = row(line, x, len(shape))
    square = made(
        "mean square", mean([cell.value**2 for cell in cells]), lambda: Account("mean of the squares", *squares(cells))
    )
    spread = math.sqrt(square.value + (torch.finfo(x.dtype).eps if eps is None else eps))
    scale = () if weight is None else (line.operand(weight, line.index[len(line.index) - len(shape) :]),)
    inverse = made_from("1 / root mean square", 1 / spread, (square,))
    return Account(f"RMS norm: x / {number(spread)}, scaled", (product(line.operand(x, line.index), inverse, *scale),))


def row(line: Line, x: Tensor, axes: int) -> list[Cell]:
    """The cells that a norm looks at together: all of the last axes."""
    before = line.index[: len(line.index) - axes]
    return [line.operand(x, (*before, *places)) for places in itertools.product(*map(range, x.shape[x.dim() - axes :]))]


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def averaged(words: str, cells: list[Cell]) -> Account:
    share = constant(1 / len(cells), f"1 / {len(cells)}")
    return Account(words, tuple(product(cell, share) for cell in cells))


def squares(cells: list[Cell], center: Cell | None = None) -> tuple[tuple[Term, ...], tuple[Cell, ...]]:
    share = constant(1 / len(cells), f"1 / {len(cells)}")
    if center is None:
        return tuple(product(cell, cell, share) for cell in cells), ()
    away = [made_from("x - mean", cell.value - center.value, (cell, center)) for cell in cells]
    return tuple(product(distance, distance, share) for distance in away), ()


def softmax(line: Line) -> Account:
    x, dim = line.step.args[0], line.given(1, "dim") % line.result.dim()
    cells = [line.operand(x, (*line.index[:dim], i, *line.index[dim + 1 :])) for i in range(x.size(dim))]
    largest = max(cell.value for cell in cells)
    if math.isinf(largest):
        return Account("softmax of a row without one finite number", (), tuple(cells))
    powers = [made_from("exp(x - largest)", math.exp(cell.value - largest), (cell,)) for cell in cells]
    total = math.fsum(power.value for power in powers)
    whole = made(
        "sum of exp", total, lambda: Account("the row's powers added up", tuple(product(power) for power in powers))
    )
    share = made_from("1 / sum of exp", 1 / total, (whole,))
    words = f"softmax: exp(x - {number(largest)}) / {number(total)}, over {len(cells)} cells"
    return Account(words, (product(powers[line.index[dim]], share),))


def total(line: Line) -> Account:
    return Account("added up", tuple(product(cell) for cell in reduced(line)))


def average(line: Line) -> Account:
    return averaged("the mean", reduced(line))


def reduced(line: Line) -> list[Cell]:
    """The cells that a reduction takes together for this one."""
    x, dim = line.step.args[0], line.given(1, "dim")
    dims = range(x.dim()) if dim is None else [d % x.dim() for d in ([dim] if isinstance(dim, int) else dim)]
    keep = line.result.dim() == x.dim()
    rest = iter(i for axis, i in enumerate(line.index) if not (keep and axis in dims))
    ranges = [range(size) if axis in dims else (next(rest),) for axis, size in enumerate(x.shape)]
    return [line.operand(x, places) for places in itertools.product(*ranges)]
