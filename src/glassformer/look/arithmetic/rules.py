"""What each operation of torch does to one cell: the terms that add up to it, with the cells they are made of."""

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from glassformer.look.arithmetic.cells import Account, constant, made_from, number, product
from glassformer.look.arithmetic.line import Line
from glassformer.look.arithmetic.sums import average, einsum, layer_norm, linear, matmul, rms_norm, softmax, total
from glassformer.look.watching.steps import key, mapped, tensors


def account_of(line: Line) -> Account:
    """The rule for this operation, or a word where it has none."""
    name = line.step.name
    if name in RULES:
        return RULES[name](line)
    if name in MOVES:
        return moves(line)
    uses = [operand for operand in line.step.operands if spreads(operand.shape, line.result.shape)]
    cells = tuple(line.cell(operand) for operand in uses)
    inputs = ", ".join(number(cell.value) for cell in cells)
    return Account(f"{name}({inputs}) = {number(line.result[line.index].item())}", (), cells)


def spreads(small: torch.Size, large: torch.Size) -> bool:
    """Whether the one is broadcast over the other."""
    return len(small) <= len(large) and all(a in (1, b) for a, b in zip(reversed(small), reversed(large), strict=False))


def add(line: Line) -> Account:
    left, right = line.pair()
    alpha = line.step.kwargs.get("alpha", 1)
    second = line.cell(right)
    return Account(
        "a sum", (product(line.cell(left)), product(second) if alpha == 1 else product(constant(alpha), second))
    )


def subtract(line: Line) -> Account:
    left, right = line.pair()
    return Account("a difference", (product(line.cell(left)), product(constant(-1.0), line.cell(right))))


def multiply(line: Line) -> Account:
    left, right = line.pair()
    return Account("a product", (product(line.cell(left), line.cell(right)),))


def divide(line: Line) -> Account:
    left, right = line.pair()
    below = line.cell(right)
    if below.value == 0:
        return Account("a division by 0", (), (line.cell(left), below))
    uses = () if below.kind == "number" else (below,)
    inverse = made_from(f"1 / {below.place if uses else number(below.value)}", 1 / below.value, uses)
    return Account(f"divided by {number(below.value)}", (product(line.cell(left), inverse),))


def negate(line: Line) -> Account:
    return Account("with the opposite sign", (product(constant(-1.0), line.cell(line.step.args[0])),))


def embedding(line: Line) -> Account:
    ids, weight = line.given(0, "input"), line.given(1, "weight")
    *place, channel = line.index
    row = line.operand(ids, tuple(place))
    entry = line.operand(weight, (int(row.value), channel))
    return Account(f"row {int(row.value)} of {entry.name}, chosen by {row.place}", (product(entry),), (row,))


def masked_fill(line: Line) -> Account:
    x, mask, fill = line.step.args[0], line.given(1, "mask"), line.given(2, "value")
    decides = line.cell(mask)
    if decides.value:
        return Account(
            f"filled with {number(float(fill))} because the mask says so", (product(line.cell(fill)),), (decides,)
        )
    return Account("left as it is: the mask does not fill it", (product(line.cell(x)),), (decides,))


def where(line: Line) -> Account:
    first, second, third = line.step.args[:3]
    condition, yes, no = (second, first, third) if line.step.function is Tensor.where else (first, second, third)
    decides = line.cell(condition)
    return Account(f"chosen by {decides.place}", (product(line.cell(yes if decides.value else no)),), (decides,))


def relu(line: Line) -> Account:
    x = line.cell(line.step.args[0])
    return Account(
        "relu: negative numbers become 0",
        (product(x, constant(float(x.value > 0), "open" if x.value > 0 else "shut")),),
    )


def silu(line: Line) -> Account:
    x = line.cell(line.step.args[0])
    gate = 1 / (1 + math.exp(-x.value)) if x.value > -700 else 0.0
    return Account("silu: x × sigmoid(x)", (product(x, made_from("sigmoid(x)", gate, (x,))),))


def gelu(line: Line) -> Account:
    x, half = line.cell(line.step.args[0]), constant(0.5)
    if line.given(1, "approximate", "none") == "tanh":
        bent = math.tanh(math.sqrt(2 / math.pi) * (x.value + 0.044715 * x.value**3))
        gate = made_from("tanh(0.798 (x + 0.0447 x³))", bent, (x,))
    else:
        gate = made_from("erf(x / √2)", math.erf(x.value / math.sqrt(2)), (x,))
    return Account(f"gelu: x/2 + x/2 × {gate.name}", (product(half, x), product(half, x, gate)))


