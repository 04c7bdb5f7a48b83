"""D10  Write the test                                                                             30 minutes · 4 of 5

A model that you have never seen is to be accepted or not. It was trained well, its scores are good, and it may have a
fault that no score shows. Say what every right encoder-decoder does, whatever its weights, and ask for it.

    model(src, trg)    logits (n, t, v): what comes after each position of trg
    cached(src, trg)   the same logits, computed one target token at a time with a cache
    src (n, s)         sources, filled up with pad on the right
    trg (n, t)         targets from <s> on, filled up with pad on the right
    pad                the id that fills up

Numbers are float32. Right models may have been written by somebody else, and computed in another order.
"""

from collections.abc import Callable

from torch import Tensor

Logits = Callable[[Tensor, Tensor], Tensor]


def accepts(model: Logits, cached: Logits, src: Tensor, trg: Tensor, pad: int) -> bool:
    """True for a model that does what it should, False for one with a fault."""
    raise NotImplementedError
