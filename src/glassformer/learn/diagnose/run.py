"""One diagnosis: the model is borrowed, every check asks its question, and the report is put in order."""

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from glassformer.learn.diagnose.adapter import Adapter
from glassformer.learn.diagnose.borrow import borrowed, nudge, without_dropout
from glassformer.learn.diagnose.checks import (
    attention,
    batch,
    blocks,
    ids,
    modes,
    norms,
    numbers,
    padding,
    source,
    target,
)
from glassformer.learn.diagnose.checks.loss import Loss, examine_loss
from glassformer.learn.diagnose.forms import CannotCall
from glassformer.learn.diagnose.report import Report
from glassformer.learn.diagnose.subject import Subject, examine, first_line

Check = Callable[[Subject, Report], None]
Progress = Callable[[int, int, str], None]

REPEATABLE = "two equal calls"
FINITE = "scores are numbers"
NUDGE = "numbers off their start"  # no check: the ones above see the model as it was built
CHECKS: dict[str, Check] = {
    "sizes that differ": target.sizes,
    REPEATABLE: modes.repeatable,
    FINITE: numbers.finite,
    "first loss": numbers.first_loss,
    "half precision": numbers.half_precision,
    NUDGE: lambda subject, report: nudge(subject.model),
    "formulas of the attentions": attention.attentions,
    "formulas of the norms": norms.formulas,
    "placement of the norms": blocks.placement,
    "ways around the sublayers": blocks.residuals,
    "activations": blocks.activations,
    "future and history of the target": target.future_and_history,
    "prefixes of the target": target.prefixes,
    "padding of the source": padding.source_padding,
    "padding of the target": padding.target_padding,
    "the source reaches the scores": source.source_reaches_the_scores,
    "order of the words": source.order_counts,
    "neighbours in the batch": batch.neighbours,
    "neighbours of other lengths": batch.neighbours_of_other_lengths,
    "a source of padding alone": numbers.row_without_words,
    "gradients reach every parameter": numbers.gradients,
    "training and evaluation mode": modes.modes,
    "encode and decode": modes.own_decoding,
    "cache": modes.cache,
    "generate": modes.generation,
    "special ids": ids.special_ids,
    "a sentence that is too long": ids.too_long,
}


def diagnose(
    model: nn.Module, adapter: Adapter | None = None, *, loss: Loss | None = None, progress: Progress | None = None
) -> Report:
    """Ask an encoder-decoder every question of CHECKS; `loss(model, src, trg)` is examined too where it is given.

    The model is computed with in double precision where it can be, and handed back with its numbers, dtype, modes and
    gradients as they were; the global random state is left alone. Raises CannotCall, which says what to write, where
    no way to call the model is found.
    """
    if any(isinstance(p, nn.UninitializedParameter) for p in model.parameters()):
        raise CannotCall(
            "the model has lazy layers without numbers yet: call it once in build() before it is returned."
        )
    report = Report()
    adapter = adapter or Adapter()
    devices = {p.device.index or 0 for p in model.parameters() if p.device.type == "cuda"}
    with warnings.catch_warnings(), torch.random.fork_rng(devices=sorted(devices)):
        warnings.simplefilter("ignore")
        dtype = best_dtype(model, adapter)
        with borrowed(model, dtype):
            subject = with_padding_found(examine(model, adapter, dtype), report)
            report.called = in_words(subject, dtype)
            ask(subject, report, CHECKS | ({"loss": partial(about, loss)} if loss else {}), progress)
            withdraw(report, subject.form.asks_for_masks)
    if loss is None:
        report.skip(
            "loss", "the file has no function loss(model, src, trg): the shift and the counting of padding live there"
        )
    report.sort()
    return report


def about(loss: Loss, subject: Subject, report: Report) -> None:
    examine_loss(subject, report, loss)


def best_dtype(model: nn.Module, adapter: Adapter) -> torch.dtype | None:
    """float64 where the model runs in it, else its own: a table or a mask may be float32 by hand."""
    try:
        with borrowed(model, torch.float64):
            examine(model, adapter, torch.float64)
        return torch.float64
    except Exception:
        return None


