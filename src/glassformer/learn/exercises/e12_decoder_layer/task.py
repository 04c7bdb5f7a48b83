"""12  Decoder layer                                                          section 3.1, right · 25 minutes · 3 of 5

Three parts instead of two. The words written so far look at each other, never ahead; then each of them asks the
memory, which is what the encoder made of the source; then each is worked on by itself. Add & norm around each:

    x = LayerNorm(x + SelfAttention(x))                    under trg_mask
    x = LayerNorm(x + CrossAttention(x, memory))           under src_mask; the memory has the keys
    x = LayerNorm(x + FeedForward(x))

Worked example of the middle line, one head, all four matrices the identity, and a source of one word:

    x  [1, 2, 3]     memory  [3, 0, 0]     the only key gets weight 1: CrossAttention answers [3, 0, 0]
    x + [3, 0, 0]  = [4, 2, 3]     normed  [1.22, -1.22, 0]

Letters: n sentences, t target positions, s source positions, e embed_size. The weights are described in
glassformer/learn/weights.py. Every layer norm has a gain, a bias and eps = 1e-5. No dropout here.
"""

from e05_multi_head import multi_head  # yours; or from glassformer.learn.answers import multi_head
from e08_layer_norm import layer_norm
from e09_feed_forward import feed_forward
from e10_residual import post_norm
from jaxtyping import Bool, Float
from torch import Tensor

from glassformer.learn.weights import DecoderLayerWeights

EPS = 1e-5


def decoder_layer(
    x: Float[Tensor, "n t e"],
    memory: Float[Tensor, "n s e"],
    weights: DecoderLayerWeights,
    heads: int,
    trg_mask: Bool[Tensor, "n 1 t t"],
    src_mask: Bool[Tensor, "n 1 1 s"],
) -> Float[Tensor, "n t e"]:
    """Self-attention, cross-attention to the memory, feed-forward; add & norm around each."""
    raise NotImplementedError
