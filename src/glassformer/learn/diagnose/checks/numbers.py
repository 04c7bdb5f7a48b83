"""Numbers that are no numbers, the first loss, and half precision."""

import math

import torch
from torch import Tensor, nn

from glassformer.learn.diagnose.borrow import borrowed
from glassformer.learn.diagnose.report import Report
from glassformer.learn.diagnose.subject import Subject, first_line


def broken(scores: Tensor) -> bool:
    """NaN, plus infinity, or a row without any number. Minus infinity in a column is a way to forbid an id."""
    return bool(scores.isnan().any() or (scores == math.inf).any() or (scores == -math.inf).all(dim=-1).any())


def finite(subject: Subject, report: Report) -> None:
    """Plain sentences get numbers as scores. Where they do not, nothing else can be asked."""
    src, trg = subject.batch(30)
    if not broken(subject.scores(src, trg)):
        return
    where = f"sources {tuple(src.shape)} and targets {tuple(trg.shape)} of ordinary words, without padding"
    pad = subject.facts.src_pad_idx
    if pad is not None and not subject.equal_lengths and not broken(subject.scores(subject.padded(src, pad), trg)):
        report.found(
            "mask-polarity",
            f"{where}: the scores are NaN; with paddings ({pad}) behind each source they are numbers. Without padding "
            "no key is left: the mask hides the words.",
        )
    else:
        report.found("nan-scores", f"{where}: {int(subject.scores(src, trg).isnan().sum())} scores are NaN.")


def row_without_words(subject: Subject, report: Report) -> None:
    """A source of padding alone must not touch the other sentences, nor the gradient they give."""
    pad = subject.facts.src_pad_idx
    if pad is None:
        report.skip("a source of padding alone", "no padding id of the source is known")
        return
    src, trg = subject.batch(31)
    empty = src.clone()
    empty[1] = pad
    try:
        scores = subject.scores(empty, trg)
    except Exception:  # refused, which is a good answer
        return
    others = [0, 2]
    if broken(scores[others]):
        report.found(
            "empty-row-nan", "sentence 1 of the batch is padding alone: sentences 0 and 2 get NaN; they must not move."
        )
        return
    if poisoned := poisoned_gradients(subject, empty, trg, others):
        report.found(
            "empty-row-nan",
            f"sentence 1 of the batch is padding alone; the loss of sentences 0 and 2 only gives NaN as gradient of "
            f"{len(poisoned)} parameters, first {poisoned[0]}.",
        )
    elif broken(scores[1]):
        report.note(
            "empty-row",
            "a source of padding alone gets NaN as its own scores; other sentences and their gradients do not. "
            "Glassformer refuses such a batch, and its attention answers 0 there.",
        )


def poisoned_gradients(subject: Subject, src: Tensor, trg: Tensor, rows: list[int]) -> list[str]:
    """Names of the parameters whose gradient is NaN."""
    named = [(name, p) for name, p in subject.model.named_parameters() if p.requires_grad]
    with torch.enable_grad():
        scores = subject.raw(src, trg)[rows]
        if not scores.requires_grad:
            return []
        gradients = torch.autograd.grad(scores.square().mean(), [p for _, p in named], allow_unused=True)
    return [name for (name, _), g in zip(named, gradients, strict=True) if g is not None and g.isnan().any()]


def gradients(subject: Subject, report: Report) -> None:
    """Every parameter that is to be learned reaches the scores."""
    named = [(name, p) for name, p in subject.model.named_parameters() if p.requires_grad]
    frozen = [name for name, p in subject.model.named_parameters() if not p.requires_grad]
    totals = [torch.zeros_like(p) for _, p in named]
    reached = [False] * len(named)
    for seed in (32, 33):
        src, trg = subject.batch(seed)
        with torch.enable_grad():
            scores = subject.raw(src, trg)
            goal = torch.randn(scores.shape, generator=torch.Generator().manual_seed(seed)).to(scores)
            loss = (scores.clamp_min(-1e4).log_softmax(dim=-1) * goal).sum()
            each = torch.autograd.grad(loss, [p for _, p in named], allow_unused=True)
        for index, gradient in enumerate(each):
            if gradient is not None:
                reached[index] = True
                totals[index] += gradient.abs()
    largest = max((total.max().item() for total in totals if total.numel()), default=0.0)
    dead = [
        (name, p)
        for (name, p), total, some in zip(named, totals, reached, strict=True)
        # A bias of the keys has no effect on a softmax, rightly: of vectors only the unused ones count.
        if not some or (p.dim() > 1 and total.max().item() <= 1e-13 * largest)
    ]
    if dead:
        listed = ", ".join(name for name, _ in dead[:4]) + (", ..." if len(dead) > 4 else "")
        report.found(
            "parameters-without-gradient",
            f"{len(dead)} of {len(named)} parameters ({sum(p.numel() for _, p in dead):,} numbers) get no gradient "
            f"from two random batches: {listed}.",
        )
    if frozen:
        report.note("frozen", f"{len(frozen)} parameters are frozen (requires_grad=False), first {frozen[0]}.")
    partly_dead(subject, report, named, totals)


