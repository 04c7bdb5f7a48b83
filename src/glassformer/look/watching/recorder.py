"""Turns torch's events into taps: what `watch` does while it is on."""

import inspect
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

import glassformer.model
from glassformer.look.edits import Edits
from glassformer.look.seen import Seen, Tap
from glassformer.look.watching.running import MODULE_CALL, Call, Noted, Running, distance, letters
from glassformer.look.watching.source import Bound, Code, Site, Statement, read_sources
from glassformer.look.watching.steps import Step, edit, holds_tensors, is_in_place, key, moved

RING_0 = frozenset(str(file) for file in Path(glassformer.model.__path__[0]).glob("*.py"))


class Recorder(TorchFunctionMode):
    """A mode and a hook; both end at `place`, which names a value, edits it and keeps it."""

    def __init__(self, model: nn.Module, seen: Seen, only: Sequence[str] | None, edits: Edits, gradients: bool) -> None:
        super().__init__()
        modules = dict(model.named_modules())
        self.paths = {id(module): path for path, module in modules.items()}
        self.parents = {id(child): module for module in modules.values() for child in module._modules.values()}
        self.weights = {  # by id: name, and the same memory without a gradient
            id(weight): (f"{path}.{name}" if path else name, weight.detach())
            for path, module in reversed(modules.items())  # of several names for one, the first
            for name, weight in [*module._parameters.items(), *module._buffers.items()]
            if weight is not None
        }
        self.sources = read_sources(RING_0 | files_of(modules.values()))
        self.seen = seen
        seen._weights |= {key(weight): name for name, weight in self.weights.values()}
        self.only = only
        self.edits = edits
        self.gradients = gradients
        self.handles: list[RemovableHandle] = []
        self.wanted: dict[str, bool] = {}  # name -> whether `only` keeps it
        self.thread = threading.get_ident()
        self.running: dict[FrameType, Running] = {}  # outermost first
        self.innermost: Running | None = None  # the last of them
        self.outside: Step | None = None  # the latest operation of somebody else's code, or of a module it called

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        in_place = is_in_place(func, kwargs)
        operands = (self.saved(args[0]), *args[1:]) if in_place else args
        result = func(*args, **kwargs)
        if not isinstance(result, Tensor) and not (isinstance(result, tuple | list) and holds_tensors(result)):
            return result
        running, modules_between = self.locate(sys._getframe(1))
        step = Step(func, tuple(operands), kwargs, result)
        if self.gradients:
            self.note_weights(running, step)
        if running is None:
            self.outside = step
            return result
        return self.computed(running, Noted(running.frame.f_lasti, "", step), result, modules_between == 0)

    def after_module(self, module: nn.Module, inputs: Any, output: Any) -> Any:
        if threading.get_ident() != self.thread:
            return None
        with torch._C.DisableTorchFunction():
            running, modules_between = self.locate(sys._getframe(1))
            if running is None:
                placed = self.called_from_outside(module, output) if isinstance(output, Tensor) else output
            else:
                noted = Noted(running.frame.f_lasti, type(module).__name__, None)
                placed = self.computed(running, noted, output, modules_between == 1)
        return None if placed is output else placed

    def finish(self) -> None:
        with torch._C.DisableTorchFunction():
            self.locate(None)
        self.outside = None
        for handle in self.handles:
            handle.remove()

    def locate(self, frame: FrameType | None) -> tuple[Running | None, int]:
        """The model's innermost running function at this frame, after reading what the others have bound by now.

        Also how many module calls lie between the two; FAR where code that is neither the model's nor torch's does.
        """
        entered: list[tuple[FrameType, Code]] = []
        between = 0
        while frame is not None and frame not in self.running:
            code = self.sources.code(frame.f_code)
            if code is not None:
                entered.append((frame, code))
            elif not entered:
                between += distance(frame.f_code)
            frame = frame.f_back
        while self.innermost and self.innermost.frame is not frame:
            del self.running[self.innermost.frame]
            self.returned(self.innermost)
            self.innermost = self.innermost.outer
        for running in self.running.values():
            if running.frame.f_lasti != running.read_at:
                self.read_variables(running)
        for fresh, code in reversed(entered):
            self.innermost = self.running[fresh] = self.enter(fresh, code)
        return self.innermost, between

    def enter(self, frame: FrameType, code: Code) -> Running:
        outer = self.innermost
        owner = frame.f_locals.get("self") if "self" in frame.f_code.co_varnames else None
        if isinstance(owner, nn.Module):
            path = self.paths.get(id(owner))
        else:
            owner, path = None, outer.path if outer else None
        call = outer.call if outer and outer.path == path else Call()
        running = Running(frame, code, owner, path, call, outer, outer.frame.f_lasti if outer else -1)
        arguments = {name for name in code.variables if name in code.arguments or name.startswith("self.")}
        running.bound = {name: running.variable(name) for name in arguments}  # not assigned here, so no taps
        return running

    def returned(self, running: Running) -> None:
        """Its variables are still there. What its `return` computed belongs to the line that called it."""
        self.read_variables(running)
        if running.outer and running.path is not None:
            for start, noted in running.noted.items():
                if start in running.code.returns:
                    self.hand_over(noted, running)

    def hand_over(self, noted: list[Noted], running: Running) -> None:
        outer = running.outer
        site = outer.code.site(running.called_at) if outer and outer.path is not None else None
        if outer and site:
            there = outer.noted.setdefault(site.statement.start, [])
            shown = outer.path == running.path  # of another module's line, its class is named
            there += [replace(each, instruction=running.called_at, shown=shown and each.shown) for each in noted]

    def read_variables(self, running: Running) -> None:
        running.read_at = running.frame.f_lasti
        if running.path is None:
            return
        variables = running.frame.f_locals
        for name in running.code.variables:
            value = running.variable(name) if name.startswith("self.") else variables.get(name)
            if isinstance(value, Tensor) and running.bound.get(name) is not value:
                statement, bound = running.code.last_bound(name, running.read_at)
                running.bound[name] = value
                self.bind(running, statement, bound, value)

    def computed(self, running: Running, noted: Noted, result: Any, direct: bool) -> Any:
        """An operation, or a module, has a result: note it, and bind it if it is all that a name stands for."""
        site = running.code.site(noted.instruction) if running.path is not None else None
        if site is None:
            return result
        if self.keeps_any(running, site.statement):
            before = running.noted.setdefault(site.statement.start, [])
            same = [each for each in before if each.instruction == noted.instruction and each.shown]
            if noted.step or len(same) != 1 or same[0].text:  # a module of one operation goes by that
                before.append(noted)
                for each in [] if noted.step else same:
                    each.shown = False
        if not direct or not site.whole:
            return result
        return self.place(running, site, result)

    def place(self, running: Running, site: Site, value: Any) -> Any:
        """What stands in the value's place once each name it is about to get is bound, the callers' names as well."""
        bounds = site.statement.bounds
        if isinstance(value, tuple | list) and site.part is None and len(bounds) in (0, len(value)) and len(value) > 1:
            parts = [self.place(running, site._replace(part=part), each) for part, each in enumerate(value)]
            changed = any(one is not other for one, other in zip(parts, value, strict=True))
            return value if not changed else parts if isinstance(value, list) else tuple(parts)
        if not isinstance(value, Tensor) or (site.part is None and len(bounds) > 1):
            return value
        if not bounds:
            self.hand_over(running.noted.pop(site.statement.start, []), running)
            return self.place_in_caller(running, site.part, value)
        bound = bounds[site.part or 0]
        if bound is None or running.path is None:
            return value
        value = self.edited(running, site.statement, bound, value)
        self.bind(running, site.statement, bound, value)
        for part in bound.returned:
            value = self.place_in_caller(running, part, value)
        running.bound[bound.variable] = value
        return value

    def place_in_caller(self, running: Running, part: int | None, value: Tensor) -> Tensor:
        """The value is about to be returned, whole or as one part: the same for the line that called the function."""
        outer, frame = running.outer, running.frame.f_back
        while outer and frame and frame is not outer.frame:
            if frame.f_code is MODULE_CALL:  # a module's hook will come
                return value
            frame = frame.f_back
        site = outer.code.site(outer.frame.f_lasti) if outer and outer.path is not None else None
        if not outer or not site or site.callee != running.frame.f_code.co_name:
            return value
        if part is not None:
            bounds = len(site.statement.bounds)
            if site.part is not None or 0 < bounds <= max(part, 1):
                return value
            site = site._replace(part=part)
        placed: Tensor = self.place(outer, site, value)
        return placed

    def edited(self, running: Running, statement: Statement, bound: Bound, value: Tensor) -> Tensor:
        """What the edits make of it, unless a function further in has seen to that."""
        name = self.named(running.path, bound)
        if not self.edits.has(name) or name in running.edited:
            return value
        with torch._C.DisableTorchFunction():
            result = self.edits.apply(name, letters(running.path, bound, value), value)
        if result is not value:
            noted = Noted(-1, "", Step(edit, (value,), {}, result))
            running.noted.setdefault(statement.start, []).append(noted)
        for other in self.running.values():
            if other is not running and other.call is running.call:
                other.edited.add(name)
        return result

    def called_from_outside(self, module: nn.Module, output: Tensor) -> Tensor:
        """`model.fc_out(decoded)` by somebody else's code: named as where the model's own code calls the same."""
        path, parent = self.paths[id(module)], self.parents.get(id(module))
        outer, _, attribute = path.rpartition(".")
        for kind in type(parent).__mro__:
            bound = self.sources.called.get((kind.__name__, attribute))
            if bound is not None:
                name = self.named(outer, bound)
                placed = self.edits.apply(name, letters(outer, bound, output), output)
                steps = [self.outside] if self.outside and self.outside.result is output else []
                if placed is not output:
                    steps.append(Step(edit, (output,), {}, placed))
                self.keep(outer, bound, bound.callee, placed, Call(), steps)
                return placed
        return output

    def bind(self, running: Running, statement: Statement, bound: Bound, value: Tensor) -> None:
        last = [each for each in statement.bounds if each][-1] is bound
        noted = running.noted.pop(statement.start, []) if last else running.noted.get(statement.start, [])
        operation = ", ".join(each.text or str(each.step) for each in noted if each.shown) or bound.callee
        assert running.path is not None
        self.keep(running.path, bound, operation, value, running.call, [each.step for each in noted if each.step])

    def keep(self, path: str, bound: Bound, operation: str, value: Tensor, call: Call, steps: list[Step]) -> None:
        name = self.named(path, bound)
        if not self.keeps(name):
            return
        axes = letters(path, bound, value)
        taps = self.seen._taps.setdefault(name, [])
        earlier, place = call.taps.get(name, (None, len(taps)))
        if earlier is value and not steps:  # the same tensor under the same name, one function further out
            if "_" in taps[place].axes:
                taps[place] = replace(taps[place], axes=axes)
            return
        with torch._C.DisableTorchFunction():
            tap = Tap(name, axes, value.detach(), operation, bound.file, bound.line, bound.source, self.frozen(steps))
            if self.gradients and value.requires_grad:
                self.handles.append(value.register_hook(tap.arrived.receive))  # type: ignore[no-untyped-call]
        self.seen._earlier += taps[place : place + 1]
        taps[place : place + 1] = [tap]
        call.taps[name] = value, place

    def frozen(self, steps: list[Step]) -> tuple[Step, ...]:
        """The steps without their part in the gradient's graph."""
        plain: dict[int, Tensor] = {}  # what one step gives, the next one takes

        def detached(tensor: Tensor) -> Tensor:
            if not tensor.requires_grad:
                return tensor
            if id(tensor) not in plain:
                plain[id(tensor)] = self.weights[id(tensor)][1] if id(tensor) in self.weights else tensor.detach()
            return plain[id(tensor)]

        return tuple(moved(step, detached) for step in steps)

    def named(self, path: str | None, bound: Bound) -> str:
        return f"{path}.{bound.name}" if path else bound.name

    def keeps(self, name: str) -> bool:
        """Whether `only` lets the name in."""
        if name not in self.wanted:
            self.wanted[name] = self.only is None or any(fnmatchcase(name, pattern) for pattern in self.only)
            self.edits.names.add(name)
        return self.wanted[name]

    def keeps_any(self, running: Running, statement: Statement) -> bool:
        if self.only is None:
            return True
        bounds = [bound for bound in statement.bounds if bound]
        return not statement.bounds or any(self.keeps(self.named(running.path, bound)) for bound in bounds)

    def note_weights(self, running: Running | None, step: Step) -> None:
        """Which parameters this operation uses, on which line, and whether a gradient could come back through it."""
        names = [self.weights[id(operand)][0] for operand in step.operands if id(operand) in self.weights]
        for use in [self.seen._uses[name] for name in names if name in self.seen._uses]:
            site = running.code.site(running.frame.f_lasti) if running and running.path is not None else None
            bounds = (
                [self.named(running.path, bound) for bound in site.statement.bounds if bound]
                if running and site
                else []
            )
            use.lines += [name for name in bounds[:1] if name not in use.lines]
            use.used = True
            use.followed |= any(result.requires_grad for result in step.results)

    def saved(self, target: Any) -> Any:
        """A copy of what is about to be written over, in every tap and step that shares its memory."""
        if not isinstance(target, Tensor) or not self.running:
            return target
        with torch._C.DisableTorchFunction():
            memory = target.untyped_storage()
            copy = memory.clone()  # type: ignore[no-untyped-call]

            def elsewhere(tensor: Tensor) -> Tensor:
                if tensor.untyped_storage().data_ptr() != memory.data_ptr():
                    return tensor
                plain = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
                return plain.set_(copy, tensor.storage_offset(), tensor.shape, tensor.stride())

            for taps in [*self.seen._taps.values(), self.seen._earlier]:
                taps[:] = [
                    replace(tap, value=elsewhere(tap.value), steps=tuple(moved(step, elsewhere) for step in tap.steps))
                    for tap in taps
                ]
            for running in self.running.values():
                for noted in running.noted.values():
                    noted[:] = [replace(each, step=each.step and moved(each.step, elsewhere)) for each in noted]
            return elsewhere(target)


def files_of(modules: Iterable[nn.Module]) -> frozenset[str]:
    """The files (or notebook cells) that the model's own classes are written in; those of torch itself are not read."""
    kinds = {kind for module in modules for kind in type(module).__mro__ if issubclass(kind, nn.Module)}
    methods = [m for kind in kinds if not kind.__module__.startswith("torch.") for m in vars(kind).values()]
    return frozenset(inspect.unwrap(m).__code__.co_filename for m in methods if isinstance(m, FunctionType))
