"""watch(model): every intermediate value under the name that the source assigns to, without a line in the model.

How it sees: while it is on, a TorchFunctionMode is told of each torch operation, and a forward hook of each module's
result. The nearest function of the model on the call stack says by its instruction which statement that operation
belongs to. What no operation shows (keys read from a cache, `a, b = function()`) is read from the variables of the
model's running functions. Nothing is patched, and when it is off nothing is there.
"""

import inspect
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import glassformer.model
from glassformer.look.seen import Seen, Tap
from glassformer.look.source import Bound, Code, read_sources
from glassformer.model.attention import MultiHeadAttention, attention
from glassformer.model.fused import fused_attention

RING_0 = frozenset(str(file) for file in Path(glassformer.model.__path__[0]).glob("*.py"))


@contextmanager
def watch(model: nn.Module, only: str | Sequence[str] | None = None) -> Iterator[Seen]:
    """`with watch(model) as seen: model(src, trg[:, :-1])`, then `seen["decoder.layers.0.cross_attention.energy"]`.

    A tap's name is the path of the module whose code computes it, a dot, and the name in that code (`logits`,
    `memory`, `src_mask` for the model itself). `only`, a pattern or several ("*.attention"), keeps those alone and so
    keeps memory small.

    A fused model computes with the written-out attention meanwhile, a compiled one without its compiled code; both
    are as before afterwards. It sees calls of the thread that entered it. Watches may be nested, each sees everything.
    """
    plain = getattr(model, "_orig_mod", model)  # what torch.compile wraps
    seen = Seen()
    recorder = Recorder(plain, seen, [only] if isinstance(only, str) else only)
    with ExitStack() as undo:
        if plain is not model or any(module._compiled_call_impl is not None for module in plain.modules()):
            undo.enter_context(torch.compiler.set_stance("force_eager"))
        undo.callback(recorder.finish)
        for module in plain.modules():
            undo.callback(module.register_forward_hook(recorder.after_module).remove)
            if isinstance(module, MultiHeadAttention) and module.attend is fused_attention:
                undo.callback(setattr, module, "attend", fused_attention)
                module.attend = attention
        undo.enter_context(recorder)
        yield seen


@dataclass
class Call:
    """One call of a module: what its names stand for so far, each with its place in the list of its taps."""

    taps: dict[str, tuple[Tensor, int]] = field(default_factory=dict)


@dataclass
class Running:
    """One running function of the model."""

    frame: FrameType
    code: Code
    path: str | None  # of the module it computes for; None: not of this model
    call: Call
    read_at: int = -1  # the instruction where its variables were last read
    bound: dict[str, Tensor] = field(default_factory=dict)
    operations: dict[int, list[tuple[int, str]]] = field(default_factory=dict)  # line -> (instruction, operation)


