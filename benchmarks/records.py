"""What was measured: a line of measured.jsonl for each peer and figure on a machine, with so many threads and tokens.

A record says when, of what and by which command it was measured, and holds its `rows`, or `failed`: why it has none.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.environments import NAMES

Record = dict[str, Any]

HERE = Path(__file__).parent
MEASURED, HISTORY = HERE / "measured.jsonl", HERE / "history.jsonl"
FIGURES = ("model", "step", "epoch", "loss", "decode", "alone")
CONDITIONS = ("machine", "threads", "tokens")  # records that differ in one of them share no table


def read(path: Path) -> list[Record]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def write(path: Path, records: Iterable[Record]) -> None:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")


def merged(earlier: Iterable[Record], new: Iterable[Record]) -> list[Record]:
    """All of them, in the page's order; a new one takes the place of an earlier one of the same figure.

    A failure takes no place: it stands beside what was measured earlier, until the figure is measured again.
    """
    known: dict[tuple[Any, ...], Record] = {}
    for record in (*earlier, *new):
        place = (
            *(record[name] for name in CONDITIONS), NAMES.index(record["peer"]), FIGURES.index(record["figure"]),
        )  # fmt: skip
        known.pop((*place, True), None)
        known[*place, "failed" in record] = record
    return [known[place] for place in sorted(known)]
