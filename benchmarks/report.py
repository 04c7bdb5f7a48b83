"""RESULTS.md from what was measured, and our own speed as one line to be kept: python -m benchmarks.report"""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, starmap

from benchmarks.measuring import clock_name, ratios
from benchmarks.records import CONDITIONS, HERE, HISTORY, MEASURED, Record, merged, read

PAGE = HERE / "RESULTS.md"

HOW = """\
Everybody has the same sizes (256 channels, 3 + 3 layers, 8 heads, feed-forward 1024, 8,000 entries in one shared
table), computes on the same tensors with dropout 0.1 on embeddings and sublayers' outputs, label smoothing 0.1,
gradients clipped at 1 and fused AdamW. Parameter counts are asserted to be equal but for what is listed.
Ours is built like each peer (norm before or after, positions), so its speed differs from row to row.
**Ratio** is the peer's time over ours: above 1, we are faster. It is the median over the rounds (of two, their mean),
with the least and the greatest; in each round both sides are measured in turn. Start-up, tokenisation and data loading
are counted in no step, epoch or decoding; what our loader takes for an epoch stands beside it, as a share of ours.
An epoch is extrapolated from some of its batches, by the tokens that are computed, padding included.
Sentences of steps and decoding have 16 tokens; answers are forced to that length.
**The peak** is one product of two large matrices, measured in the same rounds; **the floor** of one sentence at a time
is the speed at which the decoder's weights come from memory, measured likewise (one product of matrix and vector);
weights of one byte may stay in a processor's cache, and are then no longer bound by it."""

STEP = (
    "peer", "numbers", "theirs, tokens/s", "ours, tokens/s", "ratio", "theirs, of the peak", "ours, of the peak",
    "peak, GFLOP/s",
)  # fmt: skip
EPOCH = (
    "peer", "numbers", "theirs, padded / useful work", "ours", "theirs, s", "ours, s", "ratio", "their batches", "ours",
    "our loader",
)  # fmt: skip
LOSS = ("peer", "goal", "theirs, s", "ours, s", "ratio", "theirs, updates", "ours, updates", "theirs reached", "ours")
DECODE = (
    "peer", "what", "theirs, tokens/s", "ours, tokens/s", "ratio", "the floor, tokens/s", "theirs, of the floor",
    "ours, of the floor",
)  # fmt: skip
ALONE = ("peer", "theirs, s to a model", "ours", "theirs, MB in training", "ours", "theirs, MB in decoding", "ours")
PEERS = ("peer", "its parameters", "ours", "why they differ", "ours is made with")
WHEN = ("peer", "figures", "rounds", "date", "glassformer", "its version", "torch", "Python")
FAILED = ("peer", "figure", "date", "reason")
HISTORY_HEAD = ("date", "version", "machine", "time", "training step", "of the peak", "decoding")

Row = tuple[str, Record]  # of a figure, and whose it is


def write_page() -> None:
    PAGE.write_text(page(read(MEASURED), read(HISTORY)), encoding="utf-8")


def page(records: Sequence[Record], history: Sequence[Record]) -> str:
    """What was measured, each machine, number of threads and size of step by itself; our own figures, oldest first."""
    lines = ["# Side by side", "", "Written by `make bench` from `measured.jsonl`, not by hand.", "", HOW, ""]
    for _, alike in groupby(merged(records, []), lambda record: [record[name] for name in CONDITIONS]):
        lines += part(list(alike))
    lines += table("## Our own speed over time, tokens/s", HISTORY_HEAD, map(history_row, history))
    return "\n".join(lines)


