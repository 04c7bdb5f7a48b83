"""11  Encoder, solved."""

from collections.abc import Sequence
from functools import partial

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import dropout as drop

from glassformer.learn.answers import feed_forward, layer_norm, multi_head, post_norm
from glassformer.learn.weights import EncoderLayerWeights

EPS = 1e-5


def encoder(
    x: Float[Tensor, "n s e"],
    mask: Bool[Tensor, "n 1 1 s"],
    layers: Sequence[EncoderLayerWeights],
    heads: int,
    dropout: float,
    training: bool,
) -> Float[Tensor, "n s e"]:
    """The memory: x after every layer, each with its own weights; dropout on each branch while training."""
    for layer in layers:

        def attend(y: Tensor, layer: EncoderLayerWeights = layer) -> Tensor:
            return drop(multi_head(y, y, layer.self_attention, heads, mask), dropout, training)

        def think(y: Tensor, layer: EncoderLayerWeights = layer) -> Tensor:
            return drop(feed_forward(y, layer.feed_forward), dropout, training)

        after_attention = partial(layer_norm, **layer.self_attention_norm._asdict(), eps=EPS)
        after_feed_forward = partial(layer_norm, **layer.feed_forward_norm._asdict(), eps=EPS)
        x = post_norm(x, attend, after_attention)
        x = post_norm(x, think, after_feed_forward)
    return x
