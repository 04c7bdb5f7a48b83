"""04  Masked attention                                                              section 3.2.3 · 25 minutes · 3 of 5

The attention of exercise 02, over those keys that a mask allows. True = may attend.

    softmax(Q K^T / sqrt(d), with -infinity where the mask is False) V

e^-infinity is 0, so a hidden key gets the weight 0, and the weights of the others add up to 1 as before. A finite
number that is low enough does the same.

Worked example, one sentence, one head, one query, three keys, the last one hidden:

    scores   [1, 0, 1]         mask  [True, True, False]
    filled   [1, 0, -inf]      softmax  [0.731, 0.269, 0]
    values   [10, 20, 9000]    answer  0.731 x 10 + 0.269 x 20 + 0 x 9000 = 12.69

First masked_attention, which is asked only queries that see a key. Then safe_masked_attention, for the query that sees
none: a row of padding on the left, an empty sentence. Minus infinity everywhere has no softmax (0/0), and a low number
everywhere has a wrong one (the plain average of what should be hidden). Such a query shall get zeros, without NaN in
any gradient, and the function shall work in float16 too, where the largest number is 65504.

Letters: n sentences, q query positions, k key positions, h heads, d channels of a key, m channels of a value. The mask
is n h q k, and an axis of size 1 stands for all along it: (n, 1, 1, k) is a padding mask, (1, 1, q, k) a look-ahead
mask.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, einsum


def masked_attention(
    queries: Float[Tensor, "n q h d"],
    keys: Float[Tensor, "n k h d"],
    values: Float[Tensor, "n k h m"],
    mask: Bool[Tensor, "#n #h #q k"],
) -> Float[Tensor, "n q h m"]:
    """softmax(Q K^T / sqrt(d)) V over the keys that the mask allows. The arguments stay as they are."""
    raise NotImplementedError


def safe_masked_attention(
    queries: Float[Tensor, "n q h d"],
    keys: Float[Tensor, "n k h d"],
    values: Float[Tensor, "n k h m"],
    mask: Bool[Tensor, "#n #h #q k"],
) -> Float[Tensor, "n q h m"]:
    """The same, and zeros for a query that no key is allowed to; in float16 too."""
    raise NotImplementedError
