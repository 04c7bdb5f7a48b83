"""How the learning rate moves. Every schedule climbs in a straight line for `warmup` steps, w, to its peak, p."""

import math

from glassformer.train.config import TrainingConfig


def noam(step: int, factor: float, warmup: int, embed_size: int) -> float:
    """factor x e^-0.5 x min(step^-0.5, step x w^-1.5): equation 3 of "Attention Is All You Need", which has factor 1.

    The peak, at step w, is factor / sqrt(e x w). The paper's updates hold about 25,000 target tokens.
    """
    return inverse_sqrt(step, factor / math.sqrt(embed_size * max(1, warmup)), warmup)


def inverse_sqrt(step: int, peak: float, warmup: int) -> float:
    """p x min(step / w, sqrt(w / step)): noam's curve with its peak named; fairseq's choice for translation."""
    return peak * min(climb(step, warmup), math.sqrt(max(1, warmup) / step))


def cosine(step: int, peak: float, warmup: int, progress: float) -> float:
    """p x min(1, step / w) x (1 + cos(pi x progress)) / 2: Loshchilov & Hutter 2017, one period without restart."""
    return peak * climb(step, warmup) * (1 + math.cos(math.pi * progress)) / 2


def linear(step: int, peak: float, warmup: int, progress: float) -> float:
    """p x min(1, step / w) x (1 - progress): down to 0 in a straight line, as in Devlin et al. 2019 (BERT)."""
    return peak * climb(step, warmup) * (1 - progress)


def constant(step: int, peak: float, warmup: int) -> float:
    """p x min(1, step / w)."""
    return peak * climb(step, warmup)


def climb(step: int, warmup: int) -> float:
    """The warm-up: step / w until it is 1. Early gradients of Adam are too noisy for a full step (Liu et al. 2020)."""
    return min(1.0, step / max(1, warmup))


def learning_rate(config: TrainingConfig, step: int, progress: float, embed_size: int) -> float:
    """The rate of update `step` (1, 2, ...); `progress` is the part of the whole run done before it, 0 to 1."""
    peak, warmup = config.learning_rate, config.warmup_steps
    match config.schedule:
        case "noam":
            return noam(step, peak, warmup, embed_size)
        case "inverse_sqrt":
            return inverse_sqrt(step, peak, warmup)
        case "cosine":
            return cosine(step, peak, warmup, progress)
        case "linear":
            return linear(step, peak, warmup, progress)
        case "constant":
            return constant(step, peak, warmup)
