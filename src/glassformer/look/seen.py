"""What a watched model showed: a Tap for each name, in the order of computation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from rich.console import RenderableType
from torch import Tensor

from glassformer.errors import UserError, unknown_name
from glassformer.look.html import Html
from glassformer.look.listing import seen_drawing, tap_drawing
from glassformer.look.watching.source import Axes
from glassformer.look.watching.steps import Key, Step

PACKAGE = Path(__file__).parents[2]


@dataclass(eq=False)
class Arrived:
    """What has flowed back to one value so far."""

    gradient: Tensor | None = None

    def receive(self, gradient: Tensor) -> None:
        self.gradient = gradient.detach()


@dataclass(eq=False)
class Use:
    """What `watch(..., gradients=True)` learned of one parameter."""

    lines: list[str] = field(default_factory=list)  # the names whose lines used it, in order
    used: bool = False  # by any operation
    followed: bool = False  # whether any of those results can pass a gradient back
    largest: float | None = None  # the largest size in its gradient; None: no gradient came

    def receive(self, gradient: Tensor) -> None:
        values = gradient.coalesce().values() if gradient.is_sparse else gradient
        self.largest = float(values.detach().abs().max()) if values.numel() else 0.0


@dataclass(frozen=True, eq=False)
class Tap(Html):
    """One intermediate value, and where the source makes it."""

    name: str  # module path + "." + the name that the source assigns to
    axes: Axes  # one letter an axis; "1": broadcast, "_": the source does not say
    value: Tensor  # detached, but not copied: it shares its memory with the model's own tensor, so do not write to it
    operation: str  # what the right-hand side does, in order, einsum with its string; empty: made elsewhere
    file: str
    line: int
    source: str  # the statement's text, as one line
    steps: tuple[Step, ...] = ()  # the operations of torch that made it, in order, each with its operands
    arrived: Arrived = field(default_factory=Arrived)

    @property
    def gradient(self) -> Tensor | None:
        """What the latest backward inside `watch(..., gradients=True)` brought here; None where nothing arrived."""
        return self.arrived.gradient

    @property
    def shape(self) -> torch.Size:
        return self.value.shape

    @property
    def module(self) -> str:
        """The path of the module whose code computed it; empty for the model itself."""
        return self.name.rpartition(".")[0]

    @property
    def quantity(self) -> str:
        """The name in the source, without the module's path."""
        return self.name.rpartition(".")[2]

    @property
    def where(self) -> str:
        """file:line, the file counted from the package where it is one of ours."""
        file = Path(self.file)
        return f"{file.relative_to(PACKAGE) if file.is_relative_to(PACKAGE) else file.name}:{self.line}"

    def __repr__(self) -> str:
        sizes = " ".join(f"{axis}={size}" for axis, size in zip(self.axes, self.shape, strict=True))
        return f"<{self.name} ({sizes}) = {self.operation}, {self.where}>"

    def __rich__(self) -> RenderableType:
        return tap_drawing(self)


class UnknownTap(UserError, KeyError):
    """No value of that name was seen."""

    __str__ = Exception.__str__  # KeyError's would quote the message


class Seen(Mapping[str, Tap], Html):
    """Everything a watched model computed under its names: `seen[name]` is the latest value, `seen.all(name)` each.

    One call of a module gives each of its names one value, the last that its code bound; a model called several
    times, as in decoding, gives one for each call. Order: when each name first appeared.
    """

    def __init__(self) -> None:
        self._taps: dict[str, list[Tap]] = {}
        self._earlier: list[Tap] = []  # values that gave their name to a later one of the same call
        self._weights: dict[Key, str] = {}  # the model's parameters and buffers, by their memory
        self._uses: dict[str, Use] = {}  # parameter -> what became of it; filled with gradients=True

    def all(self, name: str) -> list[Tap]:
        """Every value that the name had, oldest first."""
        if name not in self._taps:
            if not self._taps:
                raise UnknownTap(
                    f"nothing was seen, so no {name!r}: call the model inside the with block, and check `only`."
                )
            raise UnknownTap(str(unknown_name("tap", name, self._taps)))
        return list(self._taps[name])

    def __getitem__(self, name: str) -> Tap:
        return self.all(name)[-1]

    def __contains__(self, name: object) -> bool:
        return name in self._taps

    def __iter__(self) -> Iterator[str]:
        return iter(self._taps)

    def __len__(self) -> int:
        return len(self._taps)

    def __repr__(self) -> str:
        return f"<Seen: {len(self)} names, from {next(iter(self), '-')} to {next(reversed(self._taps), '-')}>"

    def __rich__(self) -> RenderableType:
        return seen_drawing(self)
