"""What was measured, as a page, and our own speed as one line to be kept."""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from benchmarks.measuring import Spread, clock_name, ratios

Found = dict[str, Any]

HOW = """\
Everybody has the same sizes (256 channels, 3 + 3 layers, 8 heads, feed-forward 1024, 8,000 entries in one shared
table), computes on the same tensors with dropout 0.1 on embeddings and sublayers' outputs, label smoothing 0.1,
gradients clipped at 1 and fused AdamW. Parameter counts are asserted: equal, or different by what is listed below.
Ours is built like each peer (norm before or after, positions), so its speed differs from row to row.
**Ratio** is the peer's time over ours: above 1, we are faster. It is the median over the rounds, with the least and
the greatest; in each round both sides are measured in turn. Start-up, tokenisation and data loading are not counted
in steps and decoding. Sentences of steps and decoding have 16 tokens; answers are forced to that length.
**The peak** is one product of two large matrices, measured in the same rounds; **the floor** of one sentence at a time
is the time in which the decoder's weights come from memory, measured likewise (one product of matrix and vector)."""


STEP = (
    "peer", "numbers", "theirs, tokens/s", "ours, tokens/s", "ratio", "theirs, of the peak", "ours, of the peak",
    "peak, GFLOP/s",
)  # fmt: skip
EPOCH = (
    "peer", "numbers", "theirs, padded / useful work", "ours", "theirs, s", "ours, s", "ratio", "timed batches, scaled",
)  # fmt: skip
LOSS = ("peer", "goal", "theirs, s", "ours, s", "ratio", "theirs, updates", "ours, updates", "theirs reached", "ours")
DECODE = ("peer", "what", "theirs, tokens/s", "ours, tokens/s", "ratio", "theirs, of the floor", "ours, of the floor")
ALONE = ("peer", "theirs, s to a model", "ours", "theirs, MB in training", "ours", "theirs, MB in decoding", "ours")
PEERS = ("peer", "version", "its parameters", "ours", "why they differ", "measured on")
FAILED = ("peer", "reason")
HISTORY_HEAD = ("date", "version", "machine", "time", "training step", "of the peak", "decoding")


def page(found: Sequence[Found], history: Sequence[Found]) -> str:
    """RESULTS.md: what was found beside each peer, and our own figures of earlier runs, oldest first."""
    measured = [one for one in found if "failed" not in one]
    failed = [one for one in found if "failed" in one]
    return "\n".join(
        [
            "# Side by side", "", "Written by `make bench`, not by hand.", "", *conditions(found), "", HOW, "",
            *section("Training step", STEP, (row for one in measured for row in step_rows(one))),
            *section("An epoch of Multi30k, own batches", EPOCH, (row for one in measured for row in epoch_rows(one))),
            *section("To a validation loss", LOSS, (row for one in measured for row in loss_rows(one))),
            *section("Decoding, lengths forced", DECODE, (row for one in measured for row in decode_rows(one))),
            *section("Alone in a process", ALONE, (alone_row(one) for one in measured if one["alone"]["ours"])),
            *section("Who was measured", PEERS, map(peer_row, measured)),
            *(f"- {one['title']}: {remark}" for one in measured for remark in one["remarks"]), "",
            *section("What could not be measured", FAILED, ((one["title"], one["failed"]) for one in failed)),
            *section("Our own speed over time, tokens/s", HISTORY_HEAD, map(history_row, history)),
        ]
    )  # fmt: skip


def conditions(found: Sequence[Found]) -> Iterator[str]:
    """Where, how, with what and when."""
    torches = [one for one in found if "torch" in one]
    yield from dict.fromkeys(f"- machine: {one['machine']}" for one in found)
    yield from dict.fromkeys(f"- time: {clock_name(one['threads'])}; {one['tokens']} tokens a step" for one in found)
    yield from dict.fromkeys(f"- versions: Python {one['python']}, torch {one['torch']}" for one in torches)
    runs = [each for one in found for each in (one, *one.get("earlier", []))]
    yield from dict.fromkeys(f"- {each['date']}: `{each['command']}`" for each in runs)