def dropout(line: Line) -> Account:
    x, p, training = line.cell(line.step.args[0]), line.given(1, "p", 0.5), line.given(2, "training", True)
    if not training or p == 0:
        return Account("dropout, off: passed on", (product(x),))
    kept = line.value != 0
    scale = constant(1 / (1 - p), f"1 / (1 - {p})") if kept else constant(0.0, "dropped")
    return Account(f"dropout: {'kept, scaled up' if kept else 'dropped'}", (product(x, scale),))


def edit(line: Line) -> Account:
    return Account("put here by an edit, in the place of another value", (), (line.cell(line.step.args[0]),))


def cast(line: Line) -> Account:
    x = line.cell(line.step.args[0])
    if float(x.value) == line.value:
        return Account("passed on", (product(x),))
    return Account(f"rounded to {line.result.dtype}", (), (x,))


def moves(line: Line) -> Account:
    """Cells that only change places: the operation itself is run on numbered cells, to see which one comes here."""
    moved = line.step.args[0]
    sources = list(tensors(moved))
    ends = list(itertools.accumulate(source.numel() for source in sources))
    start = iter([0, *ends])

    def numbers(x: Tensor) -> Tensor:
        first = next(start) + 1  # 0 is left for cells that come from nowhere
        return torch.arange(first, first + x.numel(), device=x.device).view(x.shape)

    results = tensors(line.step.function(mapped(moved, numbers), *line.step.args[1:], **line.step.kwargs))
    place = next(i for i, result in enumerate(line.step.results) if key(result) == key(line.result))
    found = int(list(results)[place][line.index]) - 1
    if found < 0:
        return Account(f"{line.step.name}: emptied here", (), ())
    which = next(i for i, end in enumerate(ends) if found < end)
    flat = found - (ends[which] - sources[which].numel())
    at = tuple(int(i) for i in torch.unravel_index(torch.tensor(flat), sources[which].shape))
    return Account(f"{line.step.name}: moved here", (product(line.operand(sources[which], at)),))


def compare(sign: str) -> Callable[[Line], Account]:
    def rule(line: Line) -> Account:
        left, right = (line.cell(side) for side in line.pair())
        uses = tuple(cell for cell in (left, right) if cell.kind != "number")
        return Account(f"{bool(line.value)}: {number(left.value)} {sign} {number(right.value)}", (), uses)

    return rule


def opposite(line: Line) -> Account:
    x = line.cell(line.step.args[0])
    return Account(f"not {x.value}", (), (x,))


RULES: dict[str, Callable[[Line], Account]] = {
    "add": add,
    "sub": subtract,
    "mul": multiply,
    "div": divide,
    "neg": negate,
    "einsum": einsum,
    "linear": linear,
    "matmul": matmul,
    "embedding": embedding,
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "softmax": softmax,
    "masked_fill": masked_fill,
    "where": where,
    "sum": total,
    "mean": average,
    "relu": relu,
    "silu": silu,
    "gelu": gelu,
    "dropout": dropout,
    "edit": edit,
    **dict.fromkeys(
        ("to", "float", "double", "half", "bfloat16", "type_as", "type", "long", "int", "cpu", "cuda"), cast
    ),
    **{name: compare(sign) for name, sign in dict(ne="≠", eq="=", gt=">", ge="≥", lt="<", le="≤").items()},
    "and": compare("and"),
    "or": compare("or"),
    "logical_and": compare("and"),
    "logical_or": compare("or"),
    "invert": opposite,
    "logical_not": opposite,
}
MOVES = frozenset(
    [
        "unflatten",
        "flatten",
        "view",
        "reshape",
        "transpose",
        "permute",
        "unsqueeze",
        "squeeze",
        "expand",
        "expand_as",
        "contiguous",
        "getitem",
        "select",
        "narrow",
        "index_select",
        "cat",
        "concat",
        "stack",
        "clone",
        "detach",
        "repeat",
        "movedim",
        "swapaxes",
        "chunk",
        "split",
        "unbind",
        "T",
        "mT",
        "t",
        "roll",
        "flip",
        "gather",
        "repeat_interleave",
        "tril",
        "triu",
        "alias",
        "data",
        "view_as",
        "reshape_as",
    ]
)
