"""Padding means nothing: not its number, not its vector; and what is hidden is the padding, not the words."""

import torch
from torch import Tensor

from glassformer.learn.diagnose.borrow import changed
from glassformer.learn.diagnose.report import Report
from glassformer.learn.diagnose.subject import PADS, Subject
from glassformer.learn.diagnose.trace import first_moved, memory

FEW = 64  # ids: below, every id is tried as padding


def hidden_source_ids(subject: Subject) -> list[int]:
    """The ids that change nothing when they are put behind a source: what the model takes for padding."""
    src, trg = subject.batch(13)
    base = subject.scores(src, trg)
    facts = subject.facts
    known = (facts.src_pad_idx, facts.trg_pad_idx, facts.start_idx, facts.end_idx)
    few = range(subject.src_vocab) if subject.src_vocab <= FEW else [0, 1, 2, 3, subject.src_vocab - 1]
    ids = sorted({*few, *(i for i in known if i is not None and i < subject.src_vocab)})
    hidden = [
        i for i in ids if subject.move(base, subject.scores(subject.padded(src, i, 1), trg)) <= tolerance(subject)
    ]
    return hidden if len(hidden) <= 2 < len(ids) else []


def tolerance(subject: Subject) -> float:
    """Other lengths are other sums: equal up to rounding."""
    return 100 * subject.exact.still


def source_padding(subject: Subject, report: Report) -> None:
    """A source with paddings behind it gets the scores it gets without."""
    pad = subject.facts.src_pad_idx
    if pad is None or subject.equal_lengths:
        why = (
            "no padding id of the source is known: say --src-pad-idx N, or Adapter(src_pad_idx=N)"
            if pad is None
            else "the model runs only where source and target are equally long"
        )
        report.skip("padding of the source", why)
        return
    src, trg = subject.batch(14)
    padded = subject.padded(src, pad)
    bare, filled = subject.scores(src, trg), subject.scores(padded, trg)
    move = subject.move(bare, filled)
    if move < subject.exact.moved:
        return
    size = "to NaN" if move == float("inf") else f"by {move * subject.scale:.3g}"
    seen = f"{PADS} paddings ({pad}) were put behind a source of {src.size(1)} words: the scores moved {size}"
    if words_are_invisible(subject, padded, trg):
        report.found("mask-polarity", f"{seen}, while exchanging all its words moves nothing: the words are hidden.")
        return
    hidden = hidden_source_ids(subject)
    if hidden:
        listed = ", ".join(map(str, hidden))
        report.found(
            "wrong-pad-id", f"{seen}; they must not move. Behind the same source, id {listed} changes nothing."
        )
        return
    if words_do_not_meet(subject, src, padded, trg):
        report.found(
            "mask-polarity",
            f"{seen}. In the encoder a word of the padded source reacts to the padding and to no other word: its mask "
            "hides the words.",
        )
        return
    begins = first_moved(subject, (src, trg), (padded, trg), src.size(1))
    report.found("padding-leak-source", f"{seen}; they must not move.{begins}")


def words_are_invisible(subject: Subject, padded: Tensor, trg: Tensor) -> bool:
    """Whether other words before the same paddings get the same answer."""
    words = subject.src_len
    other = padded.clone()
    other[:, :words] = subject.sentences("src", words, seed=15)
    return subject.move(subject.scores(padded, trg), subject.scores(other, trg)) <= subject.exact.still


def words_do_not_meet(subject: Subject, src: Tensor, padded: Tensor, trg: Tensor) -> bool:
    """Whether a word's row of the memory reacts to padding and to no other word."""
    other = padded.clone()
    other[:, 1] = subject.sentences("src", padded.size(1), seed=18)[:, 1]
    bare, one, two = (memory(subject, tokens, trg) for tokens in (src, padded, other))
    if bare is None or one is None or two is None or src.size(1) > bare.size(1):
        return False
    rows = [0, *range(2, src.size(1))]
    meets = not torch.allclose(one[:, rows], two[:, rows], rtol=1e-9, atol=1e-12)
    reacts = not torch.allclose(one[:, rows], bare[:, rows], rtol=1e-6, atol=1e-9)
    return reacts and not meets