def part(records: Sequence[Record]) -> Iterator[str]:
    """What was measured under the same conditions."""
    measured = [record for record in records if "rows" in record]
    models = {record["peer"]: record["rows"][0] for record in measured if record["figure"] == "model"}

    def title(record: Record) -> str:
        return str(models.get(record["peer"], {"title": record["peer"]})["title"])

    def rows(figure: str) -> list[Row]:
        return [(title(record), row) for record in measured if record["figure"] == figure for row in record["rows"]]

    machine, threads, tokens = (records[0][name] for name in CONDITIONS)
    yield from (f"## {machine}: {clock_name(threads)}, {tokens:,} tokens a step", "")
    yield from table("### Training step", STEP, starmap(step_cells, rows("step")))
    yield from table(epoch_title(rows("epoch")), EPOCH, starmap(epoch_cells, rows("epoch")))
    yield from table("### To a validation loss", LOSS, starmap(loss_cells, rows("loss")))
    yield from table("### Decoding, lengths forced", DECODE, starmap(decode_cells, rows("decode")))
    alone = [(title(record), record["rows"]) for record in measured if record["figure"] == "alone"]
    yield from table("### Alone in a process", ALONE, starmap(alone_cells, alone))
    yield from table("### Who was measured", PEERS, starmap(peer_cells, rows("model")))
    yield from (f"- {model['title']}: {remark}" for model in models.values() for remark in model["remarks"])
    yield ""
    yield from table("### When, and with what", WHEN, when((title(record), record) for record in measured))
    yield from dict.fromkeys(f"- {record['date']}: `{record['command']}`" for record in records)
    yield ""
    failed = ((title(each), each["figure"], each["date"], each["failed"]) for each in records if "failed" in each)
    yield from table("### What could not be measured", FAILED, failed)


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table under its title; nothing where there is no row."""
    body = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    if body:
        yield from (title, "", f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *body, "")


def when(measured: Iterable[Row]) -> Iterator[tuple[str, ...]]:
    """One row for all figures of a peer that were measured alike."""
    figures: dict[tuple[str, ...], list[str]] = {}
    for title, record in measured:
        if record["figure"] != "model":
            rounds = len(record["rows"][0]["seconds"]["ours"])
            with_what = tuple(record[name] for name in ("date", "ours", "version", "torch", "python"))
            figures.setdefault((title, str(rounds), *with_what), []).append(record["figure"])
    for (title, *others), names in figures.items():
        yield title, ", ".join(names), *others


def rate(row: Record, side: str) -> float:
    """Tokens a second, by the median round."""
    return row["tokens"] / statistics.median(row["seconds"][side])


def ratio_of(row: Record) -> str:
    """The median and its spread, which one round has not."""
    median, lowest, highest = ratios(row["seconds"]["theirs"], row["seconds"]["ours"])
    spread = f"{lowest:.2f} to {highest:.2f}" if len(row["seconds"]["ours"]) > 1 else "one round"
    return f"**{median:.2f}** ({spread})"


def peak(row: Record) -> float:
    """Multiplications and additions a second of one large matrix product, measured in the same rounds."""
    return row["matrix_flops"] / statistics.median(row["seconds"]["matrix"])


def share_of_peak(row: Record, side: str) -> float:
    """In the median round: both are measured in each, and the machine's own speed drifts."""
    shares = (matrix / spent for matrix, spent in zip(row["seconds"]["matrix"], row["seconds"][side], strict=True))
    return row["flops"] / row["matrix_flops"] * statistics.median(shares)


def step_cells(title: str, row: Record) -> tuple[str, ...]:
    return (
        title, row["what"], f"{rate(row, 'theirs'):,.0f}", f"{rate(row, 'ours'):,.0f}",
        ratio_of(row), f"{share_of_peak(row, 'theirs'):.0%}", f"{share_of_peak(row, 'ours'):.0%}",
        f"{peak(row) / 1e9:.0f}",
    )  # fmt: skip


def epoch_title(rows: Iterable[Row]) -> str:
    timed = sorted({row["timed"] for _, row in rows})
    return f"### An epoch of Multi30k, own batches, extrapolated from {' or '.join(map(str, timed))} batches a side"


