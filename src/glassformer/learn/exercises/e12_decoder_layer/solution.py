"""12  Decoder layer, solved."""

from functools import partial

from jaxtyping import Bool, Float
from torch import Tensor

from glassformer.learn.answers import feed_forward, layer_norm, multi_head, post_norm
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

    parts = (
        (lambda y: multi_head(y, y, weights.self_attention, heads, trg_mask), weights.self_attention_norm),
        (lambda y: multi_head(y, memory, weights.cross_attention, heads, src_mask), weights.cross_attention_norm),
        (lambda y: feed_forward(y, weights.feed_forward), weights.feed_forward_norm),
    )
    for branch, norm in parts:
        x = post_norm(x, branch, partial(layer_norm, gain=norm.gain, bias=norm.bias, eps=EPS))
    return x
