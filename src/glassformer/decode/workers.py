"""Several processes translate shares of a text: on a CPU, two of one thread are faster than one of two.

Each process makes its own Translator; blocks of texts go to whoever is free, and answers come back in the order of
the text. A process is started anew (spawn), so it inherits no threads and no locks.
"""

import multiprocessing
import signal
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from traceback import format_exc
from types import TracebackType
from typing import NamedTuple, Protocol, Self

import torch

from glassformer.decode.translator import Translation
from glassformer.errors import UserError

Answers = list[list[Translation]]
AHEAD = 4  # blocks that each worker may be ahead of the one whose answers are waited for


class Answering(Protocol):
    """What a worker makes for itself: a `Translator`, or another engine with its face."""

    def hypotheses(self, texts: Iterable[str], first: int = 0) -> Answers:
        """As `Translator.hypotheses`."""


MakeTranslator = Callable[[], Answering]


class Setting(NamedTuple):
    """How the cores are used: so many processes with so many threads each."""

    workers: int
    threads: int


class Workers:
    """`with Workers(make, 2) as workers: for answers in workers.hypotheses(blocks): ...`

    `make` makes a Translator; it and what it refers to must be picklable: a function of a module, a `functools.partial`
    of one with a model's folder. Raises UserError for fewer than one worker or thread. Leaving the block, by an error
    or Ctrl-C too, ends the processes.
    """

    def __init__(self, make: MakeTranslator, workers: int, threads: int = 1) -> None:
        for name, value in (("workers", workers), ("threads", threads)):
            if value < 1:
                raise UserError(f"{name}={value} is too small: it must be at least 1.")
        self.make, self.number, self.threads = make, workers, threads
        self.processes: dict[Connection, BaseProcess] = {}
        self.left: list[Connection] = []  # they still work on blocks that nobody waits for any more

    def __enter__(self) -> Self:
        spawn = multiprocessing.get_context("spawn")
        try:
            for _ in range(self.number):
                ours, theirs = spawn.Pipe()
                process = spawn.Process(target=_work, args=(theirs, self.make, self.threads), daemon=True)
                process.start()
                theirs.close()
                self.processes[ours] = process
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def hypotheses(self, blocks: Iterable[Sequence[str]], first: int = 0) -> Generator[Answers, None, None]:
        """The answers to each block of texts, as `Translator.hypotheses` gives them, in the order of the blocks.

        `first` is the place of the first text in the whole input. Blocks are read as they are needed, a few ahead.
        A UserError of a worker is raised here, in the place of its block; so is one where a worker died. Without a
        seed, sampling draws differently in each worker: give one.
        """
        for channel in self.left:
            self._receive(channel)
        self.left = []
        jobs, free = self._jobs(blocks, first), list(self.processes)
        waiting: dict[Connection, int] = {}  # who works, and on which block
        done: dict[int, Answers | BaseException] = {}
        try:
            yield from self._in_order(jobs, free, waiting, done)
        finally:
            self.left = list(waiting)

    def _in_order(
        self,
        jobs: Iterator[tuple[int, list[str] | BaseException, int]],
        free: list[Connection],
        waiting: dict[Connection, int],
        done: dict[int, Answers | BaseException],
    ) -> Iterator[Answers]:
        for due in count():
            while due not in done:
                while free and len(waiting) + len(done) < AHEAD * self.number and (job := next(jobs, None)):
                    number, texts, place = job
                    if isinstance(texts, BaseException):
                        done[number] = texts
                    else:
                        waiting[channel := free.pop(0)] = number
                        self._send(channel, (texts, place))
                if due in done:
                    break
                if not waiting:
                    return
                for ready in wait(list(waiting)):
                    assert isinstance(ready, Connection)
                    done[waiting.pop(ready)] = self._receive(ready)
                    free.append(ready)
            found = done.pop(due)
            if isinstance(found, BaseException):
                raise found
            yield found

    @staticmethod
    def _jobs(blocks: Iterable[Sequence[str]], first: int) -> Iterator[tuple[int, list[str] | BaseException, int]]:
        """Number, texts and place of each block; where the input breaks off, its error in the place of the texts."""
        number = -1
        try:
            for number, block in enumerate(blocks):
                yield number, list(block), first
                first += len(block)
        except Exception as error:
            yield number + 1, error, first

    def _send(self, channel: Connection, job: tuple[list[str], int]) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # it died; receiving will say so
            channel.send(job)

    def _receive(self, channel: Connection) -> Answers | BaseException:
        try:
            received: Answers | BaseException = channel.recv()
        except (EOFError, ConnectionResetError):
            process = self.processes[channel]
            process.join(5)
            return UserError(
                f"a worker process ended before its answers came (exit code {process.exitcode}); often memory is "
                f"short. Take fewer workers than {self.number}, or smaller batches. The answers up to here are whole."
            )
        return received

    def close(self) -> None:
        """End all processes; those at work are stopped."""
        for channel, process in self.processes.items():
            channel.close()
            process.terminate()
        for process in self.processes.values():
            process.join()
        self.processes.clear()


def fastest(make: MakeTranslator, texts: Sequence[str], cores: int) -> dict[Setting, float]:
    """Texts a second of each way to use `cores` cores on these texts, the fastest first; starting up is not counted.

    Each worker gets the same texts, so that all are busy to the end.
    """
    measured: dict[Setting, float] = {}
    for workers in (number for number in range(1, cores + 1) if cores % number == 0):
        setting = Setting(workers, cores // workers)
        with Workers(make, *setting) as pool:
            for _ in pool.hypotheses([texts] * workers):  # reads the model, and what is slow the first time
                pass
            start = time.perf_counter()
            for _ in pool.hypotheses([texts] * workers):
                pass
            measured[setting] = workers * len(texts) / (time.perf_counter() - start)
    return dict(sorted(measured.items(), key=lambda each: -each[1]))


def _work(channel: Connection, make: MakeTranslator, threads: int) -> None:
    """A worker's life: make a Translator, then answer blocks until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process: who started this one ends it
    torch.set_num_threads(threads)
    translator: Answering | None = None
    try:
        while True:
            texts, first = channel.recv()
            answer: Answers | BaseException
            try:
                translator = translator or make()
                answer = translator.hypotheses(texts, first)
            except UserError as error:
                answer = error
            except Exception as error:  # an error's own class may not be picklable
                answer = RuntimeError(f"{error!r} in a worker process:\n{format_exc()}")
            channel.send(answer)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass
