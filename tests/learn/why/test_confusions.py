"""What each confusion says is what its code shows."""

import math
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor

from glassformer.learn.why.catalogue import CONFUSIONS, THEMES
from glassformer.learn.why.confusion import Confusion
from glassformer.learn.why.run import Shown
from tests.learn.why.conftest import EACH, demonstration

SURVEY, ORIGIN = range(1, 30), range(30, 35)
Side = Callable[[str], Any]  # a label -> the value under it


def equal(a: Any, b: Any) -> bool:
    """The same but for rounding errors of float32; NaN is NaN."""
    if isinstance(a, Tensor):
        return a.shape == b.shape and torch.allclose(a.double(), b.double(), atol=1e-5, equal_nan=True)
    if isinstance(a, dict):
        return list(a) == list(b) and all(equal(a[name], b[name]) for name in a)
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, abs_tol=1e-5)
    return bool(a == b)


def test_every_row_of_the_survey_and_of_the_origin_is_there_once() -> None:
    assert [confusion.number for confusion in CONFUSIONS] == [*SURVEY, *ORIGIN]
    assert len({confusion.slug for confusion in CONFUSIONS}) == len(CONFUSIONS)


@pytest.mark.parametrize("theme", THEMES)
def test_a_theme_is_a_file(theme: str) -> None:
    module = import_module(f"glassformer.learn.why.{theme}")
    assert module.CONFUSIONS
    assert {confusion.theme for confusion in module.CONFUSIONS} == {theme}


@EACH
def test_where_it_was_asked_and_what_trains_it_is_said(confusion: Confusion) -> None:
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", thread) for thread in confusion.threads)
    assert len(set(confusion.threads)) == len(confusion.threads)
    assert confusion.threads if confusion.number in SURVEY else confusion.seen
    assert confusion.exercise in [f"{number:02}" for number in range(1, 21)]
    assert re.match(r"section \d", confusion.paper)


@EACH
def test_texts_are_whole_sentences(confusion: Confusion) -> None:
    for text in (confusion.changes, confusion.harmless, confusion.truth):
        assert text.endswith(".")
        assert len(text.split()) > 5
        assert "  " not in text
        assert not re.search(r"\b(simply|just|easy|easily)\b", text, re.IGNORECASE)


@EACH
def test_wrong_and_right_differ_exactly_where_it_is_said(confusion: Confusion) -> None:
    shown = demonstration(confusion).shown
    for each in shown:
        assert equal(each.wrong.value, each.right.value) == each.same, each.label
    assert not all(each.same for each in shown)


@EACH
def test_what_differs_can_be_seen_and_what_does_not_looks_the_same(confusion: Confusion) -> None:
    for each in demonstration(confusion).shown:
        assert (each.wrong.lines == each.right.lines) == each.same, each.label


@EACH
def test_a_second_run_shows_the_same_and_leaves_no_trace(confusion: Confusion) -> None:
    torch.manual_seed(7)
    before, threads, dtype = torch.get_rng_state(), torch.get_num_threads(), torch.get_default_dtype()
    again = confusion.demonstrate()
    lines = [(each.wrong.lines, each.right.lines) for each in again.shown]
    assert lines == [(each.wrong.lines, each.right.lines) for each in demonstration(confusion).shown]
    assert torch.equal(before, torch.get_rng_state())
    assert (threads, dtype) == (torch.get_num_threads(), torch.get_default_dtype())


def side(shown: tuple[Shown, ...], name: str) -> Side:
    return lambda label: next(getattr(each, name).value for each in shown if each.label.startswith(label))


def nan(value: Tensor) -> bool:
    return bool(value.isnan().all())


