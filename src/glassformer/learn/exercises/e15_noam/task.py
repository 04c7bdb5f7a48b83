"""15  The Noam learning rate                                            section 5.3, equation 3 · 10 minutes · 1 of 5

Adam's first steps are guesses, and a post-norm Transformer does not survive large ones. So the learning rate climbs
from 0 in a straight line for w steps, and then falls with one over the square root of the step.

    factor / sqrt(e) x min(1 / sqrt(step), step / w^1.5)        (the paper has factor 1 and w = 4000)

Steps count from 1. At step 0, which some schedulers ask for before the first update, the line begins: 0.

Worked example, e = 4, w = 4, factor = 1:

    step 1   1/2 x min(1, 1/8)     = 0.0625
    step 4   1/2 x min(1/2, 4/8)   = 0.25       the peak, factor / sqrt(e x w)
    step 16  1/2 x min(1/4, 16/8)  = 0.125      half the peak at four times the warm-up

Letters: e embed_size, w warm-up steps.
"""


def noam(step: int, embed_size: int, warmup: int, factor: float) -> float:
    """The learning rate of update `step` (1, 2, ...); 0 at step 0."""
    raise NotImplementedError
