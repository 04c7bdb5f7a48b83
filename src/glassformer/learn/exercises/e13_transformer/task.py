"""13  The whole Transformer                                      figure 1, sections 3.1 and 3.4 · 30 minutes · 3 of 5

Everything so far, put together: two functions.

shift: each target position is asked for the token after it. So the decoder is given all tokens but the last, and asked
for all but the first. The padding at the end does no harm: where it is asked for, the loss does not count it.

    trg       <s>  I  love  you  </s>            1  5  6  7  2
    trg_in    <s>  I  love  you                  1  5  6  7
    asked      I  love  you  </s>                5  6  7  2

transformer: source -> word vectors times sqrt(e), plus waves -> encoder -> memory, under the source's padding mask.
Target, the same way -> decoder layers, each of which reads the finished memory, under the target mask (padding and
look-ahead). The logits are the decoder's answers times the target's word table, transposed: one table for both ends
of the decoder (section 3.4). Source and target have paddings of their own. No dropout here.

    logits = decoded W^T            W = weights.trg_words (v, e)

Letters: n sentences, s source positions, t target positions, i = t - 1 of them, e embed_size, v vocabulary.
The weights are described in glassformer/learn/weights.py; transformer_weights() there makes random ones.
"""

from e03_masks import padding_mask, target_mask  # yours; or from glassformer.learn.answers import padding_mask, ...
from e06_positions import embed, sinusoids
from e11_encoder import encoder
from e12_decoder_layer import decoder_layer
from jaxtyping import Float, Int
from torch import Tensor

from glassformer.learn.weights import TransformerWeights


def shift(trg: Int[Tensor, "n t"]) -> tuple[Int[Tensor, "n i"], Int[Tensor, "n i"]]:
    """What the decoder is given, and what it is asked for at each of these positions: the next token."""
    raise NotImplementedError


def transformer(
    src: Int[Tensor, "n s"],
    trg: Int[Tensor, "n t"],
    weights: TransformerWeights,
    heads: int,
    src_pad_idx: int,
    trg_pad_idx: int,
) -> Float[Tensor, "n t v"]:
    """Logits for the token after each target position. `trg` is what the decoder is given: it is shifted already."""
    raise NotImplementedError
