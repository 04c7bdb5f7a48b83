"""The arithmetic of the benchmarks, what is pinned, and what the page says; nothing is timed here."""

import json
import re
from argparse import Namespace
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import environments, growth, report, run
from benchmarks.measuring import SHORTEST, exponent, interleaved, ratios
from benchmarks.peers.glassformer import Glassformer
from benchmarks.records import HISTORY, MEASURED, Record, merged, read
from benchmarks.sizes import LENGTH, VOCAB, parameters, sources, targets, training_flops
from benchmarks.together import spread_out


def test_a_ratio_is_the_median_over_the_rounds_not_of_the_times() -> None:
    ratio = ratios(theirs=[2.0, 9.0, 30.0], ours=[1.0, 3.0, 20.0])
    assert ratio == (2.0, 1.5, 3.0)  # the medians' own ratio would be 3


@pytest.mark.parametrize("power", [0.0, 1.0, 2.5])
def test_the_exponent_of_a_power_is_found_whatever_its_factor(power: float) -> None:
    sizes = [8, 16, 64, 1000]
    assert exponent(sizes, [0.03 * size**power for size in sizes]) == pytest.approx(power)


def test_rounds_are_interleaved_and_every_other_one_goes_backwards() -> None:
    ticks, order = iter(range(1000)), []
    works = {name: lambda name=name: order.append(name) for name in ("ours", "theirs")}
    spent = interleaved(works, 2, lambda: SHORTEST * next(ticks))
    assert order == ["ours", "theirs", "ours", "theirs", "theirs", "ours"]  # the first two are not counted
    assert spent == {name: [SHORTEST, SHORTEST] for name in works}


def test_the_work_of_a_step_is_three_times_what_a_forward_pass_multiplies() -> None:
    model = Glassformer().model(0.0)
    with FlopCounterMode(display=False) as counter:
        model(sources(2, 5), targets(2, 7)[:, :-1])
    assert 3 * counter.get_total_flops() == training_flops(2, 5, 7)


def test_every_package_of_every_peer_is_pinned() -> None:
    for peer in environments.NAMES:
        assert (environments.PEERS / f"{peer}.py").exists()
        packages = environments.pins(environments.PEERS / f"{peer}.txt")
        assert all(re.fullmatch(r"[\w.-]+==[\w.]+", package) for package in packages), packages
        assert "torch==2.13.0" in packages


def test_a_command_that_fails_tells_its_reason() -> None:
    with pytest.raises(environments.Failed, match="no such option"):
        environments.run(["sh", "-c", "echo WARNING of something >&2; echo no such option >&2; exit 2"])


def record_of(peer: str, figure: str, *rows: Record, **changed: Any) -> Record:
    stamp = {
        "machine": "Zuse Z4", "threads": 1, "tokens": 600, "date": "2026-11-24", "ours": "0.3.0, abc",
        "python": "3.11.7", "torch": "2.13.0", "version": "their-package 5.4.3",
        "command": "python -m benchmarks.run --small",
    }  # fmt: skip
    return {"peer": peer, "figure": figure, **stamp, "rows": list(rows), **changed}


def failure_of(peer: str, figure: str) -> Record:
    failed = record_of(peer, figure, failed="No matching distribution")
    del failed["rows"]
    return failed


