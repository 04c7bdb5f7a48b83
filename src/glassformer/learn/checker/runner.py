"""The checker's processes, seen from outside: one that is warm and waits, asked for a verdict."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from glassformer.learn.checker.verdict import Verdict
from glassformer.learn.exercise import Texts

START = 120  # seconds that a process may take to import everything on a busy machine
GRACE = 5  # seconds beyond a job's own limit, for one that cannot even stop itself


class Child:
    """One process for learners' code. It starts at once and warms up while nobody waits."""

    def __init__(self, texts: Texts | None = None) -> None:
        command = [sys.executable, "-m", "glassformer.learn.checker.child", *([texts.number] if texts else [])]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        )
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.ready = False

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def ask(self, job: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to a job; None where the process ended or hung without one."""
        if not self.wait_until_ready():
            return None
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
        except OSError:
            return None
        return self._next(job["seconds"] + GRACE)

    def wait_until_ready(self) -> bool:
        if not self.ready:
            self.ready = self._next(START) is not None
        return self.ready

    def _next(self, seconds: float) -> dict[str, Any] | None:
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            return None
        answer: dict[str, Any] | None = json.loads(line) if line else None
        return answer

    def exit_code(self) -> int | None:
        """How the process ended; None where it still runs."""
        try:
            return self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return None

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def check_with(child: Child, texts: Texts, folder: Path) -> Verdict:
    """The verdict on an exercise; "not checked" where the process did not survive it."""
    job = {"kind": "exercise", "exercise": texts.number, "folder": str(folder.resolve()), "seconds": texts.seconds}
    answer = child.ask(job)
    if answer is not None:
        return Verdict.from_dict(answer | {"exercise": texts.module})
    code = child.exit_code()
    why = "it did not even stop itself" if code is None else f"its process ended with exit code {code}"
    return Verdict(
        outcome="not checked",
        exercise=texts.module,
        headline=f"{texts.file} could not be checked here: {why}. Too much memory, perhaps; "
        "or PyTorch cannot be imported: try `python -c 'import torch'`.",
    )


def check_each(exercises: Iterable[Texts], folder: Path) -> Iterator[Verdict]:
    """Verdicts in order, from one process as long as it lives: an exercise that ends it costs a new one."""
    child = Child()
    try:
        for texts in exercises:
            if not child.alive:
                child.close()
                child = Child()
            yield check_with(child, texts, folder)
    finally:
        child.close()
