"""Hidden quantities, read instead of guessed: what a score is multiplied by, and what that number is made of."""

import math
from collections.abc import Mapping

from torch import Tensor


def named_constant(value: float, sizes: Mapping[str, float]) -> str:
    """A number as a formula of the sizes where one fits to a part in a thousand: 0.0625 of d=16 is `1/d`."""
    forms = {"1": 1.0}
    for name, size in sizes.items():
        forms |= {
            f"1/sqrt({name})": size**-0.5,
            f"1/{name}": 1 / size,
            f"sqrt({name})": size**0.5,
            name: float(size),
            f"1/{name}^2": size**-2.0,
        }
    for form, worth in forms.items():
        if math.isclose(value, worth, rel_tol=1e-3):
            return form
    return ""


def temperature_sentence(found: float, sizes: Mapping[str, float], expected: str, worth: float) -> str | None:
    """What the scores are multiplied by, said beside what was expected; None where it is as expected."""
    if math.isclose(found, worth, rel_tol=1e-3):
        return None
    form = named_constant(found, sizes)
    is_form = f" = {form}" if form not in ("", f"{found:.4g}") else ""
    return f"your scores are multiplied by {found:.4g}{is_form}; expected {worth:.4g} = {expected}"


def temperature(weights: Tensor, scores: Tensor) -> float | None:
    """The factor c for which weights (..., q, k) = softmax(c x scores) over k, by regression of their logarithms.

    None where the weights are no softmax of these scores (less than 0.9999 of the variance explained).
    """
    if not bool((weights > 0).all()) or not bool(weights.isfinite().all()):
        return None
    logs = weights.log()
    logs = (logs - logs.mean(dim=-1, keepdim=True)).flatten()
    centred = (scores - scores.mean(dim=-1, keepdim=True)).flatten()
    factor = float(centred @ logs / (centred @ centred))
    rest = logs - factor * centred
    total = float(logs @ logs)
    if total < 1e-18:
        return 0.0
    return factor if float(rest @ rest) < 1e-4 * total else None
