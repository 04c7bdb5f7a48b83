"""Special ids, the longest sentence, and what follows where one id has two jobs."""

from typing import Any

from torch import nn

from glassformer.learn.diagnose.checks.numbers import broken
from glassformer.learn.diagnose.report import Report
from glassformer.learn.diagnose.subject import Subject, first_line

LONGEST = 600  # tokens; a sentence one longer than the limit is tried up to here


def special_ids(subject: Subject, report: Report) -> None:
    """Start, end and padding against each other, their vocabularies, and the tables."""
    facts = subject.facts
    for field, size in (("src_pad_idx", subject.src_vocab), ("trg_pad_idx", subject.trg_vocab)):
        value = getattr(facts, field)
        if value is not None and not 0 <= value < size:
            report.found("special-ids", f"{field} is {value}, and that vocabulary has ids 0 to {size - 1}.")
    if facts.end_idx is not None and facts.end_idx == facts.trg_pad_idx:
        report.found(
            "special-ids", f"end and padding share id {facts.end_idx}: a loss that skips padding never asks for an end."
        )
    if facts.end_idx is not None and facts.end_idx == facts.start_idx and facts.start_idx != facts.trg_pad_idx:
        report.note("start-is-end", f"start and end share id {facts.end_idx}, as in some libraries.")
    padding_of_tables(subject, report)
    two_configs(subject, report)
    if facts.src_pad_idx is not None and facts.src_pad_idx == facts.trg_pad_idx:
        report.note(
            "same-padding",
            f"both paddings are id {facts.src_pad_idx}: whether each mask uses its own side's id shows only in a model "
            "built with two different ids.",
        )
    if facts.start_idx is not None and facts.start_idx == facts.trg_pad_idx:
        start_is_padding(subject, report, facts.start_idx)


def padding_of_tables(subject: Subject, report: Report) -> None:
    """An embedding's padding_idx, whose row never learns, against the padding id."""
    facts = subject.facts
    declared = {facts.src_pad_idx, facts.trg_pad_idx}
    for name, module in subject.model.named_modules():
        if not isinstance(module, nn.Embedding) or module.padding_idx is None:
            continue
        sides = [side for side in ("src", "trg") if subject.tables.get(side) is module.weight]
        own = {getattr(facts, f"{side}_pad_idx") for side in sides}
        if sides and None not in own and None not in declared and module.padding_idx not in own:
            report.found(
                "special-ids",
                f"model.{name} was built with padding_idx={module.padding_idx}, whose vector never learns, and the "
                f"padding of that side is {min(own)}.",
            )


def two_configs(subject: Subject, report: Report) -> None:
    """Hugging Face's `config` and `generation_config`, where both say something."""
    config, generation = (getattr(subject.model, name, None) for name in ("config", "generation_config"))
    for name in ("pad_token_id", "eos_token_id", "decoder_start_token_id"):
        one, other = (single(getattr(holder, name, None)) for holder in (config, generation))
        if one is not None and other is not None and one != other:
            report.found("special-ids", f"config.{name} is {one}, generation_config.{name} is {other}.")


def single(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def start_is_padding(subject: Subject, report: Report, start: int) -> None:
    """The start shares its id with padding: a note, unless the padding mask then spoils the first row."""
    src, trg = subject.batch(50)
    trg[:, 0] = start
    scores = subject.scores(src, trg)
    if broken(scores):
        report.found("start-is-padding", f"a target that begins with {start} gets NaN as scores.")
        return
    later = trg.clone()
    later[:, 1:] = subject.sentences("trg", trg.size(1) - 1, seed=51)
    move = subject.move(scores[:, 0], subject.scores(src, later)[:, 0])
    if move >= subject.exact.moved and not report.has("future-leak"):
        report.found(
            "start-is-padding",
            f"a target that begins with {start}: all later tokens were exchanged, and the scores of position "
            f"0 moved by {move * subject.scale:.3g}; they must not. A row without keys spreads over all of them.",
        )
        return
    report.note(
        "start-is-padding",
        f"start and padding of the target share id {start}, as in Marian: the target's padding mask, if "
        "there is one, hides the start. None is needed while padding is on the right.",
    )


def too_long(subject: Subject, report: Report) -> None:
    """A sentence one longer than the limit is refused in words."""
    limit = subject.facts.max_length
    if limit is None:
        report.skip("a sentence that is too long", "no limit of length was found")
        return
    if limit > LONGEST or subject.equal_lengths:
        report.skip("a sentence that is too long", f"the limit of {limit} tokens is too long to try")
        return
    src, trg = subject.batch(52)
    trg = subject.sentences("trg", limit + 1, seed=52)
    try:
        subject.scores(src, trg)
    except Exception as error:
        said = str(error)
        if any(str(number) in said for number in (limit, limit + 1)) and isinstance(error, ValueError):
            return
        what = f"a target of {limit + 1} tokens raises {type(error).__name__}: {first_line(error)}"
        if subject.facts.limit_declared:
            report.note("length-error", f"{what}. The limit, {limit}, can be read from the model before.")
        else:
            report.found("length-error", f"{what}. Neither the sentence nor the limit of {limit} is named.")
