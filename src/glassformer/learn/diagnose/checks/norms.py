"""The formula of layer norms that are not torch's own."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from glassformer.learn.diagnose.report import Report
from glassformer.learn.diagnose.subject import DOUBLE, Subject

LIBRARIES = ("torch.", "transformers.")


def is_written(module: nn.Module) -> bool:
    """A module with a gain and a bias of one size, or a gain alone, and nothing else: a norm somebody wrote."""
    if type(module).__module__.startswith(LIBRARIES) or list(module.children()):
        return False
    own = list(module.parameters(recurse=False))
    return 1 <= len(own) <= 2 and all(p.squeeze().dim() == 1 for p in own) and len({p.numel() for p in own}) == 1


def normalised(x: Tensor, eps: float, *, unbiased: bool, outside: bool) -> Tensor:
    """(x - mean) / deviation, with eps under the root or beside it."""
    variance = x.var(dim=-1, keepdim=True, unbiased=unbiased)
    deviation = variance.sqrt() + eps if outside else (variance + eps).sqrt()
    return (x - x.mean(dim=-1, keepdim=True)) / deviation


FORMULAS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "": lambda x, eps: normalised(x, eps, unbiased=False, outside=False),
    "variance over e - 1 instead of e": lambda x, eps: normalised(x, eps, unbiased=True, outside=False),
    "eps beside the root, not under it": lambda x, eps: normalised(x, eps, unbiased=False, outside=True),
    "variance over e - 1 and eps beside the root": lambda x, eps: normalised(x, eps, unbiased=True, outside=True),
    "no eps": lambda x, eps: normalised(x, 0.0, unbiased=False, outside=False),
    "variance in place of its root": lambda x, eps: (
        (x - x.mean(dim=-1, keepdim=True)) / (x.var(dim=-1, keepdim=True, unbiased=False) + eps)
    ),
}
ROOT_MEAN_SQUARE = "rms"


def formulas(subject: Subject, report: Report) -> None:
    """Feed each norm rows of ordinary and of tiny spread, which tell the places of eps apart."""
    written = [(name, m) for name, m in subject.model.named_modules() if is_written(m)]
    wrong: dict[str, list[str]] = {}
    unread, rms = [], 0
    for name, module in written:
        matched = match(module, *((1e-9, 1e-11) if subject.exact == DOUBLE else (1e-4, 1e-5)))
        if matched is None:
            unread.append(name)
        elif matched == ROOT_MEAN_SQUARE:
            rms += 1
        elif matched:
            wrong.setdefault(matched, []).append(name)
    for formula, names in wrong.items():
        report.found(
            "layer-norm-formula",
            f"{len(names)} of {len(written)} layer norms, first model.{names[0]}, compute in every digit: {formula}.",
        )
    if rms:
        report.note("rms-norm", f"{rms} norms are root-mean-square norms, which subtract no mean.")
    if unread:
        report.skip("formulas of the norms", f"{len(unread)} modules with a gain and a bias compute no known norm")


def match(module: nn.Module, rtol: float, atol: float) -> str | None:
    """The formula a norm computes: '' for the right one, None for none of them."""
    own = list(module.parameters(recurse=False))
    width, like = own[0].numel(), own[0]
    generator = torch.Generator().manual_seed(60)
    x = torch.randn(6, 4, width, generator=generator, dtype=torch.float64) * 2 + 0.7
    x[0] *= 1e-3
    x = x.to(like)
    before = [p.data.clone() for p in own]
    try:
        with torch.no_grad():
            for p in own:
                p.data = torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p) + 2
            out = module(x)
            affine = [p.detach().flatten().clone() for p in own]
    except Exception:
        return None
    finally:
        for p, data in zip(own, before, strict=True):
            p.data = data
    if not isinstance(out, Tensor) or out.shape != x.shape:
        return None
    epsilons = [v for v in vars(module).values() if isinstance(v, float) and 0 < v < 0.1]
    for eps in dict.fromkeys([*epsilons, 1e-6, 1e-5, 1e-12, 1e-8]):
        square = x / (x.square().mean(dim=-1, keepdim=True) + eps).sqrt()
        for name, core in [*((n, f(x, eps)) for n, f in FORMULAS.items()), (ROOT_MEAN_SQUARE, square)]:
            for gain, bias in ((affine[0], affine[-1]), (affine[-1], affine[0])):
                shifted = core * gain + (bias if len(affine) == 2 else 0)
                if torch.allclose(out, shifted, rtol=rtol, atol=atol):
                    return name
    return None
