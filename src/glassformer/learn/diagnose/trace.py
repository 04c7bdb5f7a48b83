"""Where in a model two calls begin to differ: the outputs of its modules, in the order in which they are made."""

from typing import Any

import torch
from torch import Tensor, nn

from glassformer.learn.diagnose.subject import Subject

Pair = tuple[Tensor, Tensor]


def outputs(subject: Subject, src: Tensor, trg: Tensor) -> list[tuple[str, Tensor]]:
    """Each module's output tensor by its name, the innermost first, in the order of the computation."""
    seen: list[tuple[str, Tensor]] = []

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple | list) and output else output
            if isinstance(first, Tensor) and first.is_floating_point() and not first.is_nested:
                seen.append((name, first.detach().clone()))

        return hook

    handles = [m.register_forward_hook(keep(name)) for name, m in subject.model.named_modules() if name]
    try:
        subject.scores(src, trg)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def first_moved(subject: Subject, one: Pair, other: Pair, length: int) -> str:
    """A half sentence naming the first module whose output differs within the first `length` positions; may be ''."""
    try:
        before, after = outputs(subject, *one), outputs(subject, *other)
    except Exception:  # a trace is a help, never a reason to fail
        return ""
    if [name for name, _ in before] != [name for name, _ in after]:
        return ""
    for (name, a), (_, b) in zip(before, after, strict=True):
        axis = next((axis for axis in range(min(a.dim(), 2)) if a.dim() == b.dim() and a.size(axis) != b.size(axis)), 1)
        if a.dim() != b.dim() or a.dim() < 3 or min(a.size(axis), b.size(axis)) < length:
            continue
        x, y = a.narrow(axis, 0, length), b.narrow(axis, 0, length)
        if x.shape == y.shape and not torch.allclose(x, y, rtol=1e-7, atol=1e-9, equal_nan=True):
            return f" It begins in the output of model.{name}."
    return ""


def memory(subject: Subject, src: Tensor, trg: Tensor) -> Tensor | None:
    """What the encoder hands on, (n, s, e): the last output as long as the source; None where no module shows it."""
    n, s = src.shape
    rows = [out for _, out in outputs(subject, src, trg) if out.dim() == 3 and s in out.shape[:2]]
    if not rows or s == trg.size(1):
        return None
    last = rows[-1]
    return last if last.shape[:2] == (n, s) else last.transpose(0, 1) if last.shape[:2] == (s, n) else None