def section(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table under its title; nothing where there is no row."""
    body = [f"| {' | '.join(row)} |" for row in rows]
    if body:
        yield from (f"## {title}", "", f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *body, "")


def records(one: Found, figure: str) -> list[Found]:
    return [record for record in one.get("records", []) if record["figure"] == figure]


def rate(record: Found, side: str) -> float:
    """Tokens a second, by the median round."""
    return record["tokens"] / statistics.median(record["seconds"][side])


def shown(ratio: Spread) -> str:
    return f"**{ratio.median:.2f}** ({ratio.lowest:.2f} to {ratio.highest:.2f})"


def ratio_of(record: Found) -> str:
    return shown(ratios(record["seconds"]["theirs"], record["seconds"]["ours"]))


def peak(record: Found) -> float:
    """Multiplications and additions a second of one large matrix product, measured in the same rounds."""
    return record["matrix_flops"] / statistics.median(record["seconds"]["matrix"])


def share_of_peak(record: Found, side: str) -> float:
    return record["flops"] / statistics.median(record["seconds"][side]) / peak(record)


def step_rows(one: Found) -> Iterator[tuple[str, ...]]:
    for record in records(one, "step"):
        yield (
            one["title"], record["what"], f"{rate(record, 'theirs'):,.0f}", f"{rate(record, 'ours'):,.0f}",
            ratio_of(record), f"{share_of_peak(record, 'theirs'):.0%}", f"{share_of_peak(record, 'ours'):.0%}",
            f"{peak(record) / 1e9:.0f}",
        )  # fmt: skip


def epoch_rows(one: Found) -> Iterator[tuple[str, ...]]:
    for record in records(one, "epoch"):
        padded, spent, batches = record["padded_over_useful"], record["seconds"], record["batches"]
        yield (
            one["title"], record["what"], f"{padded['theirs']:.2f}", f"{padded['ours']:.2f}",
            f"{statistics.median(spent['theirs']):,.0f}", f"{statistics.median(spent['ours']):,.0f}",
            ratio_of(record), f"{len(spent['ours'])} of {batches['theirs']} and of {batches['ours']}",
        )  # fmt: skip


def loss_rows(one: Found) -> Iterator[tuple[str, ...]]:
    for record in records(one, "loss"):
        spent, updates, reached = record["seconds"], record["updates"], record["reached"]
        yield (
            one["title"], record["what"], f"{spent['theirs'][0]:,.0f}", f"{spent['ours'][0]:,.0f}", ratio_of(record),
            f"{updates['theirs']:,}", f"{updates['ours']:,}", f"{reached['theirs']:.2f}", f"{reached['ours']:.2f}",
        )  # fmt: skip


def decode_rows(one: Found) -> Iterator[tuple[str, ...]]:
    for record in records(one, "decode"):
        yield (
            one["title"], record["what"], f"{rate(record, 'theirs'):,.0f}", f"{rate(record, 'ours'):,.0f}",
            ratio_of(record), share_of_floor(record, "theirs"), share_of_floor(record, "ours"),
        )  # fmt: skip


def share_of_floor(record: Found, side: str) -> str:
    """One sentence at a time can be no faster than its weights come from memory: the share of that speed."""
    if "reading" not in record["seconds"]:
        return ""
    bytes_a_second = record["read"] / statistics.median(record["seconds"]["reading"])
    return f"{rate(record, side) * record['bytes'] / bytes_a_second:.0%}"


def alone_row(one: Found) -> tuple[str, ...]:
    cells = [one["title"]]
    for side in ("theirs", "ours"):
        starts = [work["seconds"] for work in one["alone"][side].values()]
        cells.append(f"{statistics.median(starts):.1f}")
    for work in ("step", "decode"):
        for side in ("theirs", "ours"):
            alone = one["alone"][side].get(work)
            cells.append(f"{alone['bytes'] / 2**20:,.0f}" if alone else "")
    return tuple(cells)


def peer_row(one: Found) -> tuple[str, ...]:
    theirs = one["parameters"] + sum(one["beside"].values())
    why = "; ".join(f"{reason} ({number:+,})" for reason, number in one["beside"].items())
    return one["title"], f"{one['package']} {one['version']}", f"{theirs:,}", f"{one['parameters']:,}", why, one["date"]


def history_line(one: Found) -> Found:
    """Our own figures of a run, to be kept."""
    step = records(one, "step")[-1]
    return {
        **{name: one[name] for name in ("date", "ours", "machine", "threads", "tokens")},
        "step": round(rate(step, "ours")), "numbers": step["what"], "of_peak": round(share_of_peak(step, "ours"), 3),
        "decode": {record["what"]: round(rate(record, "ours")) for record in records(one, "decode")},
    }  # fmt: skip


def history_row(line: Found) -> tuple[str, ...]:
    decoded = "; ".join(f"{what}: {speed:,}" for what, speed in line["decode"].items())
    return (
        line["date"], line["ours"], line["machine"], clock_name(line["threads"]),
        f"{line['step']:,} ({line['numbers']})", f"{line['of_peak']:.0%}", decoded,
    )  # fmt: skip
