"""07  Rotary positions                                                  RoFormer, section 3.2.2 · 25 minutes · 3 of 5

Instead of adding a position to the words, turn the queries and the keys. Each pair of neighbouring channels is a point
in the plane, turned by an angle that grows with the position. The score of a query and a key, turned both, then depends
on how far they stand apart and on nothing else. Values are not turned. The 2017 model does not have this; most of its
successors do.

    pair i of a token at position p, i = 0, 1, ..., d/2 - 1, channels 2i and 2i + 1, is turned by

        angle = p / base^(2i / d)

        out[2i]     = x[2i] cos(angle) - x[2i + 1] sin(angle)
        out[2i + 1] = x[2i] sin(angle) + x[2i + 1] cos(angle)

Worked example, d = 4, base = 100, position 1: the angles are 1 and 1 / 100^(2/4) = 0.1.

    x  [1, 0, 1, 0]     answer  [cos 1, sin 1, cos 0.1, sin 0.1] = [0.540, 0.841, 0.995, 0.100]

Letters: n sentences, t positions, h heads, d channels of a head (an even number). The positions are given, as they need
not be 0, 1, 2, ...: with a cache, the next token alone may come with position 17.
"""

from jaxtyping import Float, Int
from torch import Tensor


def rotate(x: Float[Tensor, "n t h d"], positions: Int[Tensor, "t"], base: float) -> Float[Tensor, "n t h d"]:
    """Every pair of channels (2i, 2i + 1) turned by positions / base^(2i / d), alike in all sentences and heads."""
    raise NotImplementedError
