"""What the decoder sees of the target: all that came before, nothing that comes after."""

import torch
from torch import Tensor

from glassformer.learn.diagnose.report import Report
from glassformer.learn.diagnose.subject import Subject
from glassformer.learn.diagnose.trace import first_moved


def sizes(subject: Subject, report: Report) -> None:
    """Batch size and lengths may differ from each other."""
    if subject.square:
        report.found(
            "wrong-mask-shape",
            f"it runs where batch size and both lengths are {subject.trg_len}; for n=3, s=5, t=7: {subject.unequal}.",
        )
    elif subject.equal_lengths:
        report.found(
            "source-mask-in-cross-attention",
            f"it runs where source and target both have {subject.trg_len} tokens; for s=5, t=7: {subject.unequal}.",
        )


def exchanges(subject: Subject, seed: int) -> tuple[Tensor, list[tuple[int, int]]]:
    """moves[i, j]: how far the scores at target position i move when token j is exchanged (in sentence 0), and how."""
    src, trg = subject.batch(seed)
    base = subject.scores(src, trg)
    moves = torch.zeros(base.size(1), trg.size(1))
    words: list[tuple[int, int]] = []
    for j in range(trg.size(1)):
        word = int(trg[0, j])
        instead = subject.other_word("trg", word, step=2 + j)
        words.append((word, instead))
        other = trg.clone()
        other[0, j] = instead
        scores = subject.scores(src, other)
        for i in range(base.size(1)):
            moves[i, j] = subject.move(base[0, i], scores[0, i])
    return moves, words


def future_and_history(subject: Subject, report: Report) -> None:
    """Position i may depend on tokens 0 to i and on nothing later."""
    moves, words = exchanges(subject, seed=1)
    again, _ = exchanges(subject, seed=2)
    t = moves.size(0)
    ahead = [(i, j) for i in range(t) for j in range(i + 1, moves.size(1)) if moves[i, j] >= subject.exact.moved]
    past = [(i, j) for i in range(t) for j in range(i)]
    unseen = [(i, j) for i, j in past if max(moves[i, j], again[i, j]) <= subject.exact.still]
    if ahead:
        i, j = max(ahead, key=lambda place: (place[1] - place[0], -place[0]))
        near_i, near_j = min(ahead, key=lambda place: (place[1] - place[0], -moves[place]))
        reach = max(j - i for i, j in ahead)
        everything = len(ahead) == t * moves.size(1) - t * (t + 1) // 2
        far = (
            "Every position reacts to every later token."
            if everything
            else f"The farthest reach is {reach} ahead, position {i} to token {j}."
        )
        old, new = words[near_j]
        src, trg = subject.batch(1)
        other = trg.clone()
        other[0, near_j] = new
        begins = first_moved(subject, (src, trg), (src, other), near_j)
        report.found(
            "future-leak",
            f"token {near_j} of the target was exchanged from {old} to {new}: the scores at position {near_i} moved by "
            f"{moves[near_i, near_j] * subject.scale:.3g}; they must not move. {far}{begins}",
        )
        if past and len(unseen) == len(past):
            report.found(
                "look-ahead-inverted",
                f"of {len(past)} pairs (position, earlier token) none reacts, of {t * (t - 1) // 2} pairs "
                f"(position, later token) {len(ahead)} do.",
            )
            return
    if unseen:
        i, j = unseen[0]
        old, new = words[j]
        how = "no pair" if len(unseen) == len(past) else f"{len(past) - len(unseen)} of {len(past)} pairs"
        report.found(
            "history-unseen",
            f"token {j} of the target was exchanged from {old} to {new}: the scores at position {i} did not move; they "
            f"must. Of all pairs (position, earlier token) {how} react.",
        )


def prefixes(subject: Subject, report: Report) -> None:
    """A target cut short gets the scores it gets inside the longer one: that is what decoding without a cache does."""
    if report.has("future-leak"):
        report.skip("prefixes of the target", "the decoder sees the future, so that a prefix must get other scores")
        return
    if subject.equal_lengths:
        report.skip("prefixes of the target", "the model runs only where source and target are equally long")
        return
    src, trg = subject.batch(3)
    whole = subject.scores(src, trg)
    for length in range(2 if whole.size(1) < trg.size(1) else 1, trg.size(1)):
        cut = subject.scores(src, trg[:, :length])
        move = subject.move(cut, whole[:, : cut.size(1)])
        if move >= subject.exact.moved:
            report.found(
                "decoding-differs",
                f"the target cut after {length} of {trg.size(1)} tokens: the scores of its positions moved by "
                f"{move * subject.scale:.3g} against one pass over all; they must not move."
                f"{first_moved(subject, (src, trg), (src, trg[:, :length]), length)}",
            )
            return
