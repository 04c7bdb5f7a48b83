"""03  Masks                                                                         section 3.2.3 · 20 minutes · 2 of 5

Who may look at whom. A mask is a table: a row for each position that asks, a column for each position that answers,
True where the row may see the column. True = may attend, as in scaled_dot_product_attention; in nn.MultiheadAttention
it means the opposite. The axes are n h q k, and an axis along which nothing changes has the size 1.

The padding mask hides the columns of padding, which is there only to make all sentences of a batch equally long. The
look-ahead mask (others say causal) hides the columns after the row's own. The target's mask does both.

Worked example, the target `<s> I love </s> <pad>` in training. The decoder reads row by row and is asked at each row
for the next word, all rows at once, which is why the later columns must be hidden: they hold the answers.

              <s>  I    love </s> <pad>
      <s>      x   .    .    .    .      sees <s>               asked for I
      I        x   x    .    .    .      sees <s> I             asked for love
      love     x   x    x    .    .      sees <s> I love        asked for </s>
      </s>     x   x    x    x    .      sees <s> I love </s>   asked for nothing: the loss leaves padding out
      <pad>    x   x    x    x    .      sees <s> I love </s>   asked for nothing

Letters: n sentences, h heads, q query positions, k key positions, t target positions.
"""

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def padding_mask(tokens: Int[Tensor, "n k"], pad_idx: int) -> Bool[Tensor, "n 1 1 k"]:
    """Which positions may be attended to: the words, never the padding, which may stand on either side."""
    raise NotImplementedError


def look_ahead_mask(length: int) -> Bool[Tensor, "1 1 t t"]:
    """Row i, the one that asks, may see the columns 0 to i: itself and what came before it."""
    raise NotImplementedError


def target_mask(tokens: Int[Tensor, "n t"], pad_idx: int) -> Bool[Tensor, "n 1 t t"]:
    """What both masks allow. For a row of padding on the left that is nothing at all."""
    raise NotImplementedError