MODEL = {
    "title": "Their Transformer", "trains": True, "parameters": {"ours": 9000, "theirs": 9000 - VOCAB},
    "beside": {"no output bias": -VOCAB}, "alike": {"norm": "pre"}, "remarks": ["Much to remark."],
}  # fmt: skip
TIMES = {"ours": [1.0, 2.0, 1.0], "theirs": [3.0, 4.0, 1.0], "matrix": [0.5, 0.5, 0.5]}
STEP = {"what": "float32", "tokens": 600, "flops": 100.0, "matrix_flops": 200.0, "seconds": TIMES}
EPOCH = {
    "what": "float32", "tokens": 600, "seconds": TIMES, "timed": 21, "batches": {"ours": 7, "theirs": 8},
    "padded_over_useful": {"ours": 1.02, "theirs": 2.11}, "loader": 0.001,
}  # fmt: skip
DECODE = {
    "what": "float32, 1 at a time, greedy", "tokens": 60, "bytes": 5.0, "read": 1000.0,
    "seconds": {**TIMES, "reading": [0.25, 0.5, 0.25]},
}  # fmt: skip
START = {"what": "start", "seconds": {"ours": [1.5], "theirs": [2.5]}, "bytes": {"ours": 2**20, "theirs": 2**21}}
RECORDS = [
    record_of("marian", "model", MODEL), record_of("marian", "step", STEP), record_of("marian", "epoch", EPOCH),
    record_of("marian", "decode", DECODE, ours="0.2.0"), record_of("marian", "alone", START),
    record_of("marian", "step", STEP | {"seconds": {"ours": [3.0], "theirs": [6.0], "matrix": [1.0]}}, threads=2),
    failure_of("joeynmt", "model"), failure_of("marian", "step"),
]  # fmt: skip


@pytest.fixture
def page() -> str:
    line = report.history_line(RECORDS)
    assert line
    return report.page(RECORDS, [line])


@pytest.mark.parametrize(
    "said",
    [
        "## Zuse Z4: CPU time, 1 thread, 600 tokens a step", "2026-11-24: `python -m benchmarks.run --small`",
        "| Their Transformer | 1,000 | 9,000 | no output bias (-8,000) | norm=pre |", "Much to remark.",
        "| Their Transformer | step, epoch | 3 | 2026-11-24 | 0.3.0, abc | their-package 5.4.3 | 2.13.0 | 3.11.7 |",
        "| Their Transformer | decode | 3 | 2026-11-24 | 0.2.0 | their-package 5.4.3 | 2.13.0 | 3.11.7 |",
        "| Their Transformer | float32 | 200 | 600 | **2.00** (1.00 to 3.00) | 8% | 25% | 0 |",
        "### An epoch of Multi30k, own batches, extrapolated from 21 batches a side",
        "| Their Transformer | float32 | 2.11 | 1.02 | 3 | 1 | **2.00** (1.00 to 3.00) | 8 | 7 | 0.100% |",
        "| Their Transformer | float32, 1 at a time, greedy | 20 | 60 | **2.00** (1.00 to 3.00) | 800 | 2% | 8% |",
        "| Their Transformer | 2.5 | 1.5 |  |  |  |  |",
        "| joeynmt | model | 2026-11-24 | No matching distribution |",
        "| Their Transformer | step | 2026-11-24 | No matching distribution |",
    ],
)  # fmt: skip
def test_the_page_says(page: str, said: str) -> None:
    assert said in page


def test_what_was_measured_with_other_threads_has_a_part_of_its_own(page: str) -> None:
    _, one, two, _ = page.split("\n## ")
    assert "**2.00** (1.00 to 3.00)" in one
    assert two.startswith("Zuse Z4: wall time, 2 threads")
    assert "**2.00** (one round)" in two
    assert "(1.00 to 3.00)" not in two


def test_a_new_record_replaces_that_figure_and_nothing_else() -> None:
    again = record_of("marian", "decode", DECODE, date="2027-01-01")
    kept = merged(RECORDS, [again])
    assert again in kept
    assert [record for record in RECORDS if record not in kept] == [RECORDS[3]]


def test_what_was_measured_outlives_a_failure_and_a_failure_does_not_outlive_a_measurement() -> None:
    measured, failed = record_of("marian", "step", STEP), failure_of("marian", "step")
    assert merged([measured], [failed]) == [measured, failed]
    assert merged([measured, failed], [measured]) == [measured]


