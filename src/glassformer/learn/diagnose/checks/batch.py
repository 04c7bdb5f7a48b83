"""Each sentence of a batch gets the answer it gets by itself."""

from torch import Tensor

from glassformer.learn.diagnose.report import Report
from glassformer.learn.diagnose.subject import Subject, first_line


def neighbours(subject: Subject, report: Report) -> None:
    """Another neighbour, another order, no neighbour: the answer stays."""
    if subject.square:
        report.skip("neighbours in the batch", "the model runs only where batch size and both lengths are equal")
        return
    src, trg = subject.batch(10)
    base = subject.scores(src, trg)
    other_src, other_trg = subject.batch(11)
    exchanged_src, exchanged_trg = src.clone(), trg.clone()
    exchanged_src[1:], exchanged_trg[1:] = other_src[1:], other_trg[1:]
    move = subject.move(base[0], subject.scores(exchanged_src, exchanged_trg)[0])
    if move >= subject.exact.moved:
        report.found(
            "batch-mixes",
            f"the sentences 1 and 2 of the batch were exchanged for others: the scores of sentence 0 moved by "
            f"{move * subject.scale:.3g}; they must not move.",
        )
        return
    turned = [1, 2, 0]
    move = subject.move(base[turned], subject.scores(src[turned], trg[turned]))
    if move >= subject.exact.moved:
        report.found(
            "company-changes-answers",
            f"the same sentences in another order: their scores moved by {move * subject.scale:.3g}. Something is "
            "indexed by the sentence's place in the batch.",
        )
        return
    try:
        alone = subject.scores(src[1:2], trg[1:2])
    except Exception as error:
        report.found(
            "batch-of-one",
            f"a batch of 3 sentences runs, one of 1 raises {type(error).__name__}: {first_line(error)}",
        )
        return
    move = subject.move(base[1:2], alone)
    if move >= subject.exact.moved:
        report.found(
            "company-changes-answers",
            f"sentence 1 alone, without its two neighbours of the same length: its scores moved by "
            f"{move * subject.scale:.3g}; they must not move.",
        )


def neighbours_of_other_lengths(subject: Subject, report: Report) -> None:
    """Sentences of 3, 4 and 5 words in one padded batch, each against itself without padding."""
    pad = subject.facts.src_pad_idx
    if pad is None or subject.equal_lengths:
        why = "no padding id is known" if pad is None else "source and target must be equally long"
        report.skip("neighbours of other lengths", why)
        return
    if report.has("padding-leak-source", "mask-polarity", "wrong-pad-id", "batch-mixes", "company-changes-answers"):
        report.skip("neighbours of other lengths", "padding or neighbours change the answer already")
        return
    src, trg = subject.batch(12)
    lengths = [3, 4, src.size(1)]
    together = subject.scores(with_padding(src, lengths, pad), trg)
    for row, length in enumerate(lengths):
        alone = subject.scores(src[:, :length], trg)
        move = subject.move(together[row], alone[row])
        if move >= subject.exact.moved:
            report.found(
                "company-changes-answers",
                f"sentences of {lengths} words in one padded batch: the scores of the one of {length} words moved by "
                f"{move * subject.scale:.3g} against the same sentence among others of its length; they must not move.",
            )
            return


def with_padding(tokens: Tensor, lengths: list[int], pad: int) -> Tensor:
    padded = tokens.clone()
    for row, length in enumerate(lengths):
        padded[row, length:] = pad
    return padded
