"""Our speed beside other people's: python -m benchmarks.run   (make bench)

Each peer has its own environment with pinned versions, made on first use. In it, one process for each figure holds the
peer and our model, made alike, and measures both in interleaved rounds (CTranslate2 sits in a process of its own, as
its threads and torch's hinder each other); further processes hold one of the two alone, for memory and start-up. What
was measured is written to benchmarks/measured.jsonl, and the page RESULTS.md from it.

With one thread, seconds are CPU time of the process, which other programs hardly disturb: the gate. With more, they
are time on the wall: the headline, for a quiet machine.
"""

import argparse
import json
import os
import platform
import shlex
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.environments import NAMES, ROOT, Failed, python_of, run
from benchmarks.machine import machine
from benchmarks.records import FIGURES, HISTORY, MEASURED, Record, merged, read, write
from glassformer import __version__

LARGE, SMALL = 4096, 1024  # target tokens of a step; the second with --small


def main() -> None:
    asked = FIGURES[1:]  # the model is looked at first, always
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=",".join(NAMES), help="what is not named keeps its rows of an earlier run")
    parser.add_argument("--threads", type=int, default=1, help="1: CPU time; more: time on the wall")
    parser.add_argument(
        "--rounds", type=int, default=5, choices=range(1, 22, 2), metavar="N", help="odd; 5 if not said"
    )
    parser.add_argument("--figures", default=",".join(asked), help=f"some of {', '.join(asked)}")
    parser.add_argument(
        "--small", dest="tokens", action="store_const", const=SMALL, default=LARGE,
        help=f"steps of {SMALL} target tokens instead of {LARGE}",
    )  # fmt: skip
    parser.add_argument("--data-dir", type=Path, help="the folder that holds multi30k; without it, no epochs")
    parser.add_argument("--to-loss", type=float, help="train both to this validation loss too: hours on a CPU")
    options = parser.parse_args()
    options.peers, options.figures = options.peers.split(","), options.figures.split(",")
    if unknown := {*options.peers, *options.figures} - {*NAMES, *asked}:
        parser.error(f"{', '.join(sorted(unknown))}: peers are {', '.join(NAMES)}, figures {', '.join(asked)}")
    given = shlex.join(sys.argv[1:]).replace(str(options.data_dir), "DATA")  # a page is no place for private paths
    stamp = {
        "machine": machine(), "threads": options.threads, "tokens": options.tokens, "date": date.today().isoformat(),
        "ours": ours(), "python": platform.python_version(), "command": f"python -m benchmarks.run {given}".strip(),
    }  # fmt: skip
    for peer in options.peers:
        print(f"{peer} ...", file=sys.stderr, flush=True)
        new = []
        for record in found(peer, stamp, options):
            new.append(record)
            write(MEASURED, merged(read(MEASURED), [record]))
        if line := report.history_line(new):
            write(HISTORY, [*read(HISTORY), line])
        report.write_page()
    print(report.PAGE.read_text(encoding="utf-8"))


def found(peer: str, stamp: Record, options: argparse.Namespace) -> Iterator[Record]:
    """A record of the model and of each figure: what was measured, or why nothing was."""
    lacking = {*([] if options.data_dir else ["epoch"]), *([] if options.to_loss else ["loss"])}
    begun, model = {"peer": peer, "figure": "model", **stamp}, Record()
    for figure in ("model", *(figure for figure in options.figures if figure not in lacking)):
        begun = begun | {"figure": figure}
        try:
            rows = alone(peer, model["trains"], options) if figure == "alone" else together(peer, figure, options)
        except Failed as reason:
            yield begun | {"failed": str(reason)}
            if figure == "model":  # no environment, or other sizes than ours
                return
            continue
        if figure == "model":
            (model,) = rows
            begun |= {"version": model.pop("version"), "torch": model.pop("torch")}
        if rows:
            yield begun | {"rows": rows}


def together(peer: str, figure: str, options: argparse.Namespace) -> list[Record]:
    """The rows of one figure, the peer and ours in turn. Raises Failed with the reason."""
    to_loss = ["--to-loss", str(options.to_loss)] if options.to_loss else []
    return inside(peer, "benchmarks.together", [peer, figure, "--rounds", str(options.rounds), *to_loss], options)


def alone(peer: str, trains: bool, options: argparse.Namespace) -> list[Record]:
    """For each work the seconds of starting and the memory, each side in its own process. Raises Failed likewise."""
    rows = []
    for work in ("start", "step", "decode") if trains else ("start", "decode"):
        sides = {
            side: inside(peer, "benchmarks.alone", [name, work], options)
            for side, name in (("ours", "glassformer"), ("theirs", peer))
        }
        rows.append({
            "what": work, "seconds": {side: [one["seconds"]] for side, one in sides.items()},
            "bytes": {side: one["bytes"] for side, one in sides.items()},
        })  # fmt: skip
    return rows


def inside(peer: str, module: str, arguments: list[str], options: argparse.Namespace) -> Any:
    """What a module of ours prints in the peer's environment: the last line, since libraries print as well."""
    threads = str(options.threads)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]), "PYTHONWARNINGS": "ignore",
        "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads,
    }  # fmt: skip
    if options.data_dir:
        environment["GLASSFORMER_DATA"] = str(options.data_dir.absolute())
    common = ["--threads", threads, "--tokens", str(options.tokens)]
    printed = run([str(python_of(peer)), "-m", module, *arguments, *common], environment)
    return json.loads(printed.splitlines()[-1], parse_float=lambda digits: float(f"{float(digits):.6g}"))


def ours() -> str:
    """The version of Glassformer, and the commit where it is a checkout; "dirty" where the code is changed since."""
    try:
        commit = run(["git", "describe", "--always"]).strip()
        changed = run(["git", "status", "--porcelain", "--", "src/*.py", "benchmarks/*.py"])
    except (Failed, OSError):
        return __version__
    return f"{__version__}, {commit}{'-dirty' if changed else ''}"


if __name__ == "__main__":
    main()
