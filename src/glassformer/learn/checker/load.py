"""The learner's file: read, compared with the task, imported; and what went wrong in it, told by its own lines."""

import ast
import importlib
import inspect
import linecache
import re
import sys
import traceback
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from torch import Tensor

from glassformer.learn.course import task
from glassformer.learn.exercise import Function, Texts

MOST_LINES = 12  # of the learner's, on the way to an error


class CannotLoadError(Exception):
    """The file cannot be used as it is. The message is for the learner."""

    def __init__(self, headline: str, *details: str) -> None:
        super().__init__(headline)
        self.headline, self.details = headline, details


def load(folder: Path, texts: Texts) -> ModuleType:
    """Import the learner's file, with the folder on the path so that it can import its earlier answers.

    Raises CannotLoadError, with the learner's line, where that fails.
    """
    file = folder / texts.file
    if not file.is_file():
        raise CannotLoadError(f"{texts.file} is missing. `glassformer learn reset {texts.number}` brings it back.")
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    try:
        return importlib.import_module(texts.module)
    except SyntaxError as error:
        name = Path(error.filename or "").name
        line = (error.text or "").rstrip()
        raise CannotLoadError(
            f"{name or texts.file} is not Python yet: {error.msg}{f', line {error.lineno}' if error.lineno else ''}",
            *([f"  {line}"] if line else []),
        ) from error
    except BaseException as error:  # whatever the learner's module does when imported
        raise CannotLoadError(
            f"{texts.file} cannot be imported: {type(error).__name__}: {error}", *own_lines(error, folder)
        ) from error


def function_of(module: ModuleType, texts: Texts, name: str) -> Function:
    """The function the checker calls; CannotLoadError where it is missing or takes other arguments."""
    wanted = signature(task(texts), name)
    function = getattr(module, name, None)
    if not callable(function):
        raise CannotLoadError(f"{texts.file} defines no {name}: the checker calls {name}({', '.join(wanted)}).")
    try:
        inspect.signature(function).bind(*wanted)
    except TypeError:
        given = ", ".join(inspect.signature(function).parameters)
        raise CannotLoadError(
            f"{name} takes ({given}) in {texts.file}: the checker calls {name}({', '.join(wanted)})."
        ) from None
    except ValueError:  # a built-in tells no signature
        pass
    found: Function = function
    return found


def signature(text: str, name: str) -> tuple[str, ...]:
    """The names of a function's parameters that have no default."""
    arguments = definition(text, name).args
    required = arguments.args[: len(arguments.args) - len(arguments.defaults)]
    return tuple(argument.arg for argument in required)


def definition(text: str, name: str) -> ast.FunctionDef:
    return next(node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name == name)


def written(folder: Path, texts: Texts, name: str) -> list[ast.stmt]:
    """The statements of the learner's function, without its docstring; none where the file cannot be read that way."""
    try:
        return statements(definition((folder / texts.file).read_text(encoding="utf-8-sig"), name))
    except (StopIteration, SyntaxError, UnicodeError, OSError):
        return []


def statements(function: ast.FunctionDef) -> list[ast.stmt]:
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


def is_untouched(folder: Path, texts: Texts, name: str) -> bool:
    """Whether a function's body is still the task's."""
    ours = statements(definition(task(texts), name))
    return [*map(ast.dump, written(folder, texts, name))] == [*map(ast.dump, ours)]


def suspects(folder: Path, texts: Texts, name: str, pattern: str) -> str | None:
    """The first line of a function that a regular expression finds, as `line 12: energy = ...`."""
    found = written(folder, texts, name)
    if not found:
        return None
    lines = (folder / texts.file).read_text(encoding="utf-8-sig").splitlines()
    for number in range(found[0].lineno, (found[-1].end_lineno or 0) + 1):
        code = lines[number - 1].split("#")[0]
        if re.search(pattern, code) and "import" not in code:
            return f"{texts.file} line {number}: {code.strip()}"
    return None


def calls(folder: Path, texts: Texts, name: str) -> set[str]:
    """The last names of everything a function calls: {softmax, einsum, ...}."""
    nodes = (node for statement in written(folder, texts, name) for node in ast.walk(statement))
    called = (node.func for node in nodes if isinstance(node, ast.Call))
    return {f.attr if isinstance(f, ast.Attribute) else f.id for f in called if isinstance(f, ast.Attribute | ast.Name)}


def own_lines(error: BaseException, folder: Path) -> tuple[str, ...]:
    """The lines of the learner's files that led to an error, and the shapes of the tensors there; no other frames."""
    return told([(frame, number) for frame, number in traceback.walk_tb(error.__traceback__)], folder)


def lines_of(frame: FrameType | None, folder: Path) -> tuple[str, ...]:
    """The same for code that is still running, seen from another thread."""
    return told(list(traceback.walk_stack(frame))[::-1] if frame else [], folder)


def told(frames: list[tuple[FrameType, int]], folder: Path) -> tuple[str, ...]:
    lines: list[str] = []
    innermost: dict[str, Any] = {}
    for frame, number in frames:
        file = Path(frame.f_code.co_filename)
        if file.parent == folder:
            linecache.checkcache(str(file))
            lines.append(f"{file.name} line {number}: {linecache.getline(str(file), number).strip()}")
            innermost = frame.f_locals
    if len(lines) > MOST_LINES:  # a function that calls itself
        lines = [*lines[:2], f"... {len(lines) - 4} lines like these ...", *lines[-2:]]
    shapes = [f"{name} {tuple(value.shape)}" for name, value in innermost.items() if isinstance(value, Tensor)]
    return (*lines, *(["there: " + ", ".join(shapes)] if shapes else []))