# What the texts claim beyond "differs" and "is the same": wrong, right -> whether it is so.
CLAIMS: dict[str, Callable[[Side, Side], bool]] = {
    "pad-rows": lambda wrong, right: nan(wrong("weights of <pad>")) and not nan(right("weights of <pad>")),
    "pad-axis": lambda wrong, right: bool((wrong("how far")[:2] != 0).all() and (right("how far") == 0).all()),
    "nan": lambda wrong, right: nan(wrong("gradient")) and bool(right("gradient").isfinite().all()),
    "polarity": lambda wrong, right: right("keys that").tolist() == [1, 2, 3] and nan(wrong("attention weights")[2]),
    "inverted": lambda wrong, right: wrong("<s> moves") > 0.1 and right("<s> moves") == 0,
    "heads": lambda wrong, right: not right("numbers of").any() and bool(wrong("numbers of").all()),
    "projection": lambda wrong, right: wrong("to_queries has") == 0 and right("to_queries has") > 0.1,
    "scale": lambda wrong, right: (
        abs(right("std")["sqrt(head_dim)"] - 1) < 0.05
        and wrong("std")["nothing"] > 7
        and wrong("largest")["embed_size"] < 1.1 / 50
    ),
    "shift": lambda wrong, right: wrong("sentence 2").endswith("<pad>") and right("sentence 2").endswith("</s>"),
    "leak": lambda wrong, right: (
        max(map(float, wrong("loss of words").split())) < 0.2 < math.log(4) - 0.1 < float(right("loss of word 4"))
        and float(wrong("loss of word 4")) > math.log(4)
    ),
    "two-paths": lambda wrong, right: wrong("keys") == 0 and equal(right("words chosen by"), right("words chosen in")),
    "start": lambda wrong, right: wrong("words that") == 0 and right("words that") == 1 and right("off") < 1e-5,
    "same-sentence": lambda wrong, right: len(set(wrong("answers"))) == 1 and len(set(right("answers"))) == 3,
    "norm-place": lambda wrong, right: wrong("std") > 3 and abs(right("std") - 1) < 0.01,
    "smoothing": lambda wrong, right: (
        math.isnan(wrong("loss with it"))
        and equal(right("plus its entropy"), right("label_smoothed_loss"))
        and right("where <pad>")[0] == 0 < right("where <pad>")[1]
    ),
    "warm-up": lambda wrong, right: (
        list(wrong("reached").values()) == [600, 1] and wrong("highest")["noam, warm-up 1"] > 0.1
    ),
    "bleu": lambda wrong, right: float(wrong("BLEU")) > float(right("BLEU")) + 20 and right("answers equal") == "100.0",
    "no-grad": lambda wrong, right: equal(wrong("a channel"), wrong("and without")) and wrong("averages") > 0.1,
    "too-long": lambda wrong, right: "max_length=4" in right("five") and "max_length" not in wrong("five"),
    "tied-embeddings": lambda wrong, right: (
        wrong("first loss") > 100 and abs(right("first loss") / math.log(1000) - 1) < 0.05
    ),
    "beam": lambda wrong, right: (
        equal(right("its log"), right("of the best")) and wrong("its log") < wrong("of greedy") - 0.1
    ),
    "cache": lambda wrong, right: wrong("off")[0] < 1e-6 < 0.01 < wrong("off")[1] and right("off").max() < 1e-5,
    "batched-lengths": lambda wrong, right: wrong("in the batch") > 0.1 and right("in the batch") < 1e-5,
    "einsum": lambda wrong, right: equal(right("energy[0, 1, 1, 0]"), right("sum over d")),
    "step-0": lambda wrong, right: (
        right("each row")[:2] == ["<s>: sees <s>, asked for I", "I: sees <s> I, asked for love"]
        and wrong("each row")[0] == "I: sees I, asked for I"
    ),
    "batch-first": lambda wrong, right: bool((wrong("how far") > 0.1).all() and (right("how far") < 1e-5).all()),
    "order": lambda wrong, right: bool((wrong("its words") < 1e-5).all() and (right("its words") > 0.1).all()),
}


@pytest.mark.parametrize("slug", CLAIMS)
def test_the_numbers_are_as_the_texts_claim(slug: str) -> None:
    (confusion,) = [each for each in CONFUSIONS if each.slug == slug]
    shown = demonstration(confusion).shown
    assert CLAIMS[slug](side(shown, "wrong"), side(shown, "right"))


def test_what_moves_when_padding_moves_is_the_wrong_side_alone() -> None:
    for confusion in CONFUSIONS:
        for each in demonstration(confusion).shown:
            if "padding moves" in each.label:
                assert each.wrong.value > 0.1, confusion.slug
                assert each.right.value < 1e-5, confusion.slug
