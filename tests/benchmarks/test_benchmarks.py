"""The arithmetic of the benchmarks, what is pinned, and what the page says; nothing is timed here."""

import json
import re
from typing import Any

import pytest
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import environments, growth, report
from benchmarks.measuring import exponent, interleaved, ratios
from benchmarks.peers.glassformer import Glassformer
from benchmarks.sizes import LENGTH, VOCAB, parameters, sources, targets, training_flops


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
    spent = interleaved(works, 2, lambda: float(next(ticks)))
    assert order == ["ours", "theirs", "ours", "theirs", "theirs", "ours"]  # the first two are not counted
    assert spent == {"ours": [1.0, 1.0], "theirs": [1.0, 1.0]}


def test_the_work_of_a_step_is_three_times_what_a_forward_pass_multiplies() -> None:
    model = Glassformer().model(0.0)
    with FlopCounterMode(display=False) as counter:
        model(sources(2, 5), targets(2, 7)[:, :-1])
    assert 3 * counter.get_total_flops() == training_flops(2, 5, 7)


def test_every_package_of_every_peer_is_pinned() -> None:
    for peer in environments.NAMES:
        assert (environments.PEERS / f"{peer}.py").exists()
        lines = (environments.PEERS / f"{peer}.txt").read_text(encoding="utf-8").splitlines()
        packages = [line.partition("#")[0].strip() for line in lines if not line.startswith("#")]
        assert all(re.fullmatch(r"[\w.-]+==[\w.]+", package) for package in packages), packages
        assert "torch==2.13.0" in packages


def test_a_command_that_fails_tells_its_reason() -> None:
    with pytest.raises(environments.Failed, match="no such option"):
        environments.run(["sh", "-c", "echo WARNING of something >&2; echo no such option >&2; exit 2"])


def found_beside(title: str) -> dict[str, Any]:
    times = {"ours": [1.0, 2.0, 1.0], "theirs": [3.0, 4.0, 1.0], "matrix": [0.5, 0.5, 0.5]}
    common = {"tokens": 600, "seconds": times}
    return {
        "machine": "Zuse Z4", "python": "3.11.7", "torch": "2.13.0", "ours": "0.3.0", "threads": 1, "tokens": 600,
        "date": "2026-11-24", "command": "python -m benchmarks.run --small", "title": title, "package": "their-package",
        "version": "5.4.3", "alike": {}, "beside": {"no output bias": -VOCAB}, "remarks": ["Much to remark."],
        "trains": True, "parameters": 9000,
        "records": [
            {"figure": "step", "what": "float32", "flops": 100.0, "matrix_flops": 200.0, **common},
            {"figure": "epoch", "what": "float32", "batches": {"ours": 7, "theirs": 8},
             "padded_over_useful": {"ours": 1.02, "theirs": 2.11}, **common},
            {"figure": "decode", "what": "float32, 1 at a time, greedy", "bytes": 5.0, "read": 1000.0,
             "tokens": 60, "seconds": {**times, "reading": [0.25, 0.5, 0.25]}},
        ],
        "alone": {side: {"start": {"seconds": 1.5, "bytes": 2**20}} for side in ("ours", "theirs")},
    }  # fmt: skip


@pytest.fixture
def page() -> str:
    failed = {**found_beside(""), "title": "absent", "failed": "No matching distribution"}
    found = [found_beside("Their Transformer"), failed]
    return report.page(found, [report.history_line(found_beside("Marian"))])


@pytest.mark.parametrize(
    "said",
    [
        "machine: Zuse Z4", "CPU time, 1 thread", "torch 2.13.0", "2026-11-24: `python -m benchmarks.run --small`",
        "their-package 5.4.3", "no output bias (-8,000)", "Much to remark.",
        "| Their Transformer | float32 | 200 | 600 | **2.00** (1.00 to 3.00) | 8% | 25% | 0 |",
        "| Their Transformer | float32 | 2.11 | 1.02 | 3 | 1 | **2.00** (1.00 to 3.00) | 3 of 8 and of 7 |",
        "| Their Transformer | float32, 1 at a time, greedy | 20 | 60 | **2.00** (1.00 to 3.00) | 2% | 8% |",
        "| absent | No matching distribution |",
        "| 2026-11-24 | 0.3.0 | Zuse Z4 | CPU time, 1 thread | 600 (float32) | 25% | float32, 1 at a time, greedy: 60",
    ],
)  # fmt: skip
def test_the_page_says(page: str, said: str) -> None:
    assert said in page


def test_the_published_page_names_machine_versions_date_and_command() -> None:
    published = (environments.ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    for needed in (
        r"- machine: .*cores",
        r"- versions: Python [\d.]+, torch 2",
        r"- \d{4}-\d\d-\d\d: `python -m bench",
    ):
        assert re.search(needed, published), needed


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