def epoch_cells(title: str, row: Record) -> tuple[str, ...]:
    padded, batches = row["padded_over_useful"], row["batches"]
    theirs, ours = (statistics.median(row["seconds"][side]) for side in ("theirs", "ours"))
    return (
        title, row["what"], f"{padded['theirs']:.2f}", f"{padded['ours']:.2f}", f"{theirs:,.0f}", f"{ours:,.0f}",
        ratio_of(row), f"{batches['theirs']:,}", f"{batches['ours']:,}",
        f"{row['loader'] / ours:.3%}" if "loader" in row else "",
    )  # fmt: skip


def loss_cells(title: str, row: Record) -> tuple[str, ...]:
    spent, updates, reached = row["seconds"], row["updates"], row["reached"]
    return (
        title, row["what"], f"{spent['theirs'][0]:,.0f}", f"{spent['ours'][0]:,.0f}", ratio_of(row),
        f"{updates['theirs']:,}", f"{updates['ours']:,}", f"{reached['theirs']:.2f}", f"{reached['ours']:.2f}",
    )  # fmt: skip


def decode_cells(title: str, row: Record) -> tuple[str, ...]:
    return (
        title, row["what"], f"{rate(row, 'theirs'):,.0f}", f"{rate(row, 'ours'):,.0f}",
        ratio_of(row), *floor_cells(row),
    )  # fmt: skip


def floor_cells(row: Record) -> tuple[str, str, str]:
    """One sentence at a time: the tokens a second at which its weights come from memory, and the shares reached."""
    if "reading" not in row["seconds"]:
        return "", "", ""
    floor = row["read"] / statistics.median(row["seconds"]["reading"]) / row["bytes"]
    return f"{floor:,.0f}", f"{rate(row, 'theirs') / floor:.0%}", f"{rate(row, 'ours') / floor:.0%}"


def alone_cells(title: str, rows: Sequence[Record]) -> tuple[str, ...]:
    works, sides = {row["what"]: row for row in rows}, ("theirs", "ours")
    starts = [statistics.median(row["seconds"][side][0] for row in works.values()) for side in sides]
    memory = [
        works[work]["bytes"][side] / 2**20 if work in works else None for work in ("step", "decode") for side in sides
    ]
    return title, *(f"{start:.1f}" for start in starts), *("" if most is None else f"{most:,.0f}" for most in memory)


def peer_cells(title: str, row: Record) -> tuple[str, ...]:
    why = "; ".join(f"{reason} ({number:+,})" for reason, number in row["beside"].items())
    choices = ", ".join(f"{name}={choice}" for name, choice in row["alike"].items()) or "the paper's choices"
    return title, f"{row['parameters']['theirs']:,}", f"{row['parameters']['ours']:,}", why, choices


def history_line(new: Sequence[Record]) -> Record | None:
    """Our own figures of a run, to be kept: those beside Marian, whose model is the paper's; None without its step."""
    rows = {record["figure"]: record["rows"] for record in new if record["peer"] == "marian" and "rows" in record}
    if "step" not in rows:
        return None
    step = rows["step"][-1]
    return {
        **{name: new[0][name] for name in ("date", "ours", "machine", "threads", "tokens")},
        "step": round(rate(step, "ours")), "numbers": step["what"], "of_peak": round(share_of_peak(step, "ours"), 3),
        "decode": {row["what"]: round(rate(row, "ours")) for row in rows.get("decode", [])},
    }  # fmt: skip


def history_row(line: Record) -> tuple[str, ...]:
    decoded = "; ".join(f"{what}: {speed:,}" for what, speed in line["decode"].items())
    return (
        line["date"], line["ours"], line["machine"], clock_name(line["threads"]),
        f"{line['step']:,} ({line['numbers']})", f"{line['of_peak']:.0%}", decoded,
    )  # fmt: skip


if __name__ == "__main__":
    write_page()
