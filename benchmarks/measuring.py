"""How time and growth are measured, and the arithmetic on what was measured. Needs nothing but Python."""

import math
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

Work = Callable[[], object]
Clock = Callable[[], float]

SHORTEST = 2  # seconds; a shorter work is repeated until it takes that long
REST = 0.3  # seconds before each work: threads of the one before may stay awake for 0.2


class Spread(NamedTuple):
    """The median of some numbers, the least and the greatest of them."""

    median: float
    lowest: float
    highest: float


def spread(numbers: Sequence[float]) -> Spread:
    return Spread(statistics.median(numbers), min(numbers), max(numbers))


def ratios(theirs: Sequence[float], ours: Sequence[float]) -> Spread:
    """How many times their seconds ours fit into, round by round: above 1, we are faster."""
    return spread([their / our for their, our in zip(theirs, ours, strict=True)])


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The k of cost ~ size^k: the slope of the straight line nearest to the points on logarithmic axes."""
    across, up = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    return statistics.linear_regression(across, up).slope


def clock_for(threads: int, cpu_time: Clock = time.process_time) -> Clock:
    """CPU time for one thread, which other programs hardly disturb; else the time on the wall."""
    return cpu_time if threads == 1 else time.perf_counter


def clock_name(threads: int) -> str:
    return "CPU time, 1 thread" if threads == 1 else f"wall time, {threads} threads"


def seconds(work: Work, clock: Clock, times: int = 1) -> float:
    """What one of so many runs of the work takes."""
    start = clock()
    for _ in range(times):
        work()
    return (clock() - start) / times


def interleaved(works: dict[str, Work], rounds: int, clock: Clock) -> dict[str, list[float]]:
    """Seconds of each work in each round: a machine whose speed drifts slows everybody alike.

    Before the rounds each work runs once uncounted, which also tells how often it is to run in a round. Every other
    round goes backwards.
    """
    times = {name: math.ceil(SHORTEST / max(seconds(work, clock), 1e-6)) for name, work in works.items()}
    spent: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        for name in list(works)[:: 1 if number % 2 == 0 else -1]:
            time.sleep(REST)
            spent[name].append(seconds(works[name], clock, times[name]))
    return spent


def peak_memory() -> int:
    """The most memory, in bytes, that this process has had."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage begins with the memory of the process that started this one
        return 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"))[0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
