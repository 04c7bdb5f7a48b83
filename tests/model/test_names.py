"""Ring 0 is written so that its names suffice: the rules of its text, read from the text."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import glassformer.model

FILES = sorted(Path(glassformer.model.__path__[0]).glob("*.py"))
QUANTITIES = [
    "queries",
    "keys",
    "values",
    "energy",
    "masked_energy",
    "attention",
    "heads_out",
    "out",
    "hidden",
    "residual_sum",
    "embedded",
    "positioned",
    "stream",
    "memory",
    "decoded",
    "logits",
    "src_mask",
    "trg_mask",
]

Function = ast.FunctionDef


def functions() -> list[tuple[str, Function]]:
    return [
        (f"{file.stem}.{node.name}:{node.lineno}", node)
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    ]


ALL = [pytest.param(function, id=name) for name, function in functions()]


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions and lambdas inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(
            node, ast.FunctionDef | ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
        ):
            waiting.extend(ast.iter_child_nodes(node))


def parameters(function: Function) -> list[str]:
    signature = function.args
    named = [*signature.posonlyargs, *signature.args, *signature.kwonlyargs]
    return [argument.arg for argument in [*named, signature.vararg, signature.kwarg] if argument]


def stored(node: ast.AST, deep: bool = False) -> list[str]:
    nodes = ast.walk(node) if deep else [node]
    return [part.id for part in nodes if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)]


def bound_names(function: Function) -> list[str]:
    """Every name that the function binds, as often as it does.

    What a loop carries on (`stream = layer(stream)`) counts once, and so does a variable of several loops.
    """
    loops = [node for node in own_nodes(function) if isinstance(node, ast.For)]
    variables = {name for loop in loops for name in stored(loop.target, deep=True)}
    carried = [
        node.targets[0].id
        for loop in loops
        for node in loop.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Call)
        if node.value.args and ast.unparse(node.value.args[0]) == node.targets[0].id
    ]
    names = [name for node in own_nodes(function) for name in stored(node)] + parameters(function)
    for name in [*carried, *(name for loop in loops for name in stored(loop.target, deep=True))]:
        names.remove(name)
    return [*names, *variables]


def returns_tensors(function: Function) -> bool:
    annotation = ast.unparse(function.returns) if function.returns else ""
    return any(kind in annotation for kind in ("Tensor", "Float[", "Int[", "Bool["))


@pytest.mark.parametrize("function", ALL)
def test_a_name_is_assigned_once(function: Function) -> None:
    names = bound_names(function)
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"give each value its own name: {sorted(twice)}"


@pytest.mark.parametrize("function", [case for case in ALL if returns_tensors(case.values[0])])  # type: ignore[arg-type]
def test_a_tensor_is_returned_by_its_name(function: Function) -> None:
    for node in own_nodes(function):
        if isinstance(node, ast.Return):
            parts = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            assert all(isinstance(part, ast.Name) for part in parts), f"name it first: {ast.unparse(node)}"


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_every_quantity_of_the_shape_table_has_its_name(quantity: str) -> None:
    assert any(quantity in bound_names(function) for name, function in functions()), quantity


@pytest.mark.parametrize("function", ALL)
def test_every_function_says_what_it_takes_and_gives(function: Function) -> None:
    signature = function.args
    taken = [*signature.posonlyargs, *signature.args, *signature.kwonlyargs]
    bare = [argument.arg for argument in taken if argument.annotation is None and argument.arg not in ("self", "cls")]
    assert not bare
    assert function.returns is not None


def test_no_file_hides_its_annotations_from_the_shape_checker() -> None:
    assert not [file.name for file in FILES if "from __future__ import annotations" in file.read_text(encoding="utf-8")]
