"""The user's file and function: `FILE.py:build`, run as it stands; what goes wrong is said by the user's own line."""

import importlib.util
import linecache
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from glassformer.errors import UserError, unknown_name
from glassformer.learn.diagnose.adapter import Adapter

EXAMPLE = "Write it as FILE.py:build, where build() returns the model."


@dataclass(frozen=True)
class Built:
    """What a file gave: the model, what was said of it, and a loss where the file has one."""

    model: nn.Module
    adapter: Adapter
    loss: Callable[..., Any] | None


def load_build(place: str) -> Built:
    """Run the file, call the function. UserError for a missing file or function, for what it raises, and for what it

    returns where that is not a module, or (module, Adapter). A function `loss(model, src, trg)` in the file is kept.
    """
    text, colon, name = place.rpartition(":")
    if not colon or (len(text) == 1 and not text.endswith(".py")):  # no colon, or that of a Windows drive
        text, name = place, "build"
    file = Path(text)
    if not file.is_file():
        raise UserError(f"there is no file {text}. {EXAMPLE}")
    if file.suffix != ".py":
        raise UserError(f"{text} is not a Python file. {EXAMPLE}")
    module = run_file(file)
    build = getattr(module, name, None)
    if not callable(build):
        functions = [
            n for n, v in vars(module).items() if callable(v) and getattr(v, "__module__", "") == module.__name__
        ]
        if functions:
            raise UserError(f"{file.name} has no function {name}: {unknown_name('function', name, functions)}")
        raise UserError(f"{file.name} has no function {name}. {EXAMPLE}")
    result = guarded(file, f"{name}()", build)
    model, adapter = result if isinstance(result, tuple) and len(result) == 2 else (result, Adapter())
    if not isinstance(model, nn.Module):
        raise UserError(f"{name}() in {file.name} returned {described(result)}, not a torch.nn.Module. {EXAMPLE}")
    if not isinstance(adapter, Adapter):
        raise UserError(
            f"{name}() in {file.name} returned a module and {described(adapter)}: the second must be an Adapter "
            "(from glassformer.learn.diagnose import Adapter)."
        )
    loss = getattr(module, "loss", None)
    return Built(model, adapter, loss if callable(loss) and not isinstance(loss, nn.Module | type) else None)


def described(value: Any) -> str:
    return "nothing (None)" if value is None else f"a {type(value).__name__}"


def run_file(file: Path) -> ModuleType:
    """The file as a module of its own; files beside it can be imported, as when Python runs it."""
    name = f"diagnosed_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(file.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    linecache.checkcache(str(file))
    guarded(file, "the file", lambda: spec.loader.exec_module(module))  # type: ignore[union-attr]
    return module


def guarded(file: Path, what: str, run: Callable[[], Any]) -> Any:
    """What `run` returns; what it raises becomes a UserError that shows the user's line and no line of a library."""
    try:
        return run()
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise UserError(f"{file.name}{line}: {error.msg}: {(error.text or '').strip()}") from None
    except (Exception, SystemExit) as error:
        raise UserError(f"{what} could not be run: {their_line(file, error)}") from None


def their_line(file: Path, error: BaseException) -> str:
    """The last line of the user's folder that was at work, and the error's own words."""
    folder = file.resolve().parent
    frames = [f for f in traceback.extract_tb(error.__traceback__) if is_theirs(folder, f.filename)]
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if not frames:
        return said
    last = frames[-1]
    return f"{Path(last.filename).name}, line {last.lineno}, `{(last.line or '').strip()}`: {said}"


def is_theirs(folder: Path, filename: str) -> bool:
    path = Path(filename)
    return path.is_file() and path.resolve().is_relative_to(folder) and "site-packages" not in path.parts
