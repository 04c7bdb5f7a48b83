"""Two processes beside one on a CPU, and a run whose process is killed: python -m benchmarks.scaling

Weak scaling: each process has one thread and batches of the same size, so two do twice the work of one in a step; the
efficiency is their speed over twice the speed of one. Rounds are interleaved. The run is `pronounce-demo`.
What was measured is written to benchmarks/scaling.json, which docs/make_speed.py tells of.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.machine import machine

MEASURED = Path(__file__).parent / "scaling.json"
STEPS, NOT_COUNTED = 60, 20  # updates of a run; the first ones are slower


def started(folder: Path, processes: int, steps: int, *, restarts: int = 0, save_every: int = 10**6) -> Any:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    train = [
        "-m", "glassformer", "train", "pronounce-demo", "--out", str(folder), "--threads", "1", "--max-minutes", "none",
        "--max-steps", str(steps), "--log-every", "1", "--evaluate-every", str(10**6), "--valid-sentences", "1",
        "--save-every", str(save_every),
    ]  # fmt: skip
    return subprocess.Popen(
        [*torchrun, "--max-restarts", str(restarts), *train],
        env=os.environ | {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def updates(folder: Path) -> list[dict[str, Any]]:
    """The updates that metrics.jsonl tells of; a last line that is being written is left out."""
    path = folder / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    return [line for line in map(json.loads, lines) if "loss" in line]


def tokens_a_second(processes: int) -> float:
    """Of all processes together: the tokens and the seconds after the first updates."""
    with tempfile.TemporaryDirectory() as folder:
        run = started(Path(folder) / "run", processes, STEPS)
        if run.wait() != 0:
            raise SystemExit(f"a run with {processes} processes ended with {run.returncode}")
        lines = updates(Path(folder) / "run")
    counted = lines[NOT_COUNTED:]
    return float(sum(line["tokens"] for line in counted) / (counted[-1]["seconds"] - lines[NOT_COUNTED - 1]["seconds"]))


def weak_scaling(rounds: int) -> dict[str, Any]:
    """Tokens a second of one process and of two, and the efficiency, round by round."""
    speeds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for processes, measured in speeds.items():
            measured.append(tokens_a_second(processes))
    one, two = (round(statistics.median(measured)) for measured in speeds.values())
    shares = sorted(round(two / (2 * one), 3) for one, two in zip(speeds[1], speeds[2], strict=True))
    return {"one_process": one, "two_processes": two, "efficiency": shares}


def restart() -> dict[str, Any]:
    """Seconds from the kill of one of two processes to the next update, and whether the losses are the same."""
    with tempfile.TemporaryDirectory() as folder:
        alone, killed = Path(folder) / "alone", Path(folder) / "killed"
        started(alone, 2, 30).wait()
        run = started(killed, 2, 30, restarts=1, save_every=5)
        while len(updates(killed)) < 12:
            time.sleep(0.01)
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text(encoding="utf-8").split()
        os.kill(int(children[-1]), signal.SIGKILL)
        start, seen = time.monotonic(), len(updates(killed))
        while len(updates(killed)) >= seen and run.poll() is None:  # cut back to the checkpoint first
            time.sleep(0.01)
        while len(updates(killed)) < seen and run.poll() is None:
            time.sleep(0.01)
        back = round(time.monotonic() - start, 1)
        run.wait()
        losses = [[line["loss"] for line in updates(each)] for each in (alone, killed)]
    return {"seconds_until_past_the_kill": back, "updates": len(losses[1]), "same_losses": losses[0] == losses[1]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found = {
        "machine": machine(), "date": date.today().isoformat(), **weak_scaling(options.rounds), **restart(),
        "command": f"python -m benchmarks.scaling --rounds {options.rounds}",
    }  # fmt: skip
    MEASURED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(MEASURED.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
