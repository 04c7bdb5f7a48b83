"""Two processes are one: the same losses with the same global batch, and one stop for both."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from glassformer.checkpoint import load, newest_good
from glassformer.errors import UserError
from glassformer.train.distributed import ALONE, Processes, restarted
from tests.train.small_run import small_trainer
from tests.train.two_processes import CHOICES

ROOT = Path(__file__).parents[2]


@contextmanager
def started(
    folder: Path, max_steps: int, *, save_every: int = 1000, restarts: int = 0
) -> "Iterator[subprocess.Popen[str]]":
    """Two processes under torchrun, which passes on a SIGTERM and sees to it that they end."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["--max-restarts", str(restarts)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    run = subprocess.Popen(
        [*command, "-m", "tests.train.two_processes", str(folder), str(max_steps), str(save_every)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    with run:  # closes the pipe and waits
        try:
            yield run
        finally:
            run.terminate()


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line["loss"] if "loss" in line else line["scores"]["valid_loss"] for line in lines]


def test_two_processes_give_the_losses_of_one_with_the_same_global_batch(tmp_path: Path) -> None:
    with started(tmp_path / "two", 8) as run:
        output, _ = run.communicate()
    assert run.returncode == 0, output
    choices: dict[str, Any] = CHOICES
    small_trainer(tmp_path / "one", accumulate=4, max_steps=8, **choices).train()
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-10)
    one, two = (load(tmp_path / name).model.state_dict() for name in ("one", "two"))
    for name, weight in one.items():
        assert torch.allclose(weight, two[name], rtol=0, atol=1e-10), name


def test_a_sigterm_stops_both_at_the_same_step_and_either_number_can_go_on(tmp_path: Path) -> None:
    with started(tmp_path, 10**6) as run:
        assert run.stdout is not None
        said: list[str] = []
        for line in run.stdout:
            said.append(line.strip())
            if said[-1] == "step 3":
                os.kill(run.pid, signal.SIGTERM)
    stops = sorted(line for line in said if "SIGTERM" in line and line.startswith("rank"))
    steps = [int(line.removeprefix("step ")) for line in said if line.startswith("step")]
    assert stops == [f"rank {rank}: SIGTERM {steps[-1]}" for rank in (0, 1)], "\n".join(said)
    newest = newest_good(tmp_path / "checkpoints")
    assert newest is not None
    assert newest.name == f"step-{steps[-1]:08}"
    choices: dict[str, Any] = CHOICES
    alone = small_trainer(tmp_path, accumulate=4, max_steps=steps[-1] + 1, **choices)
    with pytest.warns(UserWarning, match="processes was '2', is '1'"):
        alone.resume()
    assert alone.train().kind == "max_steps"


@pytest.mark.slow
def test_after_a_kill_of_one_process_both_start_again_and_the_losses_are_those_of_a_run_left_alone(
    tmp_path: Path,
) -> None:
    with started(tmp_path / "killed", 9, save_every=2, restarts=1) as run:
        assert run.stdout is not None
        said: list[str] = []
        for line in run.stdout:
            said.append(line.strip())
            if said.count("step 5") == 1 and said[-1] == "step 5":
                (second,) = (words for words in said if words.startswith("rank 1 has pid"))
                os.kill(int(second.split()[-1]), signal.SIGKILL)
        run.wait()
    assert run.returncode == 0, "\n".join(said)
    assert sum(words.startswith("rank 1 has pid") for words in said) == 2
    choices: dict[str, Any] = CHOICES
    small_trainer(tmp_path / "one", accumulate=4, max_steps=9, save_every=2, **choices).train()
    assert losses(tmp_path / "killed") == pytest.approx(losses(tmp_path / "one"), abs=1e-10)


def test_a_process_knows_whether_torchrun_started_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RESTART_COUNT", raising=False)
    assert not restarted()
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    assert not restarted()
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert restarted()


def test_without_torchrun_we_are_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert Processes.from_environment() == ALONE
    assert ALONE.first
    assert ALONE.sum(1.5, 2.0, device=torch.device("cpu")) == [1.5, 2.0]


def test_torchruns_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RANK", "3"), ("WORLD_SIZE", "4"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    processes = Processes.from_environment()
    assert (processes.rank, processes.world, processes.first) == (3, 4, False)
    assert processes.device(torch.device("cuda")) == torch.device("cuda", 1)
    assert processes.device(torch.device("cpu")) == torch.device("cpu")


def test_variables_that_are_no_numbers_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "first")
    with pytest.raises(UserError, match="Let torchrun set them"):
        Processes.from_environment()
