"""One operation of torch as it was recorded: what was called, on which tensors, with what result."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from torch import Tensor

REFLECTED = {"radd", "rsub", "rmul", "rdiv", "rtruediv", "rfloordiv", "rpow", "rand", "ror", "rxor", "rmatmul"}
SYNONYMS = {
    "truediv": "div",
    "divide": "div",
    "true_divide": "div",
    "multiply": "mul",
    "subtract": "sub",
    "bmm": "matmul",
    "mm": "matmul",
    "negative": "neg",
}
IN_PLACE = {"__iadd__", "__isub__", "__imul__", "__itruediv__", "__ipow__", "__iand__", "__ior__", "__setitem__"}
NESTED = (list, tuple, dict)

Key = tuple[int, tuple[int, ...], tuple[int, ...], str]


@dataclass(frozen=True, eq=False)
class Step:
    """`result = function(*args, **kwargs)`, its tensors detached and sharing their memory with the model's own."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    result: Any  # a tensor, or several

    @property
    def name(self) -> str:
        """`softmax`, `add`, `einsum`: an operator by its method's name without underscores."""
        return name_of(self.function)

    @property
    def equation(self) -> str | None:
        """The string of an einsum."""
        return self.args[0] if self.name == "einsum" and isinstance(self.args[0], str) else None

    @property
    def operands(self) -> tuple[Tensor, ...]:
        return tuple(tensors([self.args, self.kwargs]))

    @property
    def results(self) -> tuple[Tensor, ...]:
        return tuple(tensors(self.result))

    def __str__(self) -> str:
        return f"{self.name} {self.equation}" if self.equation else self.name


def name_of(function: Callable[..., Any]) -> str:
    name: str = getattr(function, "__name__", type(function).__name__)
    if name == "__get__":
        name = function.__self__.__name__  # type: ignore[attr-defined]
    return bare(name)


@cache
def bare(name: str) -> str:
    plain = name.strip("_")
    if name in IN_PLACE and name != "__setitem__":
        plain = plain.removeprefix("i")
    if plain in REFLECTED and name.startswith("__"):
        plain = plain.removeprefix("r")
    return SYNONYMS.get(plain, plain)


def is_reflected(function: Callable[..., Any]) -> bool:
    """`1 / x` calls x's method: the first argument stands on the right."""
    return getattr(function, "__name__", "") in {f"__{name}__" for name in REFLECTED}


def is_in_place(function: Callable[..., Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether it writes into its first argument."""
    return writes(getattr(function, "__name__", "")) or bool(kwargs and kwargs.get("inplace"))


@cache
def writes(name: str) -> bool:
    return name in IN_PLACE or (name.endswith("_") and not name.endswith("__"))


def tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in arguments or results, however nested, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors(part)


def mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same arguments with each tensor changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {name: mapped(part, change) for name, part in value.items()} if value else value
    if isinstance(value, list | tuple):
        parts = [
            change(part) if isinstance(part, Tensor) else mapped(part, change) if isinstance(part, NESTED) else part
            for part in value
        ]
        return parts if isinstance(value, list) else tuple(parts)
    return value


def key(tensor: Tensor) -> Key:
    """The same for two tensors that are the same view of the same memory."""
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), str(tensor.dtype)


def moved(step: Step, change: Callable[[Tensor], Tensor]) -> Step:
    """The step with each tensor changed."""
    args, kwargs, result = (mapped(part, change) for part in (step.args, step.kwargs, step.result))
    return Step(step.function, args, kwargs, result)


def edit(value: Tensor) -> Tensor:
    """Stands for the user's function among the operations of a line."""
    raise NotImplementedError


def holds_tensors(values: Sequence[Any]) -> bool:
    return bool(values) and isinstance(values[0], Tensor)