class Recorder(TorchFunctionMode):
    """Turns torch's events into taps."""

    def __init__(self, model: nn.Module, seen: Seen, only: Sequence[str] | None) -> None:
        super().__init__()
        self.paths = {id(module): path for path, module in model.named_modules()}
        self.parents = {id(child): module for module in model.modules() for child in module.children()}
        self.sources = read_sources(RING_0 | files_of(model))
        self.seen = seen
        self.only = only
        self.thread = threading.get_ident()
        self.running: dict[FrameType, Running] = {}  # outermost first

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            running = self.locate(sys._getframe(1))
            if running is not None:
                self.computed(running, describe(func, args), result)
        return result

    def after_module(self, module: nn.Module, inputs: Any, output: Any) -> None:
        if not isinstance(output, Tensor) or threading.get_ident() != self.thread:
            return
        with torch._C.DisableTorchFunction():
            running = self.locate(sys._getframe(1))
            if running is not None:
                self.computed(running, type(module).__name__, output, of_module=True)
            else:
                self.called_from_outside(module, output)

    def finish(self) -> None:
        with torch._C.DisableTorchFunction():
            self.locate(None)

    def locate(self, frame: FrameType | None) -> Running | None:
        """The model's innermost running function at this frame, after reading what the others have bound by now."""
        entered: list[tuple[FrameType, Code]] = []
        while frame is not None and frame not in self.running:
            code = self.sources.code(frame.f_code)
            if code is not None:
                entered.append((frame, code))
            frame = frame.f_back
        while self.running and (frame is None or next(reversed(self.running)) is not frame):
            self.read_variables(self.running.popitem()[1])  # it has returned; its variables are still there
        for running in self.running.values():
            if running.frame.f_lasti != running.read_at:
                self.read_variables(running)
        for fresh, code in reversed(entered):
            self.running[fresh] = self.enter(fresh, code)
        return self.running[next(reversed(self.running))] if self.running else None

    def enter(self, frame: FrameType, code: Code) -> Running:
        outer = self.running[next(reversed(self.running))] if self.running else None
        owner = frame.f_locals.get("self") if "self" in frame.f_code.co_varnames else None
        if isinstance(owner, nn.Module):
            path = self.paths.get(id(owner))
        else:
            path = outer.path if outer else None
        return Running(frame, code, path, outer.call if outer and outer.path == path else Call())

    def read_variables(self, running: Running) -> None:
        running.read_at = running.frame.f_lasti
        if running.path is None:
            return
        variables = running.frame.f_locals
        for name, bound in running.code.names.items():
            value = variables.get(name)
            if isinstance(value, Tensor) and running.bound.get(name) is not value:
                self.bind(running, bound, value)

    def computed(self, running: Running, operation: str, result: Tensor, of_module: bool = False) -> None:
        """An operation, or a module, has a result: note it, and bind the name if it is all that the name stands for."""
        instruction = running.frame.f_lasti
        site = running.code.site(instruction) if running.path is not None else None
        if site is None:
            return
        statement, whole = site
        operations = running.operations.setdefault(statement.first_line, [])
        if not (of_module and operations and operations[-1][0] == instruction):  # the module is that very operation
            operations.append((instruction, operation))
        if whole and running.bound.get(statement.bounds[0].name) is not result:
            self.bind(running, statement.bounds[0], result)

    def called_from_outside(self, module: nn.Module, output: Tensor) -> None:
        """`model.fc_out(decoded)` by somebody else's code: named as where the model's own code calls the same."""
        path, parent = self.paths[id(module)], self.parents.get(id(module))
        outer, _, attribute = path.rpartition(".")
        for kind in type(parent).__mro__:
            bound = self.sources.called.get((kind.__name__, attribute))
            if bound is not None:
                self.keep(outer, bound, bound.callee, output, Call())
                return

    def bind(self, running: Running, bound: Bound, value: Tensor) -> None:
        operations = [operation for _, operation in running.operations.pop(bound.line, [])]
        running.bound[bound.name] = value
        assert running.path is not None
        self.keep(running.path, bound, ", ".join(operations) or bound.callee, value, running.call)

    def keep(self, path: str, bound: Bound, operation: str, value: Tensor, call: Call) -> None:
        name = f"{path}.{bound.name}" if path else bound.name
        if self.only is not None and not any(fnmatchcase(name, pattern) for pattern in self.only):
            return
        letters = bound.axes if bound.axes and len(bound.axes) == value.dim() else ("_",) * value.dim()
        if path.startswith("encoder"):  # blocks serve both sides and say t; on this side it is s
            letters = tuple("s" if letter == "t" else letter for letter in letters)
        with torch._C.DisableTorchFunction():
            tap = Tap(name, letters, value.detach(), operation, bound.file, bound.line, bound.source)
        taps = self.seen._taps.setdefault(name, [])
        earlier, place = call.taps.get(name, (None, len(taps)))
        if earlier is value:  # the same tensor under the same name, one function further out: the first line made it
            if "_" in taps[place].axes:
                taps[place] = replace(taps[place], axes=letters)
            return
        taps[place : place + 1] = [tap]
        call.taps[name] = value, place


def files_of(model: nn.Module) -> frozenset[str]:
    """The files (or notebook cells) that the model's own classes are written in; those of torch itself are not read."""
    kinds = {kind for module in model.modules() for kind in type(module).__mro__ if issubclass(kind, nn.Module)}
    methods = [m for kind in kinds if not kind.__module__.startswith("torch.") for m in vars(kind).values()]
    return frozenset(inspect.unwrap(m).__code__.co_filename for m in methods if isinstance(m, FunctionType))


def describe(func: Callable[..., Any], args: Sequence[Any]) -> str:
    """`einsum nqhd,nkhd->nhqk`, `softmax`, `add`; an operator by its method's name without underscores."""
    name: str = getattr(func, "__name__", type(func).__name__)
    if name == "__get__":
        name = func.__self__.__name__  # type: ignore[attr-defined]
    name = name.strip("_").removeprefix("r") if name in REFLECTED else name.strip("_")
    return f"{name} {args[0]}" if name == "einsum" and isinstance(args[0], str) else name


REFLECTED = {"__radd__", "__rsub__", "__rmul__", "__rtruediv__", "__rpow__", "__rand__", "__ror__", "__rmatmul__"}