def partly_dead(subject: Subject, report: Report, named: list[tuple[str, nn.Parameter]], totals: list[Tensor]) -> None:
    """Projections of an attention of which a part has no effect: the rest of a matrix that was meant to be whole."""
    from glassformer.learn.diagnose.checks.attention import ROLES, find

    whose = {
        id(getattr(part, role).weight): f"model.{part.name}"
        for part in find(subject.model)
        for role in ROLES
        if isinstance(getattr(getattr(part, role), "weight", None), Tensor)
    }
    for (name, parameter), total in zip(named, totals, strict=True):
        share = (total == 0).double().mean().item()
        if id(parameter) in whose and 0.1 < share < 1:
            report.found(
                "heads-share-projection",
                f"{100 * share:.0f} % of the numbers of {name} get no gradient from two random batches: heads "
                "do not use the whole matrix.",
            )
            return


def half_precision(subject: Subject, report: Report) -> None:
    """float16 and bfloat16 give numbers where double precision does."""
    src, trg = subject.batch(35)
    pad = subject.facts.src_pad_idx
    if pad is not None and not subject.equal_lengths:
        src = subject.padded(src, pad)
    for dtype in (torch.float16, torch.bfloat16):
        name = str(dtype).removeprefix("torch.")
        with borrowed(subject.model, dtype):
            try:
                scores = subject.scores(src, trg)
            except Exception as error:
                if "overflow" in str(error):
                    report.found("half-overflow", f"in {name} the model raises: {first_line(error)}")
                else:
                    report.skip(f"{name}", f"the model raised {type(error).__name__}: {first_line(error)}")
                continue
        if broken(scores):
            bad = int((~scores.isfinite()).sum())
            report.found(
                "half-overflow", f"in {name} {bad} of {scores.numel()} scores are NaN or infinite, in double none."
            )


def first_loss(subject: Subject, report: Report) -> None:
    """An untrained model's loss is near ln(v): where it is not, the reason is looked for."""
    src, trg = subject.batch(36)
    scores = subject.scores(src, trg)
    v = scores.size(-1)
    sums = scores.exp().sum(dim=-1)
    if ((scores >= 0).all() and (scores.sum(dim=-1) - 1).abs().amax() < 1e-5) and scores.amax() <= 1:
        smallest = math.log(v - 1 + math.e) - 1
        report.found(
            "softmax-in-model",
            f"each row of {v} scores is between 0 and 1 and sums to 1. Cross-entropy on them cannot fall below "
            f"ln({v} - 1 + e) - 1 = {smallest:.2f}; on logits it can reach 0.",
        )
        return
    if (sums - 1).abs().amax() < 1e-5:
        report.note(
            "log-probabilities", "the scores are log-probabilities: NLLLoss fits, and cross-entropy changes nothing."
        )
    labels = subject.sentences("trg", scores.size(1), 37).flatten()
    loss = nn.functional.cross_entropy(scores.flatten(0, 1), labels).item()
    table = subject.tables.get("trg")
    tied = table is not None and any(isinstance(m, nn.Linear) and m.weight is table for m in subject.model.modules())
    deviation = table.std().item() if table is not None else 0.0
    if tied and deviation > 0.4 and loss > 1.5 * math.log(v):
        report.found(
            "first-loss",
            f"on random labels the loss is {loss:.1f}, and ln({v}) is {math.log(v):.2f}. The target's embedding is the "
            f"output layer too, and its numbers have a standard deviation of {deviation:.2f}.",
        )
    elif loss > 2 * math.log(v) and loss < math.inf:
        report.note(
            "first-loss",
            f"on random labels the loss is {loss:.1f}, and ln({v}) is {math.log(v):.2f}: right for a trained model, "
            "too confident for a new one.",
        )
