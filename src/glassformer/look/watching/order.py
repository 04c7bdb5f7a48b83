"""In which order a function's text assigns its names, and under which number where a name is assigned again.

`x = embed(ids)`, then `x = norm(x)`: the first value is `x`, the second `x'2`. The branches of an `if` share their
numbers, and a loop carries a name on: what its body assigns stays under the name that the loop was entered with.
"""

import ast
from collections.abc import Iterator
from typing import NamedTuple

Writing = ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Return


class Written(NamedTuple):
    """One statement that assigns or returns."""

    node: Writing
    value: ast.expr
    targets: list[tuple[str, int]]  # variable and number; "": a target without a name; none for a return
    returned: list[tuple[int | None, ...]]  # for each target, how it leaves the function before anything reads it


class Order:
    """Counts the assignments of one function."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.carried: set[str] = set()  # names from before the loop that is being read

    def read(self, body: list[ast.stmt]) -> Iterator[Written]:
        for place, node in enumerate(body):
            match node:
                case ast.Assign(targets=[target], value=value):
                    yield self.written(node, target, value, body[place + 1 :])
                case (
                    ast.AnnAssign(target=target, value=ast.expr() as value) | ast.AugAssign(target=target, value=value)
                ):
                    yield self.written(node, target, value, body[place + 1 :])
                case ast.Return(value=ast.expr() as value):
                    yield Written(node, value, [], [])
                case ast.For() | ast.While():
                    outside, self.carried = self.carried, set(self.numbers)
                    yield from self.read(node.body)
                    self.carried = outside & self.carried
                    yield from self.read(node.orelse)
                case ast.If() | ast.Match():
                    yield from self.branches(blocks(node))
                case _:
                    for block in blocks(node):
                        yield from self.read(block)

    def branches(self, bodies: list[list[ast.stmt]]) -> Iterator[Written]:
        """Each from the same numbers; afterwards the highest of them."""
        before, carried = self.numbers, self.carried
        after, still_carried = dict(before), set(carried)
        for body in bodies:
            self.numbers, self.carried = dict(before), set(carried)
            yield from self.read(body)
            still_carried &= self.carried
            after |= {name: max(number, after.get(name, 0)) for name, number in self.numbers.items()}
        self.numbers, self.carried = after, still_carried

    def written(self, node: Writing, target: ast.expr, value: ast.expr, rest: list[ast.stmt]) -> Written:
        variables = [variable(part) for part in (target.elts if isinstance(target, ast.Tuple) else [target])]
        return Written(
            node, value, [(name, self.number(name)) for name in variables], [returned(name, rest) for name in variables]
        )

    def number(self, name: str) -> int:
        if name in self.carried:
            self.carried.remove(name)
        else:
            self.numbers[name] = self.numbers.get(name, 0) + 1
        return self.numbers[name]


def variable(target: ast.expr) -> str:
    """`x`, or `self.x`; empty where the target is something else (an item, a star, another's attribute)."""
    match target:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return f"self.{name}"
    return ""


def numbered(name: str, number: int) -> str:
    return name.removeprefix("self.") + (f"'{number}" if number > 1 else "")


def returned(name: str, rest: list[ast.stmt]) -> tuple[int | None, ...]:
    """Where the name stands in the `return` that ends these statements, if none before that reads it."""
    for node in rest:
        if isinstance(node, ast.Return):
            if isinstance(node.value, ast.Tuple):
                return tuple(place for place, part in enumerate(node.value.elts) if variable(part) == name)
            return (None,) if node.value is not None and variable(node.value) == name else ()
        if any(variable(part) == name for part in ast.walk(node) if isinstance(part, ast.expr)):
            return ()
    return ()


def blocks(node: ast.stmt) -> list[list[ast.stmt]]:
    """The lists of statements directly inside a compound statement, in the order of the text."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return []
    if isinstance(node, ast.Match):
        return [case.body for case in node.cases]
    handlers = [handler.body for handler in getattr(node, "handlers", [])]
    parts = [getattr(node, part, []) for part in ("body", "orelse", "finalbody")]
    return [block for block in (parts[0], *handlers, *parts[1:]) if block]
