"""01  Softmax                                                    section 3.2.1, within equation 1 · 15 minutes · 1 of 5

Turns any numbers into weights: none is negative, together they are 1, and a larger number gets a larger weight. In
attention the numbers are scores, and each query divides its attention among the keys in this way.

    softmax(x)_i = e^(x_i - max x) / sum over j of e^(x_j - max x)

Taking the largest number away first changes nothing on paper. On a computer it must be there: e^1000 is infinity.

Worked example, x = [1, 2, 3]:

    minus the largest  [-2, -1, 0]   e to the power of each  [0.135, 0.368, 1]   their sum  1.503
    answer  [0.090, 0.245, 0.665]

x has any number of axes, and `dim` says which of them is divided up: for x (2, 3), softmax(x, dim=1) answers two rows
of three weights, and softmax(x, dim=0) three columns of two. Write it with exp, max and sum; calling torch's own
softmax would be right, and would teach nothing.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def softmax(x: Float[Tensor, "..."], dim: int) -> Float[Tensor, "..."]:
    """Positive numbers that add up to 1 along `dim`, in the order of x; for numbers of any size.

    `dim` may be negative: -1 is the last axis. x stays as it is.
    """
    raise NotImplementedError