def target_padding(subject: Subject, report: Report) -> None:
    """Padding behind the target changes nothing before it; padding inside it is hidden, or there is no such mask."""
    pad = subject.facts.trg_pad_idx
    if pad is None or subject.equal_lengths:
        why = (
            "the target has no padding id, or none that is known (Adapter(trg_pad_idx=N))"
            if pad is None
            else "the model runs only where source and target are equally long"
        )
        report.skip("padding of the target", why)
        return
    src, trg = subject.batch(16)
    padded = subject.padded(trg, pad)
    base = subject.scores(src, trg)
    move = subject.move(base, subject.scores(src, padded)[:, : base.size(1)])
    if move >= subject.exact.moved and not report.has("future-leak", "decoding-differs"):
        size = "to NaN" if move == float("inf") else f"by {move * subject.scale:.3g}"
        report.found(
            "padding-leak-target",
            f"{PADS} paddings ({pad}) were put behind a target of {trg.size(1)} tokens: the scores before them moved "
            f"{size}; they must not move.{first_moved(subject, (src, trg), (src, padded), trg.size(1))}",
        )
        return
    padding_inside(subject, report, pad)


HOLE = 2  # where padding is put inside a target


def shows(subject: Subject, src: Tensor, trg: Tensor, token: int) -> bool | None:
    """Whether later scores depend on the vector of this token, put inside the target; None: cannot be said."""
    table = subject.tables["trg"]
    holed = trg.clone()
    holed[:, HOLE] = token
    others = [column for column in range(subject.scores(src, holed).size(-1)) if column != token]

    def later() -> Tensor:
        rows = subject.scores(src, holed)[:, HOLE + 1 :][..., others]
        return rows - rows.mean(dim=-1, keepdim=True)  # a tied table moves its own column, and with it log-softmax

    before = later()
    with changed(table, token):
        move = subject.move(before, later())
    return True if move >= subject.exact.moved else False if move <= tolerance(subject) else None


def padding_inside(subject: Subject, report: Report, pad: int) -> None:
    """Tells a missing mask, which right padding makes harmless, from one on the query axis."""
    if "trg" not in subject.tables or report.has("future-leak"):
        why = "the decoder sees the future" if report.has("future-leak") else "no table of target words was found"
        report.skip("padding inside the target", why)
        return
    src, trg = subject.batch(17)
    seen = shows(subject, src, trg, pad)
    row_nan, row_reacts_back, row_reacts_ahead = row_of_padding(subject, src, trg, pad)
    if row_nan:
        report.found(
            "empty-row-nan", f"the row of a padding ({pad}) at position {HOLE} of the target has NaN as scores."
        )
    if not seen:
        return
    facts = subject.facts
    word = subject.words("trg")[-1]
    if not row_nan and shows(subject, src, trg, word) is False:
        report.found(
            "mask-polarity",
            f"inside a target, padding ({pad}) is seen by later positions, and a word ({word}) is hidden from them.",
        )
        return
    rest = {facts.src_pad_idx, 0, 1, 2, 3} - {pad, None, facts.start_idx, facts.end_idx}
    hidden = [i for i in sorted(j for j in rest if j is not None) if shows(subject, src, trg, i) is False]
    if hidden and not row_nan:
        report.found(
            "wrong-pad-id",
            f"inside a target, padding ({pad}) is seen by later positions, and id {hidden[0]} is hidden from them.",
        )
    elif row_nan or row_reacts_ahead or not row_reacts_back:
        what = "sees later tokens" if row_reacts_ahead else "sees no other token"
        report.found(
            "pad-mask-on-query-axis",
            f"a padding ({pad}) at position {HOLE} of the target is seen by later positions, and its own row "
            f"{'is NaN' if row_nan else what}: the mask is at work on the row, not on the column.",
        )
    else:
        report.note(
            "no-target-padding-mask",
            "padding inside the target is seen by later positions: there is no padding mask on the target. Right "
            "padding is in the future of every word, so nothing is lost; left padding would need one.",
        )


def row_of_padding(subject: Subject, src: Tensor, trg: Tensor, pad: int) -> tuple[bool, bool, bool]:
    """Of the row of a padding inside the target: is it NaN, does it react to an earlier token, to a later one."""
    holed = trg.clone()
    holed[:, HOLE] = pad
    base = subject.scores(src, holed)[0, HOLE]
    moves = []
    for place in (0, HOLE + 1):
        other = holed.clone()
        other[0, place] = subject.other_word("trg", int(holed[0, place]))
        moves.append(subject.move(base, subject.scores(src, other)[0, HOLE]))
    return bool(base.isnan().any()), moves[0] > tolerance(subject), moves[1] >= subject.exact.moved
