"""15  The Noam learning rate, solved."""

import math


def noam(step: int, embed_size: int, warmup: int, factor: float) -> float:
    """factor / sqrt(e) x min(1 / sqrt(step), step / w^1.5); 0 at step 0."""
    if step == 0:
        return 0.0
    climbing = step / (warmup * math.sqrt(warmup))
    falling = 1 / math.sqrt(step)
    return factor / math.sqrt(embed_size) * min(falling, climbing)
