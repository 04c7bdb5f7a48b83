"""17: the one decoder step and the one greedy search that make any of the mistakes on demand."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from glassformer.learn.exercise import Wrong
from glassformer.learn.weights import AttentionWeights, DecoderLayerWeights, NormWeights, TransformerWeights

Kept = dict[str, Tensor]  # one layer's keys and values, and those of the memory
Step = Callable[[Tensor, Any], tuple[Tensor, Any]]


def decode_step(
    wrong: Wrong,
    tokens: Tensor,
    cache: list[Kept] | None,
    memory: Tensor,
    weights: TransformerWeights,
    heads: int,
    src_mask: Tensor,
) -> tuple[Tensor, list[Kept]]:
    if "cache-ignored" in wrong:
        cache = None
    length = cache[0]["keys"].size(1) if cache else 0
    place = length
    if "position-always-0" in wrong:
        place = 0
    elif "position-off-by-one" in wrong:
        place = length + 1
    elif "position-after-append" in wrong:
        place = length + tokens.size(1)
    logits, new = step_at(wrong, place, tokens, cache, memory, weights, heads, src_mask)
    if "cache-changed-in-place" in wrong and cache:
        for old, fresh in zip(cache, new, strict=True):
            old.update(fresh)
        return logits, cache
    return logits, new


def step_at(
    wrong: Wrong,
    place: int,
    tokens: Tensor,
    cache: list[Kept] | None,
    memory: Tensor,
    weights: TransformerWeights,
    heads: int,
    src_mask: Tensor,
) -> tuple[Tensor, list[Kept]]:
    """A step whose first new token stands at `place`."""
    scale = 1.0 if "embedding-not-scaled" in wrong else math.sqrt(memory.size(2))
    x = weights.trg_words[tokens] * scale + waves(place, tokens.size(1), memory.size(2))
    new = []
    for number, layer in enumerate(weights.decoder):
        earlier = cache[number] if cache else {}
        fresh = kept_after(wrong, earlier, x, memory, layer, heads)
        new.append(fresh)
        attended = self_attention(wrong, x, earlier, fresh, layer.self_attention, heads)
        if "k-v-swapped" in wrong:
            fresh["keys"], fresh["values"] = fresh["values"], fresh["keys"]
        if "values-not-cached" in wrong:
            fresh["values"] = fresh["values"][:, -tokens.size(1) :]
        x = normed(x + attended, layer.self_attention_norm)
        seen = torch.ones_like(src_mask) if "src-mask-forgotten" in wrong else src_mask
        queries = cut(x @ layer.cross_attention.to_queries, heads)
        read = attend(queries, fresh["memory keys"], fresh["memory values"], seen)
        x = normed(x + read @ layer.cross_attention.fc_out, layer.cross_attention_norm)
        hidden = (x @ layer.feed_forward.w1 + layer.feed_forward.b1).clamp(min=0)
        x = normed(x + hidden @ layer.feed_forward.w2 + layer.feed_forward.b2, layer.feed_forward_norm)
    return x @ weights.trg_words.mT, [dict(new[-1]) for _ in new] if "layers-share-cache" in wrong else new


def kept_after(wrong: Wrong, earlier: Kept, x: Tensor, memory: Tensor, layer: DecoderLayerWeights, heads: int) -> Kept:
    """What a layer keeps once it has read x."""
    fresh = {
        "keys": cut(x @ layer.self_attention.to_keys, heads),
        "values": cut(x @ layer.self_attention.to_values, heads),
    }
    if earlier and "only-newest-kept" not in wrong:
        fresh["keys"] = torch.cat([earlier["keys"], fresh["keys"]], dim=1)
        if "values-not-cached" not in wrong:
            fresh["values"] = torch.cat([earlier["values"], fresh["values"]], dim=1)
    again = not earlier or "cross-computed-again" in wrong or "cross-cache-appended" in wrong
    for name, matrix in (
        ("memory keys", layer.cross_attention.to_keys),
        ("memory values", layer.cross_attention.to_values),
    ):
        projected = cut(memory @ matrix, heads) if again else earlier[name]
        if earlier and "cross-cache-appended" in wrong:
            projected = torch.cat([earlier[name], projected], dim=1)
        fresh[name] = projected
    return fresh


def self_attention(
    wrong: Wrong, x: Tensor, earlier: Kept, fresh: Kept, weights: AttentionWeights, heads: int
) -> Tensor:
    queries = cut(x @ weights.to_queries, heads)
    keys, values = fresh["keys"], fresh["values"]
    if "new-token-unseen" in wrong and earlier:
        keys, values = earlier["keys"], earlier["values"]
    t, k = queries.size(1), keys.size(1)
    first = 0 if "causal-top-left" in wrong else k - t
    mask = torch.arange(k) <= torch.arange(first, first + t).unsqueeze(1)
    if "no-mask-in-chunk" in wrong or ("new-token-unseen" in wrong and earlier):
        mask = torch.ones(t, k, dtype=torch.bool)
    return attend(queries, keys, values, mask) @ weights.fc_out


def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """softmax(Q K^T / sqrt(d)) V under the mask, heads side by side again: (n t e)."""
    energy = torch.einsum("nqhd,nkhd->nhqk", queries, keys) * queries.size(3) ** -0.5
    shares = energy.masked_fill(~mask, -1e30).softmax(dim=3)
    return torch.einsum("nhqk,nkhd->nqhd", shares, values).flatten(2)


def cut(x: Tensor, heads: int) -> Tensor:
    return x.view(x.size(0), x.size(1), heads, -1)


def normed(x: Tensor, weights: NormWeights) -> Tensor:
    return torch.nn.functional.layer_norm(x, x.shape[-1:], weights.gain, weights.bias, eps=1e-5)


def waves(place: int, length: int, embed_size: int) -> Tensor:
    """Sines in the even channels, cosines in the odd ones, from `place` on."""
    rate = 10000 ** -(torch.arange(embed_size, dtype=torch.float64) // 2 * 2 / embed_size)
    angle = torch.arange(place, place + length, dtype=torch.float64).unsqueeze(1) * rate
    return torch.where(torch.arange(embed_size) % 2 == 0, angle.sin(), angle.cos())


def greedy(wrong: Wrong, step: Step, start: Tensor, end_id: int, max_length: int) -> list[list[int]]:
    answers: list[list[int]] = [[] for _ in range(len(start))]
    limit = max_length - (1 if "one-token-short" in wrong else 0)
    if "max-length-counts-start" in wrong:
        limit -= start.size(1)
    new, so_far, cache, first = start, start, None, None
    finished = [False] * len(start)
    for _ in range(limit):
        again = wrong & {"prefix-fed-again", "cache-unused"}
        logits, cache = step(so_far if again else new, None if "cache-unused" in wrong else cache)
        first = cache if first is None else first
        last = logits[:, 0 if "reads-first-logit" in wrong else -1]
        chosen = last.softmax(dim=1).multinomial(1) if "sampled" in wrong else last.argmax(dim=1, keepdim=True)
        for answer, token in zip(answers, chosen.flatten().tolist(), strict=True):
            if end_id not in answer or wrong & {"finished-row-continues", "never-stops"}:
                answer.append(token)
        finished = [end_id in answer for answer in answers]
        if any(finished) if "stops-with-the-first" in wrong else all(finished) and "never-stops" not in wrong:
            break
        new, so_far = chosen, torch.cat([so_far, chosen], dim=1)
        if "cache-not-passed-on" in wrong and not again:
            cache = None
        elif "first-cache-kept" in wrong:
            cache = first
    if "end-left-out" in wrong:
        answers = [[token for token in answer if token != end_id] for answer in answers]
    if "finished-rows-filled" in wrong:
        longest = max(map(len, answers))
        answers = [
            answer + [end_id] * (longest - len(answer) if done else 0)
            for answer, done in zip(answers, finished, strict=True)
        ]
    if "start-included" in wrong:
        answers = [[*begun, *answer] for begun, answer in zip(start.tolist(), answers, strict=True)]
    return answers
