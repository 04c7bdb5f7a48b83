"""SIGTERM and Ctrl-C as a wish, not as a blow: remembered, so that the step can be finished and saved."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from glassformer.train.callbacks import StopKind

SIGNALS: dict[int, StopKind] = {signal.SIGTERM: "SIGTERM", signal.SIGINT: "SIGINT"}
CODES: list[StopKind | None] = [None, "SIGTERM", "SIGINT"]  # how processes tell each other


class StopSignals:
    """While the block lasts, the first SIGTERM or SIGINT is noted in `received`, and the next one acts as ever.

    With `patient`, later ones are ignored too: torchrun passes on a Ctrl-C that the terminal has already sent to
    everyone, and ends us itself if we take too long. Outside the main thread, where Python has no signals,
    nothing is changed.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self.received: StopKind | None = None
        self.patient = patient
        self.before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self.before = {number: signal.signal(number, self._remember) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.received = self.received or SIGNALS[number]
        if not self.patient:
            self._restore()

    def _restore(self) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.before = {}
