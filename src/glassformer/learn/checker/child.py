"""The process in which a learner's code runs: `python -m glassformer.learn.checker.child [EXERCISE]`.

It imports everything and works out an exercise's candidates first, says it is ready, and then answers jobs, a line of
JSON each, with a line of JSON each. One thread, a time limit for each job and, where the system has one, a memory
limit. What the learner's code prints is kept apart from the answers.
"""

import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from glassformer.learn.checker.verdict import Verdict
from glassformer.learn.course import bank, find
from glassformer.learn.exercise import Texts

MOST_PRINTED = 2000  # characters
MEMORY = 4 * 2**30  # bytes beyond what the imports took
TOO_LONG = 4  # the exit code after a job that did not end


def main() -> None:
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    jobs = os.fdopen(os.dup(0), "r", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    warm_up(find(sys.argv[1]) if len(sys.argv) > 1 else None)
    limit_memory()
    say(channel, {"ready": True})
    for line in jobs:
        say(channel, answer(json.loads(line), channel))


def say(channel: IO[str], what: dict[str, Any]) -> None:
    channel.write(json.dumps(what) + "\n")
    channel.flush()


def warm_up(texts: Texts | None) -> None:
    """Do before the job what it would wait for: imports, PyTorch's first forward and backward, the candidates."""
    import torch

    from glassformer.learn.checker import check  # noqa: F401

    torch.set_num_threads(1)
    x = torch.ones(2, 2, requires_grad=True)
    torch.autograd.backward((x @ x).softmax(dim=-1).sum())
    if texts is not None:
        from glassformer.learn.checker.candidates import candidates

        for part in bank(texts).parts:
            candidates(part)


def limit_memory() -> None:
    """Let the process ask for so much more and no more; not on Windows."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))


def answer(job: dict[str, Any], channel: IO[str]) -> dict[str, Any]:
    """Do a job: its verdict as a dict, with what was printed on the way."""
    with printing_kept() as printed, time_limit(job, channel):
        try:
            verdict = JOBS[job["kind"]](job)
        except BaseException as error:  # exit() and Ctrl-C in the learner's code too
            said = f": {error}" if error.args and error.args[0] is not None else ""
            headline = f"the code stops the checker with {type(error).__name__}{said}"
            verdict = Verdict(outcome="wrong", headline=headline).to_dict()
    return verdict | {"printed": printed()}


def check_exercise(job: dict[str, Any]) -> dict[str, Any]:
    from glassformer.learn.checker.check import check

    return check(find(job["exercise"]), Path(job["folder"])).to_dict()


def check_probe(job: dict[str, Any]) -> dict[str, Any]:
    from glassformer.learn.debug.check import check_answer

    return check_answer(job["case"], job["name"], job["probe"]).to_dict()


def check_own_test(job: dict[str, Any]) -> dict[str, Any]:
    """D10: the learner's file defines `accepts`."""
    import runpy

    from glassformer.learn.debug.own_test import check_test
    from glassformer.learn.debug.verdict import DebugVerdict

    names = runpy.run_path(job["file"])
    if not callable(names.get("accepts")):
        return DebugVerdict("wrong", (f"{Path(job['file']).name} defines no function accepts.",)).to_dict()
    return check_test(names["accepts"]).to_dict()


JOBS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "exercise": check_exercise,
    "probe": check_probe,
    "own test": check_own_test,
}


@contextmanager
def time_limit(job: dict[str, Any], channel: IO[str]) -> Iterator[None]:
    """When the job takes longer, say so, with the line at which it was, and end the process."""
    main_thread = threading.get_ident()

    def too_long() -> None:
        from glassformer.learn.checker.load import lines_of

        frame = sys._current_frames().get(main_thread)
        verdict = Verdict(
            outcome="wrong",
            exercise=job.get("exercise", ""),
            headline=f"no answer within {job['seconds']:g} seconds: is there a loop that does not end?",
            details=lines_of(frame, Path(job.get("folder", "."))),
            question="What must change on each round for the loop to end?",
        )
        say(channel, verdict.to_dict())
        os._exit(TOO_LONG)

    timer = threading.Timer(job["seconds"], too_long)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def printing_kept() -> Iterator[Callable[[], str]]:
    """Send what is printed, by Python or below it, to a file of its own, and give back its beginning."""
    with tempfile.TemporaryFile() as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
        sys.stdout, sys.stderr = (os.fdopen(os.dup(n), "w", encoding="utf-8", errors="replace") for n in (1, 2))

        def beginning() -> str:
            sys.stdout.flush()
            sys.stderr.flush()
            file.seek(0)
            return file.read(MOST_PRINTED).decode("utf-8", errors="replace")

        said = ""
        try:
            yield lambda: said
        finally:
            said = beginning()


if __name__ == "__main__":
    main()
