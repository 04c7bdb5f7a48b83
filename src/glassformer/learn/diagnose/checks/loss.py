"""A loss function of the user's, read by its gradient: which label each position is asked for, and which are counted.

For a cross-entropy the gradient at one position is w (softmax(z) - y): so scores of our own, put in place of the
model's, show the weight w and the label's distribution y, whatever the code looks like.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from glassformer.learn.diagnose.report import Report
from glassformer.learn.diagnose.subject import Subject, first_line

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


def examples(subject: Subject) -> tuple[Tensor, Tensor, int]:
    """Sources, and targets start ... end padding of three lengths; and the id that ends them."""
    src, trg = subject.batch(70)
    facts = subject.facts
    words = subject.words("trg")
    end = facts.end_idx if facts.end_idx is not None else next(w for w in reversed(words) if w not in trg[:, :-1])
    if facts.start_idx is not None:
        trg[:, 0] = facts.start_idx
    for row in range(trg.size(0)):
        last = trg.size(1) - 1 - row
        trg[row, last] = end
        if facts.trg_pad_idx is not None:
            trg[row, last + 1 :] = facts.trg_pad_idx
    return src, trg, end


def gradient_of(subject: Subject, loss: Loss, src: Tensor, trg: Tensor) -> tuple[Tensor, Tensor, Tensor] | str:
    """(scores, gradient, decoder input), each (n, t, ...), of one call of the loss; or why there is none."""
    generator = torch.Generator().manual_seed(71)
    calls: list[tuple[Tensor, Tensor]] = []
    first = subject.form.batch_first
    normal = subject.scores(src, trg)
    log_probabilities = bool((normal.exp().sum(-1) - 1).abs().amax() < 1e-5)

    def replace(module: nn.Module, inputs: Any, kwargs: Any, output: Any) -> Any:
        ids = [x for x in (*inputs, *kwargs.values()) if isinstance(x, Tensor) and not x.is_floating_point()]
        read = next((x for x in ids[1:] if x.dim() == 2 and src.size(0) in x.shape), None)
        if not isinstance(output, Tensor) or output.dim() != 3 or read is None:
            return None
        leaf = (torch.randn(output.shape, generator=generator, dtype=torch.float64) * 0.3).to(output).requires_grad_()
        calls.append((leaf, read if first else read.T))
        return leaf.log_softmax(-1) if log_probabilities else leaf

    handle = subject.model.register_forward_hook(replace, with_kwargs=True)
    try:
        with torch.enable_grad():
            value = loss(subject.model, *((src, trg) if first else (src.T, trg.T)))
            if len(calls) != 1:
                return "it does not call model(src, trg) exactly once with a tensor of scores as answer"
            found: tuple[Tensor | None, ...] = torch.autograd.grad(value, [calls[0][0]], allow_unused=True)
    except Exception as error:
        return f"it raised {type(error).__name__}: {first_line(error)}"
    finally:
        handle.remove()
    leaf, read = calls[0]
    gradient = found[0]
    if gradient is None:
        return "its value does not depend on the scores"
    return (leaf.detach(), gradient, read) if first else (leaf.detach().transpose(0, 1), gradient.transpose(0, 1), read)


def examine_loss(subject: Subject, report: Report, loss: Loss) -> None:
    """The shift, the padding, the end, the smoothing, and whether it is a cross-entropy at all."""
    src, trg, end = examples(subject)
    outcome = gradient_of(subject, loss, src, trg)
    if isinstance(outcome, str):
        report.skip("loss", outcome)
        return
    scores, gradient, read = outcome
    shown = read[0].tolist(), trg[0].tolist()
    counted = gradient.abs().amax(dim=-1) > 1e-12 * gradient.abs().amax()
    labels = gradient.argmin(dim=-1)
    begin = next((m for m in (0, 1) if torch.equal(read, trg[:, m : m + read.size(1)])), None)
    if begin is None or read.size(1) != scores.size(1):
        report.skip("loss", "what the decoder reads is no slice of the target")
        return
    shift = common_shift(trg, labels, counted, begin)
    if shift is None:
        report.skip("loss", "its gradient names no label for each position: it is no cross-entropy that is known here")
        return
    if shift != 1:
        asked = labels[0, : int(counted[0].sum())].tolist()
        report.found(
            "target-not-shifted",
            f"for the target {shown[1]} the decoder reads {shown[0]} and is asked for {asked}: position i is asked for "
            f"the word {'it reads' if shift == 0 else f'{shift} after the one it reads'}; asked is the next.",
        )
    asked_ids = labels[counted]
    pad = subject.facts.trg_pad_idx
    if pad is not None and (asked_ids == pad).any():
        report.found(
            "loss-counts-padding",
            f"{int((asked_ids == pad).sum())} of {len(asked_ids)} counted labels are padding ({pad}).",
        )
    if not (asked_ids == end).any():
        report.found("loss-skips-end", f"of {len(asked_ids)} counted labels none is the end of its target ({end}).")
    smoothing(report, scores[counted], gradient[counted], asked_ids, pad)


def common_shift(trg: Tensor, labels: Tensor, counted: Tensor, begin: int) -> int | None:
    """How many tokens after the one it reads each position is asked for; None where no number fits all."""
    t = trg.size(1)
    for shift in (1, 0, 2, -1):
        places = [(n, i) for n, i in counted.nonzero().tolist() if 0 <= i + begin + shift < t]
        if places and all(int(labels[n, i]) == int(trg[n, i + begin + shift]) for n, i in places):
            return shift
    return None


def smoothing(report: Report, scores: Tensor, gradient: Tensor, labels: Tensor, pad: int | None) -> None:
    """Fit w and the mass on a word that is not the label: gradient = w softmax(z) - w c."""
    softmax = scores.softmax(dim=-1)
    v = scores.size(-1)
    row = 0
    label = int(labels[row])
    rest = [i for i in range(v) if i not in (label, pad)]
    fit = torch.stack([softmax[row, rest], -torch.ones(len(rest)).to(softmax)], dim=1)
    solved = torch.linalg.lstsq(fit.double(), gradient[row, rest, None].double()).solution
    weight, mass = solved[0].item(), (solved[1] / solved[0]).item()
    residual = (fit.double() @ solved - gradient[row, rest, None]).abs().amax() / gradient[row].abs().amax()
    if residual > 1e-4 or weight <= 0:
        report.found(
            "loss-formula",
            f"at one position the gradient differs from w (softmax(scores) - label) by "
            f"{100 * residual.item():.1g} % of its size, with the best w: a second softmax, or another loss.",
        )
        return
    if mass > 1e-4:
        right = (softmax[row, label] - gradient[row, label] / weight).item()
        on_pad = "" if pad is None else f", {(softmax[row, pad] - gradient[row, pad] / weight).item():.4g} on padding"
        report.note(
            "label-smoothing",
            f"labels are smoothed: {right:.4g} on the right word, {mass:.4g} on each other one{on_pad}, of {v}.",
        )
