"""17  Greedy decoding with a cache, solved."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from glassformer.learn.answers import feed_forward, layer_norm, masked_attention, post_norm, sinusoids
from glassformer.learn.weights import TransformerWeights

EPS = 1e-5
Cache = Any


class LayerCache(NamedTuple):
    """What one layer keeps, each (n k h d): of the tokens so far, and of the memory."""

    keys: Tensor
    values: Tensor
    memory_keys: Tensor
    memory_values: Tensor


def decode_step(
    tokens: Int[Tensor, "n t"],
    cache: Cache,
    memory: Float[Tensor, "n s e"],
    weights: TransformerWeights,
    heads: int,
    src_mask: Bool[Tensor, "n 1 1 s"],
) -> tuple[Float[Tensor, "n t v"], Cache]:
    """The logits after each of the new tokens, and the cache that holds them too."""
    length = cache[0].keys.size(1) if cache else 0
    total, embed_size = length + tokens.size(1), memory.size(-1)
    trg_mask = torch.ones(total, total, dtype=torch.bool).tril()[length:].view(1, 1, -1, total)
    x = weights.trg_words[tokens] * math.sqrt(embed_size) + sinusoids(total, embed_size)[length:]

    def split(projected: Tensor) -> Tensor:
        return projected.view(*projected.shape[:2], heads, -1)

    new_cache = []
    for number, layer in enumerate(weights.decoder):
        to_queries, to_keys, to_values, fc_out = layer.self_attention
        keys, values = split(x @ to_keys), split(x @ to_values)
        if cache:
            earlier = cache[number]
            keys, values = torch.cat([earlier.keys, keys], dim=1), torch.cat([earlier.values, values], dim=1)
            memory_keys, memory_values = earlier.memory_keys, earlier.memory_values
        else:
            memory_keys = split(memory @ layer.cross_attention.to_keys)
            memory_values = split(memory @ layer.cross_attention.to_values)
        new_cache.append(LayerCache(keys, values, memory_keys, memory_values))

        self_out = masked_attention(split(x @ to_queries), keys, values, trg_mask).flatten(2) @ fc_out
        x = norm(layer.self_attention_norm)(x + self_out)
        queries = split(x @ layer.cross_attention.to_queries)
        read = masked_attention(queries, memory_keys, memory_values, src_mask).flatten(2)
        x = norm(layer.cross_attention_norm)(x + read @ layer.cross_attention.fc_out)
        x = post_norm(x, partial(feed_forward, weights=layer.feed_forward), norm(layer.feed_forward_norm))
    return x @ weights.trg_words.T, tuple(new_cache)


def norm(weights: Any) -> Callable[[Tensor], Tensor]:
    return partial(layer_norm, gain=weights.gain, bias=weights.bias, eps=EPS)


Step = Callable[[Int[Tensor, "n t"], Cache], tuple[Float[Tensor, "n t v"], Cache]]


def greedy(step: Step, start: Int[Tensor, "n p"], end_id: int, max_length: int) -> list[list[int]]:
    """The most probable next token, again and again, for n sentences at once.

    `start` is how each answer begins: <s>, or more. It is read in one call with cache None, and from then on each call
    reads one token for each sentence. An answer holds the tokens after `start`: max_length at most, the last one end_id
    where that came up. A finished sentence writes nothing more, while the others go on.
    """
    answers: list[list[int]] = [[] for _ in range(len(start))]
    new, cache = start, None
    for _ in range(max_length):
        logits, cache = step(new, cache)
        chosen = logits[:, -1].argmax(dim=-1)
        for answer, token in zip(answers, chosen.tolist(), strict=True):
            if end_id not in answer:
                answer.append(token)
        if all(end_id in answer for answer in answers):
            break
        new = chosen.unsqueeze(1)
    return answers
