"""What a model's source says about its tensors: the name that each line assigns, and the letters of its axes.

Everything here is read from the text, nothing is run. Letters come from three places only: the shape annotations of
signatures, einsum strings, and the sizes that `nn.Linear` and `nn.Embedding` are built with.
"""

import ast
import linecache
import re
from collections.abc import Iterable, Iterator
from functools import cache
from types import CodeType
from typing import Any, NamedTuple

from glassformer.look.watching.order import Order, Writing, blocks, numbered

Axes = tuple[str, ...]
Span = tuple[int | None, int | None, int | None, int | None]  # first line, last line, first column, last column

SIZES = {"embed_size": "e", "forward_size": "f", "src_vocab_size": "v", "trg_vocab_size": "v"}


class Bound(NamedTuple):
    """One name, and the statement that assigns it."""

    name: str  # of the tap: the variable, or x'2 where a function's second statement assigns x again
    variable: str  # what is read while the function runs: x, or self.x
    file: str
    line: int
    source: str  # the text of the statement, as one line
    axes: Axes | None  # None: the source does not say
    callee: str  # what the right-hand side calls, for names bound without an operation of torch
    returned: tuple[int | None, ...]  # how it leaves the function unread: as the value (None) or a part of it


class Statement(NamedTuple):
    """`names = value`, or `return value`: where it stands, and which expressions are its whole value."""

    bounds: tuple[Bound | None, ...]  # None: a target without a name of its own; empty: a return
    start: tuple[int, int]  # line, column
    end: tuple[int, int]
    values: dict[Span, "Whole"]  # the expressions that are all of the value, or all of one part of it
    calls: tuple[str, str] | None  # (class, attribute) where the value is `self.attribute(...)`


class Whole(NamedTuple):
    """An expression whose result is a statement's value."""

    part: int | None  # which part of the value, where it is written `a, b`
    callee: str  # the function or method that it calls


class Site(NamedTuple):
    """Where an instruction stands: in which statement, and whether its result is the statement's whole value."""

    statement: Statement
    whole: bool
    part: int | None = None
    callee: str = ""


