"""Our speed beside other people's: python -m benchmarks.run   (make bench)

Each peer has its own environment with pinned versions, made on first use. In it, one process holds the peer and our
model, made alike, and measures both in interleaved rounds; further processes hold one of the two alone, for memory
and start-up. What was measured is written to benchmarks/RESULTS.md.

With one thread, seconds are CPU time of the process, which other programs hardly disturb: the gate. With more, they
are time on the wall: the headline, for a quiet machine.
"""

import argparse
import json
import os
import platform
import shlex
import sys
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.environments import HOME, NAMES, ROOT, Failed, python_of, run
from benchmarks.machine import machine
from glassformer import __version__

SMALL = 1024  # target tokens of a step, with --small
FIGURES = ("step", "epoch", "loss", "decode", "alone")
HERE = Path(__file__).parent
HISTORY, MEASURED = HERE / "history.jsonl", HOME / "measured"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=",".join(NAMES), help="those not named keep their rows of an earlier run")
    parser.add_argument("--threads", type=int, default=1, help="1: CPU time; more: time on the wall")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--figures", default=",".join(FIGURES), help=f"some of {', '.join(FIGURES)}")
    parser.add_argument("--small", action="store_true", help=f"steps of {SMALL} target tokens instead of 4096")
    parser.add_argument("--data-dir", type=Path, help="the folder that holds multi30k; without it, no epochs")
    parser.add_argument("--to-loss", type=float, help="train both to this validation loss too: hours on a CPU")
    options = parser.parse_args()
    given = shlex.join(sys.argv[1:]).replace(str(options.data_dir), "DATA")  # a page is no place for private paths
    about = {
        "machine": machine(), "python": platform.python_version(), "ours": ours(), "threads": options.threads,
        "tokens": SMALL if options.small else 4096, "date": date.today().isoformat(),
        "command": f"python -m benchmarks.run {given}".strip(),
    }  # fmt: skip
    for peer in options.peers.split(","):
        print(f"{peer} ...", file=sys.stderr, flush=True)
        try:
            found = measure(peer, python_of(peer), options, int(about["tokens"]))
        except Failed as reason:
            found = {"title": peer, "failed": str(reason)}
        keep(peer, {**about, **found})
    page = report.page(kept(options.threads), history())
    (HERE / "RESULTS.md").write_text(page, encoding="utf-8")
    print(page)


def measure(peer: str, python: Path, options: argparse.Namespace, tokens: int) -> dict[str, Any]:
    """Everything about one peer. Raises Failed with the reason."""
    asked = options.figures.split(",")
    lacking = [*(["epoch"] if not options.data_dir else []), *(["loss"] if not options.to_loss else [])]
    figures = [figure for figure in asked if figure != "alone" and figure not in lacking]
    common = ["--threads", str(options.threads), "--tokens", str(tokens)]
    together = [*common, "--rounds", str(options.rounds), "--figures", ",".join(figures)]
    if options.to_loss:
        together += ["--to-loss", str(options.to_loss)]
    found = inside(python, "benchmarks.together", [peer, *together], options)
    works = ["start", *(["step"] if found["trains"] else []), "decode"] if "alone" in asked else []
    found["alone"] = {
        side: {work: inside(python, "benchmarks.alone", [name, work, *common], options) for work in works}
        for side, name in (("ours", "glassformer"), ("theirs", peer))
    }
    return found


def inside(python: Path, module: str, arguments: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """What a module of ours prints inside an environment: the last line, since libraries print as well."""
    threads = str(options.threads)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]), "PYTHONWARNINGS": "ignore",
        "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads,
    }  # fmt: skip
    if options.data_dir:
        environment["GLASSFORMER_DATA"] = str(options.data_dir.absolute())
    printed = run([str(python), "-m", module, *arguments], environment)
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


def ours() -> str:
    """The version of Glassformer, and the commit where it is a checkout."""
    try:
        commit = run(["git", "describe", "--always", "--dirty"]).strip()
    except (Failed, OSError):
        return __version__
    return f"{__version__}, {commit}"


def keep(peer: str, found: dict[str, Any]) -> None:
    """For the pages of later runs, and our own figures for good: beside Marian, whose model is the paper's.

    Figures that were not measured now stay as an earlier run on the same machine left them.
    """
    path = MEASURED / f"{peer}-{found['threads']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    new = {record["figure"] for record in found.get("records", [])}
    if "failed" not in {**found, **earlier} and earlier.get("machine") == found["machine"]:
        old = [record for record in earlier["records"] if record["figure"] not in new]
        found["records"] += old
        found["earlier"] = [{key: earlier[key] for key in ("date", "command")}, *earlier.get("earlier", [])]
        found["alone"] = {side: earlier["alone"][side] | works for side, works in found["alone"].items()}
    path.write_text(json.dumps(found), encoding="utf-8")
    if peer == "marian" and "step" in new:
        with HISTORY.open("a", encoding="utf-8") as file:
            file.write(json.dumps(report.history_line(found)) + "\n")


def kept(threads: int) -> list[dict[str, Any]]:
    """What is known of each peer, from this run or an earlier one."""
    paths = [MEASURED / f"{peer}-{threads}.json" for peer in NAMES]
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]


def history() -> list[dict[str, Any]]:
    lines = HISTORY.read_text(encoding="utf-8").splitlines() if HISTORY.exists() else []
    return [json.loads(line) for line in lines]


if __name__ == "__main__":
    main()
