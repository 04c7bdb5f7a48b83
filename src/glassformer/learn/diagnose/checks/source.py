"""What the decoder gets from the source, and whether the order of words counts."""

import torch

from glassformer.learn.diagnose.report import Report
from glassformer.learn.diagnose.subject import Subject


def source_reaches_the_scores(subject: Subject, report: Report) -> None:
    """Another source gets another answer."""
    if report.has("mask-polarity"):
        report.skip("the source reaches the scores", "a mask that means the opposite hides it already")
        return
    src, trg = subject.batch(4)
    other, _ = subject.batch(5)
    move = subject.move(subject.scores(src, trg), subject.scores(other, trg))
    again = subject.move(subject.scores(src, trg), subject.scores(subject.batch(6)[0], trg))
    if max(move, again) <= subject.exact.still:
        report.found(
            "source-ignored",
            f"the whole source was exchanged, {src[0].tolist()} for {other[0].tolist()}: no score moved "
            f"(largest difference {max(move, again) * subject.scale:.1g}).",
        )


def order_counts(subject: Subject, report: Report) -> None:
    """Other orders get other answers, in the source and in the target."""
    if report.has("source-ignored", "mask-polarity"):
        report.skip("order of the words", "the decoder does not see the source's words")
        return
    if min(len(subject.words("src")), len(subject.words("trg"))) < 4:
        report.skip("order of the words", "the vocabularies have fewer than 4 words")
        return
    src, trg = subject.batch(7)
    base = subject.scores(src, trg)
    turned = [src.flip(1), src.roll(1, dims=1), src[:, torch.randperm(src.size(1), generator=generator())]]
    moves = [subject.move(base, subject.scores(order, trg)) for order in turned]
    source = max(moves) <= 10 * subject.exact.still
    target_flat = equal_words_get_equal_scores(subject)
    target = target_flat and (source or target_history_is_a_bag(subject))
    if source or target:
        sides = " and ".join(side for side, ignored in (("source", source), ("target", target)) if ignored)
        proof = (
            f"the words of the source {src[0].tolist()} were put in another order, {turned[0][0].tolist()}: no score "
            f"moved (largest difference {max(moves) * subject.scale:.1g})."
            if source
            else "the first two words of the target were swapped: no later score moved."
        )
        if source and target:
            proof += " A target of one repeated word gets the same scores at every position."
        report.found("positions-ignored", f"In the {sides}: {proof}")
    elif target_flat:
        report.note(
            "target-positions",
            "a target of one repeated word gets the same scores at every position: the decoder has no absolute "
            "positions. Right with relative ones (ALiBi, rotary), otherwise the look-ahead mask alone gives order.",
        )


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def equal_words_get_equal_scores(subject: Subject) -> bool:
    """True without positions, and with relative ones: attention over equal values gives that value."""
    src, trg = subject.batch(8)
    same = subject.scores(src, trg[:, :1].expand_as(trg).contiguous())
    return subject.move(same[:, 1:], same[:, :1].expand_as(same[:, 1:])) <= 10 * subject.exact.still


def target_history_is_a_bag(subject: Subject) -> bool:
    """Only with one decoder layer: with more, the look-ahead mask tells early words from late ones."""
    src, trg = subject.batch(9)
    swapped = trg[:, [1, 0, *range(2, trg.size(1))]]
    base, other = subject.scores(src, trg), subject.scores(src, swapped)
    return subject.move(base[:, 2:], other[:, 2:]) <= 10 * subject.exact.still