class Code:
    """One function's compiled code: instruction -> statement, and the names it assigns."""

    def __init__(self, code: CodeType, statements: Iterable[Statement]) -> None:
        lines = {line for _, _, line in code.co_lines()}
        self.statements = [statement for statement in statements if statement.start[0] in lines]
        local = set(code.co_varnames) | set(code.co_cellvars)
        self.arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        self.variables: dict[str, list[tuple[Statement, Bound]]] = {}
        for statement in self.statements:
            for bound in statement.bounds:
                if bound and (bound.variable in local or bound.variable.startswith("self.")):
                    self.variables.setdefault(bound.variable, []).append((statement, bound))
        self.positions = list(code.co_positions())
        self.sites: dict[int, Site | None] = {}
        self.returns = {statement.start for statement in self.statements if not statement.bounds}

    def site(self, instruction: int) -> Site | None:
        """The statement that this instruction (a frame's f_lasti) belongs to; None outside every assignment."""
        if instruction not in self.sites:
            span = self.positions[instruction // 2]
            self.sites[instruction] = next(
                (
                    Site(statement, span in statement.values, *statement.values.get(span, ()))
                    for statement in self.statements
                    if None not in span
                    and statement.start <= (span[0], span[2])
                    and (span[1], span[3]) <= statement.end
                ),
                None,
            )
        return self.sites[instruction]

    def last_bound(self, variable: str, instruction: int) -> tuple[Statement, Bound]:
        """Which of the statements that assign the variable was the last to do so, by the order of the text."""
        line, _, column, _ = self.positions[instruction // 2]
        here = line or 0, column or 0
        before = [pair for pair in self.variables[variable] if pair[0].end <= here]
        return (before or self.variables[variable])[-1]


class Sources:
    """The files of one model, read together, since a line of one may call a function of another."""

    def __init__(self, files: Iterable[str]) -> None:
        trees = {file: parsed(file) for file in sorted(files)}
        returns = {
            node.name: returned_axes(node)
            for tree in trees.values()
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and node.name != "forward"
        }
        self.statements = {file: list(Reader(file, returns).read(tree.body)) for file, tree in trees.items()}
        self.called = {
            statement.calls: statement.bounds[0]
            for statements in self.statements.values()
            for statement in statements
            if statement.calls and statement.bounds[0]
        }
        self.codes: dict[int, tuple[CodeType, Code | None]] = {}  # by id: hashing a code object reads all of it

    def code(self, code: CodeType) -> Code | None:
        """The names of this code, or None where it is not a function of these files.

        Lambdas and comprehensions have no names of their own: what they compute belongs to the line around them.
        """
        if id(code) not in self.codes:
            ours = code.co_filename in self.statements and not code.co_name.startswith("<")
            self.codes[id(code)] = code, Code(code, self.statements[code.co_filename]) if ours else None
        return self.codes[id(code)][1]


def parsed(file: str) -> ast.Module:
    """A file, or a notebook's cell; empty where there is no text to read."""
    return ast.parse("".join(linecache.getlines(file)))


@cache
def read_sources(files: frozenset[str]) -> Sources:
    return Sources(files)


class Reader:
    """Reads one file's assignments, in the order of the text."""

    def __init__(self, file: str, returns: dict[str, tuple[Axes, ...]]) -> None:
        self.file = file
        self.returns = returns
        self.owner = ""  # the class being read
        self.widths: dict[str, tuple[str, str]] = {}  # its layers: attribute -> (kind, letter of the output)

    def read(self, body: Iterable[ast.stmt]) -> Iterator[Statement]:
        """Every function in these statements, however deep, but no constructor."""
        for node in body:
            if isinstance(node, ast.ClassDef):
                outside = self.owner, self.widths
                self.owner, self.widths = node.name, dict(layer_widths(node))
                yield from self.read(node.body)
                self.owner, self.widths = outside
            elif isinstance(node, ast.FunctionDef):
                if node.name != "__init__":
                    yield from self.function(node)
                yield from self.read(node.body)
            else:
                yield from self.read(child for block in blocks(node) for child in block)

    def function(self, function: ast.FunctionDef) -> Iterator[Statement]:
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        known = {a.arg: axes for a in arguments for axes in annotated_axes(a.annotation)[:1]}
        written = list(Order().read(function.body))
        promised: dict[str, Axes] = {}
        for node, _, _, _ in written:
            if isinstance(node, ast.Return) and node.value is not None:
                promised |= zip(target_names(node.value), returned_axes(function), strict=False)
            elif isinstance(node, ast.AnnAssign):
                promised |= zip(target_names(node.target), annotated_axes(node.annotation), strict=False)
        for node, value, variables, returned in written:
            found = [self.axes(value, known)] if len(variables) == 1 else self.several_axes(value)
            letters = [
                promised.get(variable) or axes
                for (variable, _), axes in zip(variables, [*found, *[None] * len(variables)], strict=False)
            ]
            known |= {variable: axes for (variable, _), axes in zip(variables, letters, strict=True) if axes}
            yield self.statement(node, value, variables, letters, returned)

    def statement(
        self,
        node: Writing,
        value: ast.expr,
        variables: list[tuple[str, int]],
        letters: list[Axes | None],
        returned: list[tuple[int | None, ...]],
    ) -> Statement:
        written = ast.get_source_segment("".join(linecache.getlines(self.file)), node) or ""
        text = re.sub(r"(?<=[(\[])\s+|\s+(?=[)\]])", "", " ".join(line.strip() for line in written.splitlines()))
        callee = called(value)
        whole = node if isinstance(node, ast.AugAssign) else value
        return Statement(
            bounds=tuple(
                Bound(numbered(variable, number), variable, self.file, node.lineno, text, axes, callee, leaves)
                if variable
                else None
                for (variable, number), axes, leaves in zip(variables, letters, returned, strict=True)
            ),
            start=(node.lineno, node.col_offset),
            end=(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset),
            values=dict(spans(whole)),
            calls=(self.owner, callee) if ast.unparse(value).startswith(f"self.{callee}(") and variables else None,
        )

    def several_axes(self, value: ast.expr) -> list[Axes | None]:
        """For `a, b = value`: known where the value, or a branch of it, is a call of a function that says so."""
        for branch in branches(value):
            if isinstance(branch, ast.Call):
                called = ast.unparse(branch.func).removeprefix("self.")
                if called in self.returns:
                    return list(self.returns[called])
        return []

    def axes(self, value: ast.expr, known: dict[str, Axes]) -> Axes | None:
        """The letters of an expression: shape-keeping unless one of the few rules says otherwise."""
        match value:
            case ast.Name(id=name):
                return known.get(name)
            case ast.Call(func=ast.Name(id="einsum"), args=[ast.Constant(value=str(equation)), *_]):
                return tuple(equation.partition("->")[2].replace(" ", "")) or None
            case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)):
                if len(self.returns.get(name, ())) == 1:
                    return self.returns[name][0]
                return self.through_layer(name, self.first_known(value.args, known))
            case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr="ones" | "zeros"), args=sizes):
                lengths = [size.id for size in sizes if isinstance(size, ast.Name) and size.id.endswith("_len")]
                return tuple(length[0] for length in lengths) if len(lengths) == len(sizes) else None
            case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr=maker)) if maker != "cat":
                return None
            case ast.Call(func=ast.Attribute(value=receiver, attr=method), args=arguments):
                received = self.axes(receiver, known)
                moved = [ast.unparse(argument) for argument in arguments]
                return reshaped(received, method, moved) if received else self.first_known(arguments, known)
            case ast.BinOp(left=left, right=right) | ast.Compare(left=left, comparators=[right]):
                return max((self.axes(side, known) or () for side in (left, right)), key=len) or None
            case ast.UnaryOp(operand=operand):
                return self.axes(operand, known)
            case ast.IfExp() | ast.BoolOp():
                return self.first_known(list(branches(value)), known)
            case ast.List(elts=elements):
                return self.first_known(elements, known)
        return None

    def first_known(self, values: Iterable[ast.expr], known: dict[str, Axes]) -> Axes | None:
        return next((axes for axes in (self.axes(value, known) for value in values) if axes), None)

    def through_layer(self, attribute: str, axes: Axes | None) -> Axes | None:
        kind, letter = self.widths.get(attribute, ("", ""))
        if axes and kind == "Linear":
            return (*axes[:-1], letter)
        return (*axes, letter) if axes and kind == "Embedding" else axes


