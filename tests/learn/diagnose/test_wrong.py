"""Planted mistakes: each is named, by a finding whose witness holds numbers; what cannot be seen is listed with why."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glassformer.errors import UserError
from glassformer.learn.diagnose import Report, diagnose
from glassformer.learn.diagnose.catalogue import KINDS
from glassformer.learn.diagnose.rows import ROWS
from glassformer.learn.zoo import FAULTS, plant
from glassformer.model.transformer import Transformer
from tests.learn.diagnose.foreign import FOREIGN
from tests.learn.diagnose.right import Hand
from tests.small import small_model

# What the diagnosis says of each fault of the zoo: the finding that names it.
NAMED = {
    "no-look-ahead": "future-leak",
    "one-step-ahead": "future-leak",
    "look-ahead-upside-down": "look-ahead-inverted",
    "diagonal-hidden": "diagonal-hidden",
    "look-ahead-top-left": "cache-differs",
    "mask-inverted": "mask-polarity",
    "padding-mask-inverted": "mask-polarity",
    "no-source-padding-mask": "padding-leak-source",
    "pad-mask-on-query-axis": "pad-mask-on-query-axis",
    "mask-of-another-sentence": "company-changes-answers",
    "scale-missing": "wrong-scale",
    "scale-without-root": "wrong-scale",
    "scale-sqrt-embed-size": "wrong-scale",
    "scale-inverted": "wrong-scale",
    "softmax-over-queries": "softmax-axis",
    "mask-after-softmax": "mask-after-softmax",
    "fill-too-small": "mask-fill-too-small",
    "fill-overflows-half": "half-overflow",
    "empty-row-nan": "empty-row-nan",
    "heads-merged-without-transpose": "heads-merged-wrong",
    "heads-viewed-without-transpose": "heads-split-wrong",
    "heads-share-one-projection": "heads-share-projection",
    "queries-not-projected": "parameters-without-gradient",
    "values-are-keys": "projections-swapped",
    "keys-values-swapped": "projections-swapped",
    "embeddings-not-scaled-in-eval": "modes-differ",
    "positions-ignored": "positions-ignored",
    "positions-along-the-batch": "positions-ignored",
    "positions-restart-with-cache": "cache-differs",
    "no-residual": "residual-missing",
    "final-norm-missing": "parameters-without-gradient",
    "layer-norm-unbiased": "layer-norm-formula",
    "layer-norm-over-time": "future-leak",
    "feed-forward-without-activation": "feed-forward-linear",
    "dropout-in-eval": "random-in-eval",
    "layers-share-weights": "parameters-without-gradient",
    "frozen-encoder": "parameters-without-gradient",
    "decoder-ignores-source": "source-ignored",
    "cross-attention-reads-target": "source-ignored",
    "cache-newest-first": "cache-differs",
    "cache-keeps-nothing": "cache-differs",
    "cache-first-source-word": "cache-differs",
}
UNSEEN = {
    "embeddings-not-scaled": "the origin leaves the factor out on purpose: a model does not say which was meant",
    "sines-then-cosines": "a convention: sines and cosines in halves tell positions apart as well",
    "norm-on-branch-only": "a choice that some models make; the note on the norms' place says so",
    "norm-in-the-other-place": "both places are right; the note says which it is",
}
SETTINGS: list[dict[str, Any]] = [
    dict(positions="sinusoidal", scale_embeddings=True),
    dict(norm="pre", dropout=0.3),
    dict(positions="learned"),
]


def planted(fault: str) -> Transformer:
    for choices in SETTINGS:
        try:
            return plant(small_model(heads=3, src_pad_idx=3, **choices), fault)
        except UserError:  # it would change nothing in such a model
            continue
    raise AssertionError(fault)


def names(report: Report) -> set[str]:
    return {finding.name for finding in report.findings}


def test_every_fault_of_the_zoo_is_named_or_listed_as_unseen() -> None:
    assert NAMED.keys() | UNSEEN.keys() == set(FAULTS)
    assert not NAMED.keys() & UNSEEN.keys()


def one_of_each_finding_fast() -> Iterator[Any]:
    """Of the faults that are the same finding all but the first are slow tests."""
    findings = set()
    for fault, finding in NAMED.items():
        yield pytest.param(fault, marks=[pytest.mark.slow] * (finding in findings))
        findings.add(finding)


@pytest.mark.parametrize("fault", list(one_of_each_finding_fast()))
def test_a_fault_of_the_zoo_is_named(fault: str) -> None:
    report = diagnose(planted(fault))
    assert NAMED[fault] in names(report)
    (finding,) = (f for f in report.findings if f.name == NAMED[fault])
    assert re.search(r"\d", finding.witness)


@pytest.mark.parametrize("fault", UNSEEN)
def test_a_convention_is_never_accused(fault: str) -> None:
    assert names(diagnose(planted(fault))) == set()


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_a_wrong_model_of_somebody_is_named(name: str) -> None:
    build, wanted = FOREIGN[name]
    assert wanted <= names(diagnose(build()))


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("no-look-ahead", r"token \d of the target was exchanged from \d+ to \d+: the scores at position \d moved by"),
        ("no-look-ahead", r"begins in the output of model\.decoder\.layers\.0\.self_attention"),
        ("scale-sqrt-embed-size", r"q \. k x 0\.2887, 1/sqrt\(embed_size\); asked is x 0\.5 = 1/sqrt\(4\); in 6 of 6"),
        ("one-step-ahead", r"a look-ahead mask one step too late"),
        ("queries-not-projected", r"encoder\.layers\.0\.self_attention\.to_queries\.weight"),
        ("positions-restart-with-cache", r"from position 1 on"),
    ],
)
def test_a_witness_is_a_counterexample(fault: str, says: str) -> None:
    assert any(re.search(says, finding.witness) for finding in diagnose(planted(fault)).findings)


def test_causes_come_before_their_symptoms() -> None:
    listed = [finding.name for finding in diagnose(planted("heads-merged-without-transpose")).findings]
    assert listed[0] == "heads-merged-wrong"
    assert "future-leak" in listed


def cross_entropy(scores: Tensor, labels: Tensor, **choices: Any) -> Tensor:
    return nn.functional.cross_entropy(scores.flatten(0, 1), labels.flatten(), **choices)


LOSSES = {
    "right": (lambda m, s, t: cross_entropy(m(s, t[:, :-1]), t[:, 1:], ignore_index=2), set()),
    "smoothed": (
        lambda m, s, t: cross_entropy(m(s, t[:, :-1]), t[:, 1:], ignore_index=2, label_smoothing=0.1),
        set(),
    ),
    "summed": (
        lambda m, s, t: cross_entropy(m(s, t[:, :-1]), t[:, 1:], ignore_index=2, reduction="sum") / len(s),
        set(),
    ),
    "whole target read": (
        lambda m, s, t: cross_entropy(m(s, t)[:, :-1], t[:, 1:], ignore_index=2),
        set(),
    ),
    "not shifted": (lambda m, s, t: cross_entropy(m(s, t), t, ignore_index=2), {"target-not-shifted"}),
    "shifted twice": (
        lambda m, s, t: cross_entropy(m(s, t[:, :-1])[:, :-1], t[:, 2:], ignore_index=2),
        {"target-not-shifted"},
    ),
    "padding counted": (lambda m, s, t: cross_entropy(m(s, t[:, :-1]), t[:, 1:]), {"loss-counts-padding"}),
    "the source's padding ignored": (
        lambda m, s, t: cross_entropy(m(s, t[:, :-1]), t[:, 1:], ignore_index=1),
        {"loss-counts-padding"},
    ),
    "the end ignored": (
        lambda m, s, t: cross_entropy(m(s, t[:, :-1]), t[:, 1:].masked_fill(t[:, 1:] == 4, 2), ignore_index=2),
        {"loss-skips-end"},
    ),
    "softmax twice": (
        lambda m, s, t: cross_entropy(m(s, t[:, :-1]).softmax(-1), t[:, 1:], ignore_index=2),
        {"loss-formula"},
    ),
}


class HandWithEnds(Hand):
    """Start 3 and end 4 can be read from it."""

    def __init__(self) -> None:
        super().__init__()
        self.sos_idx, self.eos_idx = 3, 4


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_read_by_its_gradient(name: str) -> None:
    loss, wanted = LOSSES[name]
    report = diagnose(HandWithEnds(), loss=loss)
    assert names(report) == wanted
    smoothed = [note.text for note in report.notes if note.name == "label-smoothing"]
    assert [text.split(": ")[1][:21] for text in smoothed] == (["0.9067 on the right w"] if name == "smoothed" else [])


def test_a_loss_of_another_kind_is_not_judged() -> None:
    report = diagnose(HandWithEnds(), loss=lambda model, src, trg: model(src, trg).square().mean())
    assert names(report) == set()
    assert any(each.check == "loss" for each in report.unchecked)


def test_nothing_else_is_asked_of_a_model_that_answers_nan() -> None:
    model = Hand()
    with torch.no_grad():
        model.fc.bias[0] = torch.nan
    report = diagnose(model)
    assert names(report) == {"nan-scores"}
    assert any("are NaN" in each.why for each in report.unchecked)


def test_the_29_rows_are_findings_or_say_why_not() -> None:
    assert list(ROWS) == list(range(1, 30))
    for row, says in ROWS.items():
        if says in KINDS:
            assert KINDS[says].row is not None
        else:
            assert len(says.split()) > 5, row
    assert {kind.row for kind in KINDS.values() if kind.row} <= set(ROWS)


def test_every_finding_of_the_catalogue_has_a_planted_model() -> None:
    shown = {name for _, wanted in FOREIGN.values() for name in wanted} | set(NAMED.values())
    shown |= {name for _, wanted in LOSSES.values() for name in wanted}
    elsewhere = {"nan-scores", "special-ids"}  # tested by themselves
    assert set(KINDS) - shown - elsewhere == {"wrong-mask-shape", "padding-leak-target", "start-is-padding"}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_finding_says_what_it_means_where_it_was_met_and_what_trains_it(kind: Any) -> None:
    assert re.fullmatch(r"[\w.-]+/[\w.-]+#\d+|seen in .+", kind.thread)
    assert kind.exercise in {f"{n:02}" for n in range(1, 21)}
    assert len(kind.meaning) > 60
