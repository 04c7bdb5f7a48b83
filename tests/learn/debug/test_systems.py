"""The shipped systems show what their cases say."""

import json
import math
import subprocess
import sys
from pathlib import Path
from statistics import fmean

import pytest
import torch

from glassformer.learn.debug import make
from glassformer.learn.debug.cases import CASES, healthy
from glassformer.learn.debug.curves import Given, measured
from glassformer.learn.debug.make import EPOCH
from glassformer.learn.debug.scores import BEAM, GREEDY, SHOWN
from glassformer.learn.debug.system import SIZES, System, attention_sample, self_attention_reach
from glassformer.learn.debug.systems import HEALTHY, MADE, SYSTEMS, Plan, console_batch
from glassformer.learn.debug.task import END, LETTERS, PAD
from glassformer.learn.zoo import plant

SILENT = ("D9a", "D9b", "D9c", "D9d")


def given(number: str) -> Given:
    return measured()[number]


def system_of(number: str) -> System:
    return SYSTEMS[number].faulty.build()


@pytest.fixture(scope="module")
def measured_again() -> dict[str, dict[str, float]]:
    """Every system's scores, by a process that checks no shapes: that takes most of the time here."""
    code = (
        "import json; from glassformer.learn.debug.scores import scores_of; "
        "from glassformer.learn.debug.systems import HEALTHY, SYSTEMS; "
        "plans = {number: systems.faulty for number, systems in SYSTEMS.items()} | {'healthy': HEALTHY}; "
        "print(json.dumps({number: scores_of(number, plan.build()) for number, plan in plans.items()}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    scores: dict[str, dict[str, float]] = json.loads(done.stdout)
    return scores


@pytest.mark.parametrize("number", ["healthy", *SYSTEMS])
def test_the_weights_give_the_scores_that_the_case_shows(
    number: str, measured_again: dict[str, dict[str, float]]
) -> None:
    # A difference in the last digit of a sum may turn a close decision of one sentence in 50.
    assert measured_again[number] == pytest.approx(given(number).scores, abs=0.021)


@pytest.mark.parametrize("number", ["healthy", *SYSTEMS])
def test_curves_are_of_one_length_and_start_near_the_loss_of_a_model_that_knows_nothing(number: str) -> None:
    curves = given(number).curves
    assert len({len(curve) for curve in curves.values()}) == 1
    assert curves["step"] == sorted(set(curves["step"]))
    assert curves["loss"][0] == pytest.approx(math.log(SIZES["trg_vocab_size"]), rel=0.1)


def test_the_healthy_one_learned_the_task() -> None:
    assert healthy().curves["loss"][-1] < 0.01
    assert min(healthy().scores.values()) > 0.98


def test_d1_is_perfect_when_shown_and_useless_when_writing() -> None:
    assert given("D1").curves["loss"][-1] < 0.01
    assert given("D1").scores[SHOWN] > 0.99
    assert given("D1").scores[GREEDY] < 0.1


def test_d2_stays_flat_after_the_first_drop() -> None:
    later = given("D2").curves["loss"][10:]
    assert max(later) - min(later) < 0.1
    assert fmean(later) == pytest.approx(math.log(LETTERS), rel=0.1)
    assert given("D2").scores[GREEDY] < 0.1


def test_d3_is_right_with_a_loss_at_the_floor_of_two_softmaxes() -> None:
    assert given("D3").scores[GREEDY] > 0.98
    assert given("D3").curves["accuracy"][-1] > 0.99
    floor = math.log(math.e + SIZES["trg_vocab_size"] - 1) - 1
    assert given("D3").curves["loss"][-1] == pytest.approx(floor, abs=0.02)
    assert f"{floor:.2f}" in CASES["D3"].explanation


def test_d4_is_right_alone_and_wrong_in_company() -> None:
    together, alone = (given("D4").scores[f"{GREEDY}, {how}"] for how in ("all in one batch", "one sentence at a time"))
    assert alone > 0.98
    assert together < 0.5
    assert given("D4").curves["accuracy"][-1] > 0.99


def test_d5_is_well_until_a_certain_batch_and_nan_ever_after() -> None:
    curves = given("D5").curves
    first = next(place for place, loss in enumerate(curves["loss"]) if math.isnan(loss))
    assert curves["loss"][first - 1] < 0.1
    assert all(math.isnan(loss) for loss in curves["loss"][first:])
    assert curves["step"][first - 1] == EPOCH  # the padded batch itself still has a loss
    assert first < len(curves["loss"]) - 3
    assert given("D5").scores[SHOWN] > 0.9


def test_d5_an_empty_row_that_the_loss_leaves_out_spoils_every_gradient() -> None:
    system = system_of("D5")
    src, trg = system.batch
    loss = system.loss(system.logits(src, trg[:, :-1]), trg[:, 1:])
    loss.backward()
    assert loss.isfinite()
    assert system.model.encoder.layers[0].self_attention.to_values.weight.grad.isnan().any()


def test_making_d5_stops_at_the_last_weights_that_are_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, number in {"STEPS": 4, "EPOCH": 3, "POINT_EVERY": 1, "BATCH": 8}.items():
        monkeypatch.setattr(make, name, number)
    weights, curves = make.train(**make.TRAININGS["empty-row-nan"])
    assert [math.isnan(loss) for loss in curves["loss"]] == [False, False, False, True]
    assert all(tensor.isfinite().all() for tensor in weights.values())
    assert make.rounded(curves["loss"])[-1] is None


def test_d6_agrees_in_the_first_token_and_no_further() -> None:
    system = system_of("D6")
    src, trg = system.batch
    with torch.no_grad():
        cached, at_once = system.cached(src, trg), system.logits(src, trg)
    assert torch.allclose(cached[:, 0], at_once[:, 0])
    assert not any(torch.allclose(cached[:, step], at_once[:, step]) for step in range(1, 4))
    again, with_cache = (
        given("D6").scores[f"{GREEDY}, {how}"] for how in ("all read again at each step", "with the cache")
    )
    assert again > 0.98
    assert with_cache < 0.1


def test_d7_writes_the_right_letters_and_goes_on() -> None:
    system = system_of("D7")
    written = system.greedy(system.batch.src)
    for answer, trg in zip(written, system.batch.trg[:, 1:].tolist(), strict=True):
        letters = [token for token in trg if token != system.pad]
        assert answer[: len(letters)] == letters
        assert len(answer) > len(letters)
    assert given("D7").scores[SHOWN] > 0.99
    assert max(score for label, score in given("D7").scores.items() if label != SHOWN) < 0.05


def test_d8_gets_worse_with_a_wider_beam() -> None:
    system, right = system_of("D8"), SYSTEMS["D8"].right.build()
    scores = given("D8").scores
    assert scores[GREEDY] > 0.98
    assert scores[f"answers of a beam of {BEAM} right"] < 0.5

    def found(width: int, searched: System) -> int:
        """How many of four sentences a beam answers like greedy."""
        src = searched.batch.src[1::2]
        with torch.no_grad():
            beams = [searched.beam(row.unsqueeze(0), width).ids for row in src]
            return sum([*ids, END] == greedy for ids, greedy in zip(beams, searched.greedy(src), strict=True))

    assert found(1, system) == found(8, right) == 4
    assert found(2, system) > found(8, system)


@pytest.mark.parametrize("number", SILENT)
def test_the_silent_four_look_like_the_healthy_one(number: str) -> None:
    for label, score in healthy().scores.items():
        assert given(number).scores[label] == pytest.approx(score, abs=0.1)
    half = len(healthy().curves["step"]) // 2
    assert fmean(given(number).curves["loss"][half:]) == pytest.approx(fmean(healthy().curves["loss"][half:]), abs=0.15)
    assert given(number).curves["accuracy"][-1] > 0.97


def test_everything_that_is_shipped_is_small() -> None:
    assert sum(file.stat().st_size for file in Path(MADE).iterdir()) < 1_500_000


def test_every_shipped_file_is_trained_and_is_some_system_s_weights() -> None:
    plans = [plan for systems in SYSTEMS.values() for plan in (systems.faulty, systems.right, *systems.rivals)]
    assert {f"{plan.weights}.safetensors" for plan in plans if plan.weights} == {
        file.name for file in MADE.glob("*.safetensors")
    }
    assert {file.stem for file in MADE.glob("*.safetensors")} == set(make.TRAININGS)


def test_the_console_s_batch_begins_with_the_longest_and_may_end_with_an_empty_row() -> None:
    src, _ = console_batch()
    lengths = (src != PAD).sum(dim=1).tolist()
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] < lengths[0] == src.size(1)
    empty, trg = console_batch(empty_row=True)
    assert (empty[-1] == PAD).all()
    assert (trg[-1, 1:] == PAD).all()
    assert torch.equal(empty[:-1], src[:-1])


def test_reach_tells_what_a_right_self_attention_reads_and_what_one_without_look_ahead_does() -> None:
    system = HEALTHY.build()
    trg = system.batch.trg
    words = (trg != PAD).unsqueeze(1)
    earlier = torch.ones(trg.size(1), trg.size(1), dtype=torch.bool).tril()
    assert torch.equal(self_attention_reach(system.model, trg), words & earlier)
    plant(system.model, "no-look-ahead")
    assert torch.equal(self_attention_reach(system.model, trg), words.expand(-1, trg.size(1), -1))


def test_the_sample_for_attention_hides_something_and_leaves_no_query_empty() -> None:
    *_, mask = attention_sample()
    assert not mask.all()
    assert mask.any(dim=-1).all()


def test_building_a_system_leaves_the_random_numbers_alone() -> None:
    before = torch.random.get_rng_state()
    Plan(weights="").build()
    assert torch.equal(torch.random.get_rng_state(), before)