def reshaped(axes: Axes, method: str, arguments: list[str]) -> Axes | None:
    """The letters after a method that moves axes; e splits into h d, and h d joins into e."""
    match method, arguments:
        case "unsqueeze", [at] if at.isdigit():
            return (*axes[: int(at)], "1", *axes[int(at) :])
        case "unflatten", ["-1", _]:
            return (*axes[:-1], "h", "d")
        case "flatten", [at] if at.isdigit() and axes[int(at) :] == ("h", "d"):
            return (*axes[: int(at)], "e")
        case (
            (
                "flatten"
                | "unflatten"
                | "view"
                | "reshape"
                | "permute"
                | "transpose"
                | "sum"
                | "mean"
                | "size"
                | "unsqueeze"
            ),
            _,
        ):
            return None
    return axes


def layer_widths(node: ast.ClassDef) -> Iterator[tuple[str, tuple[str, str]]]:
    """`self.name = nn.Linear(from, to)` or `nn.Embedding(entries, to)`: what the letter of its output is."""
    for assign in ast.walk(node):
        match assign:
            case ast.Assign(
                targets=[ast.Attribute(attr=name)],
                value=ast.Call(func=ast.Attribute(attr="Linear" | "Embedding" as kind), args=[_, to]),
            ):
                letter = SIZES.get(to.attr if isinstance(to, ast.Attribute) else ast.unparse(to))
                if letter:
                    yield name, (kind, letter)


def returned_axes(function: ast.FunctionDef) -> tuple[Axes, ...]:
    return annotated_axes(function.returns)


def annotated_axes(annotation: ast.expr | None) -> tuple[Axes, ...]:
    """`Float[Tensor, "n q e"]` -> (n, q, e); of a tuple, those of each part; empty where there is no shape."""
    shapes = [
        node.slice.elts[1].value
        for node in ast.walk(annotation or ast.Tuple([]))
        if isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Tuple)
        and len(node.slice.elts) == 2
        and isinstance(node.slice.elts[1], ast.Constant)
    ]
    return tuple(tuple(str(shape).replace("#", "").split()) for shape in shapes)


def target_names(target: ast.expr) -> list[str]:
    """The bare names of `a` or `a, b`; none where any part is something else (an attribute, an item, a star)."""
    parts = target.elts if isinstance(target, ast.Tuple) else [target]
    names = [part.id for part in parts if isinstance(part, ast.Name)]
    return names if len(names) == len(parts) else []


def branches(value: ast.expr) -> Iterator[ast.expr]:
    """The expressions one of which becomes the value."""
    match value:
        case ast.IfExp(body=body, orelse=orelse):
            yield from branches(body)
            yield from branches(orelse)
        case ast.BoolOp(values=values):
            for part in values:
                yield from branches(part)
        case _:
            yield value


def called(value: ast.AST) -> str:
    """The name of the function or method that a call calls; empty for anything else."""
    function = value.func if isinstance(value, ast.Call) else None
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )


def spans(value: ast.AST) -> Iterator[tuple[Span, Whole]]:
    """Where the expressions stand that are all of the value, or all of a part of it where it is written `a, b`."""
    for branch in branches(value) if isinstance(value, ast.expr) else [value]:
        yield span(branch), Whole(None, called(branch))
        if isinstance(branch, ast.Tuple):
            for part, item in enumerate(branch.elts):
                yield from ((span(whole), Whole(part, called(whole))) for whole in branches(item))


def span(node: Any) -> Span:
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset
