"""The weights that the exercises' functions are given: plain tuples of tensors, in the paper's form x W.

No linear layer of the attention has a bias (section 3.2.2); the feed-forward layers do (section 3.3).
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor


class AttentionWeights(NamedTuple):
    """W^Q, W^K, W^V and W^O, each (e, e), for all heads side by side: `queries = query @ to_queries`."""

    to_queries: Tensor
    to_keys: Tensor
    to_values: Tensor
    fc_out: Tensor


class FeedForwardWeights(NamedTuple):
    """W_1 (e, f), b_1 (f), W_2 (f, e), b_2 (e)."""

    w1: Tensor
    b1: Tensor
    w2: Tensor
    b2: Tensor


class NormWeights(NamedTuple):
    """The gain and the bias of a layer norm, each (e)."""

    gain: Tensor
    bias: Tensor


class EncoderLayerWeights(NamedTuple):
    self_attention: AttentionWeights
    self_attention_norm: NormWeights
    feed_forward: FeedForwardWeights
    feed_forward_norm: NormWeights


class DecoderLayerWeights(NamedTuple):
    self_attention: AttentionWeights
    self_attention_norm: NormWeights
    cross_attention: AttentionWeights
    cross_attention_norm: NormWeights
    feed_forward: FeedForwardWeights
    feed_forward_norm: NormWeights


class TransformerWeights(NamedTuple):
    """A whole model. The target's word table (v, e) is the output layer too, transposed (section 3.4)."""

    src_words: Tensor
    trg_words: Tensor
    encoder: tuple[EncoderLayerWeights, ...]
    decoder: tuple[DecoderLayerWeights, ...]


def attention_weights(embed_size: int, generator: torch.Generator, std: float | None = None) -> AttentionWeights:
    """Random ones; with the default std, e^-0.5, scores are of order 1."""
    std = embed_size**-0.5 if std is None else std
    return AttentionWeights(*(normal(embed_size, embed_size, generator=generator, std=std) for _ in range(4)))


def feed_forward_weights(embed_size: int, forward_size: int, generator: torch.Generator) -> FeedForwardWeights:
    return FeedForwardWeights(
        normal(embed_size, forward_size, generator=generator, std=embed_size**-0.5),
        normal(forward_size, generator=generator, std=0.3),
        normal(forward_size, embed_size, generator=generator, std=forward_size**-0.5),
        normal(embed_size, generator=generator, std=0.3),
    )


def norm_weights(embed_size: int, generator: torch.Generator) -> NormWeights:
    """A gain around 1 and a bias around 0, neither exactly, so that forgetting one of them shows."""
    return NormWeights(
        1 + normal(embed_size, generator=generator, std=0.3), normal(embed_size, generator=generator, std=0.3)
    )


def encoder_layer_weights(embed_size: int, forward_size: int, generator: torch.Generator) -> EncoderLayerWeights:
    return EncoderLayerWeights(
        attention_weights(embed_size, generator),
        norm_weights(embed_size, generator),
        feed_forward_weights(embed_size, forward_size, generator),
        norm_weights(embed_size, generator),
    )


def decoder_layer_weights(embed_size: int, forward_size: int, generator: torch.Generator) -> DecoderLayerWeights:
    return DecoderLayerWeights(
        attention_weights(embed_size, generator),
        norm_weights(embed_size, generator),
        attention_weights(embed_size, generator),
        norm_weights(embed_size, generator),
        feed_forward_weights(embed_size, forward_size, generator),
        norm_weights(embed_size, generator),
    )


def transformer_weights(
    src_vocab_size: int, trg_vocab_size: int, embed_size: int, forward_size: int, layers: int, seed: int
) -> TransformerWeights:
    """A whole model in float64, ready to be trained. Word tables start at e^-0.5: times sqrt(e), variance 1."""
    generator = torch.Generator().manual_seed(seed)
    return TransformerWeights(
        normal(src_vocab_size, embed_size, generator=generator, std=1 / math.sqrt(embed_size)),
        normal(trg_vocab_size, embed_size, generator=generator, std=1 / math.sqrt(embed_size)),
        tuple(encoder_layer_weights(embed_size, forward_size, generator) for _ in range(layers)),
        tuple(decoder_layer_weights(embed_size, forward_size, generator) for _ in range(layers)),
    )


def normal(*shape: int, generator: torch.Generator, std: float = 1.0) -> Tensor:
    """Random float64 numbers of the given spread, from this generator alone."""
    return std * torch.randn(*shape, generator=generator, dtype=torch.float64)


def tensors(weights: object) -> Iterator[Tensor]:
    """Every tensor in nested tuples of weights, in order."""
    if isinstance(weights, Tensor):
        yield weights
    elif isinstance(weights, tuple):
        for part in weights:
            yield from tensors(part)