@pytest.mark.parametrize(("failing", "kept"), [("decode", {"model", "step", "alone"}), ("model", set())])
def test_a_figure_that_fails_stops_no_other_but_a_model_that_fails_does(
    monkeypatch: pytest.MonkeyPatch, failing: str, kept: set[str]
) -> None:
    def inside(peer: str, module: str, arguments: list[str], options: Namespace) -> Any:
        if failing in arguments[:2] and module.endswith("together"):
            raise environments.Failed("No matching distribution")
        if module.endswith("alone"):
            return {"seconds": 1.0, "bytes": 5}
        return [{**MODEL, "version": "9", "torch": "2.13.0"}] if "model" in arguments else [STEP]

    monkeypatch.setattr(run, "inside", inside)
    figures = ["step", "epoch", "loss", "decode", "alone"]
    options = Namespace(figures=figures, data_dir=None, to_loss=None, rounds=3)
    found = list(run.found("marian", {"date": "2026-11-24"}, options))
    assert {record["figure"] for record in found if "rows" in record} == kept
    assert [record["figure"] for record in found if record.get("failed") == "No matching distribution"] == [failing]
    assert all(record["version"] == "9" for record in found if "rows" in record)


def test_the_line_to_be_kept_holds_only_what_the_run_measured() -> None:
    step, decode = record_of("marian", "step", STEP), record_of("marian", "decode", DECODE)
    line = report.history_line([step])
    assert line
    assert (line["step"], line["ours"], line["decode"]) == (600, "0.3.0, abc", {})
    assert report.history_line([decode]) is None
    assert report.history_line([record_of("joeynmt", "step", STEP)]) is None


def test_the_published_page_is_what_the_records_give() -> None:
    published = report.PAGE.read_text(encoding="utf-8")
    assert published == report.page(read(MEASURED), read(HISTORY)), "write it anew: python -m benchmarks.report"


def test_every_published_record_says_when_of_what_and_how_it_was_measured() -> None:
    records = read(MEASURED)
    assert {record["peer"] for record in records} == {*environments.NAMES}
    assert merged(records, []) == records
    for record in records:
        assert all(record[key] for key in ("machine", "threads", "tokens", "date", "ours", "python", "command"))
        assert all(record[key] for key in (("failed",) if "failed" in record else ("rows", "torch", "version")))


def test_the_batches_timed_in_each_round_have_all_lengths_of_the_epoch() -> None:
    batches = [(torch.zeros(1, length), torch.zeros(1, length + 1)) for length in range(100, 0, -1)]
    rounds = spread_out(batches, 3)
    lengths = [[src.size(1) for src, _ in timed] for timed in rounds]
    assert [len(timed) for timed in lengths] == [7, 7, 7]
    assert len({length for timed in lengths for length in timed}) == 21
    for timed in lengths:
        assert timed[0] < 15
        assert timed[-1] > 85
        assert sum(timed) / len(timed) == pytest.approx(50, abs=6)


def test_what_was_measured_of_growth_names_the_same_and_has_its_picture() -> None:
    found = json.loads((environments.ROOT / "benchmarks" / "growth.json").read_text(encoding="utf-8"))
    assert set(found) == set(growth.FIGURES)
    for name, figure in found.items():
        assert all(figure[key] for key in ("machine", "python", "torch", "date", "command"))
        picture = environments.ROOT / "docs" / "pictures" / f"growth-{name}.svg"
        assert picture.stat().st_size < 60_000


def test_our_model_can_be_made_like_a_peer() -> None:
    paper = parameters(Glassformer().model(0.0))
    assert parameters(Glassformer({"final_norms": True}).model(0.0)) == paper + 4 * 256


def test_our_side_trains_and_decodes_to_the_forced_length() -> None:
    ours = Glassformer()
    ours.training(0.1, "float32").step(sources(2, LENGTH), targets(2, LENGTH), 1e-3)
    for beam in (1, 2):
        assert [len(answer) for answer in ours.answers(ours.decoder(), sources(3, 5), beam)] == [5, 5, 5]


def test_generated_pairs_have_many_lengths_and_are_never_empty() -> None:
    lengths = [(len(source.split()), len(target.split())) for source, target in growth.generated(500)]
    assert min(min(pair) for pair in lengths) >= 3
    assert len(set(lengths)) > 5


def test_generated_pairs_differ_up_to_ten_million() -> None:
    numbers = [number for start in range(0, 10_000_000, 850_510) for number in (start, start + 1, start + 5003)]
    assert len({growth.sentence(number, 7) for number in numbers}) == len(numbers)