def ask(subject: Subject, report: Report, checks: dict[str, Check], progress: Progress | None) -> None:
    """Every check in turn. A model that answers NaN, or by chance, is asked no more than that."""
    hopeless = ""
    for number, (name, check) in enumerate(checks.items()):
        if progress:
            progress(number, len(checks), name)
        if hopeless:
            report.skip(name, hopeless)
            continue
        before = said(report)
        # Dropout that acts in evaluation mode is one finding; then it is taken out, or all else would be noise.
        with without_dropout(subject.model) if report.has("random-in-eval") else nullcontext():
            try:
                check(subject, report)
            except CannotCall as error:
                report.skip(name, first_line(error))
            except Exception as error:  # of the model, on an input that the calls before did not have
                report.skip(name, f"the model raised {type(error).__name__}: {first_line(error)}")
        if said(report) == before and name != NUDGE:
            report.held.append(name)
        elif name == FINITE:
            hopeless = "the scores of plain sentences are NaN"
        elif name == REPEATABLE and chance(subject):
            hopeless = "two equal calls differ, even without dropout"


# What is found in a right model too where it is called without the masks it should be given.
BY_MASKS = {
    "future-leak",
    "look-ahead-inverted",
    "history-unseen",
    "diagonal-hidden",
    "mask-polarity",
    "mask-after-softmax",
    "mask-fill-too-small",
    "pad-mask-on-query-axis",
    "wrong-pad-id",
    "padding-leak-source",
    "padding-leak-target",
    "company-changes-answers",
    "decoding-differs",
    "cache-differs",
    "start-is-padding",
    "empty-row-nan",
    "modes-differ",
}


def withdraw(report: Report, left_out: str) -> None:
    """Where arguments for masks were left out, what their lack can cause is no finding: the call is asked for."""
    if left_out:
        for finding in [f for f in report.findings if f.name in BY_MASKS]:
            report.findings.remove(finding)
            report.skip(
                finding.name,
                f"seen where the model is called without {left_out}, arguments of its forward. Say how you call it: "
                "Adapter(call=...).",
            )


def said(report: Report) -> tuple[int, list[str]]:
    return len(report.unchecked), [finding.witness for finding in report.findings]


def chance(subject: Subject) -> bool:
    """Whether equal calls still differ when nothing is dropped out."""
    with without_dropout(subject.model):
        quiet = Report()
        modes.repeatable(subject, quiet)
    return bool(quiet.findings)


def with_padding_found(subject: Subject, report: Report) -> Subject:
    """Where nobody said which id is the source's padding: the only id that changes nothing behind a sentence."""
    facts = subject.facts
    if facts.src_pad_idx is not None or subject.equal_lengths:
        return subject
    hidden = padding.hidden_source_ids(subject)
    if len(hidden) != 1:
        return subject
    where = facts.where | {"src_pad_idx": "the one id that changes nothing behind a source"}
    return replace(subject, facts=replace(facts, src_pad_idx=hidden[0], where=where))


def in_words(subject: Subject, dtype: torch.dtype | None) -> list[str]:
    """How the model was called and what was guessed, for the reader to check."""
    facts = subject.facts
    sizes = f"vocabularies of {subject.src_vocab} (source) and {subject.trg_vocab} (target) ids"
    sources = {facts.where.get(f"{side}_vocab_size", "its embedding or its scores") for side in ("src", "trg")}
    lines = [f"calls it as {subject.form.name}", f"{sizes}, read from {' and '.join(sorted(sources))}"]
    for field, what in (
        ("src_pad_idx", "padding of the source"),
        ("trg_pad_idx", "padding of the target"),
        ("start_idx", "start"),
        ("end_idx", "end"),
        ("max_length", "longest sentence"),
    ):
        value, where = getattr(facts, field), facts.where.get(field)
        shown = "unknown" if where is None else "none" if value is None else value
        lines.append(f"{what}: {shown}" + (f" ({where})" if where else ""))
    if dtype is None:
        lines.append("it does not run in double precision: only large moves count, in its own dtype")
    if subject.equal_lengths:
        lines.append("it runs only where source and target are equally long")
    return lines
