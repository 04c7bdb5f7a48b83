"""Decoding with a cache, rightly, in other ways than the solution's."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, scaled_dot_product_attention

from glassformer.learn.weights import AttentionWeights, NormWeights, TransformerWeights


def sinusoid_rows(places: range, e: int) -> Tensor:
    rows = [[math.sin(p / 10000 ** (c / e)) if c % 2 == 0 else math.cos(p / 10000 ** ((c - 1) / e)) for c in range(e)]
            for p in places]  # fmt: skip
    return torch.tensor(rows, dtype=torch.float64)


def norm(x: Tensor, weights: NormWeights) -> Tensor:
    return layer_norm(x, x.shape[-1:], weights.gain, weights.bias, 1e-5)


def by_the_library(
    tokens: Tensor, cache: Any, memory: Tensor, weights: TransformerWeights, heads: int, src_mask: Tensor
) -> tuple[Tensor, Any]:
    """A dict of tensors with the heads in front, copied before it is extended."""
    new = dict(cache or {"read": 0})
    start, t, e = new["read"], tokens.size(1), memory.size(2)
    mask = torch.ones(t, start + t, dtype=torch.bool).tril(diagonal=start)
    x = weights.trg_words[tokens] * e**0.5 + sinusoid_rows(range(start, start + t), e)

    def front(y: Tensor) -> Tensor:
        return y.view(*y.shape[:2], heads, -1).transpose(1, 2)

    def attend(x: Tensor, name: str, w: AttentionWeights, mask: Tensor) -> Tensor:
        out = scaled_dot_product_attention(front(x @ w.to_queries), new[name + "k"], new[name + "v"], attn_mask=mask)
        return out.transpose(1, 2).flatten(2) @ w.fc_out

    for i, layer in enumerate(weights.decoder):
        for letter, matrix in (("k", layer.self_attention.to_keys), ("v", layer.self_attention.to_values)):
            fresh = front(x @ matrix)
            new[f"{i}{letter}"] = torch.cat([new[f"{i}{letter}"], fresh], 2) if start else fresh
        for letter, matrix in (("k", layer.cross_attention.to_keys), ("v", layer.cross_attention.to_values)):
            if f"{i}memory {letter}" not in new:
                new[f"{i}memory {letter}"] = front(memory @ matrix)
        x = norm(x + attend(x, f"{i}", layer.self_attention, mask), layer.self_attention_norm)
        x = norm(x + attend(x, f"{i}memory ", layer.cross_attention, src_mask), layer.cross_attention_norm)
        w1, b1, w2, b2 = layer.feed_forward
        x = norm(x + torch.relu(x @ w1 + b1) @ w2 + b2, layer.feed_forward_norm)
    new["read"] = start + t
    return torch.einsum("nte,ve->ntv", x, weights.trg_words), new


def keeping_tokens_only(
    tokens: Tensor, cache: Any, memory: Tensor, weights: TransformerWeights, heads: int, src_mask: Tensor
) -> tuple[Tensor, Any]:
    """Slow but right: the tokens and the first memory are kept, and everything is computed again."""
    earlier, memory = cache if cache else (tokens[:, :0], memory)
    everything = torch.cat([earlier, tokens], dim=1)
    logits, _ = by_the_library(everything, None, memory, weights, heads, src_mask)
    return logits[:, earlier.size(1) :], (everything, memory)


def keeping_layer_inputs(
    tokens: Tensor, cache: Any, memory: Tensor, weights: TransformerWeights, heads: int, src_mask: Tensor
) -> tuple[Tensor, Any]:
    """What goes into each layer is kept instead of keys and values; one query, one head at a time; -1e9 as fill."""
    kept, memory = cache or ([None] * len(weights.decoder), memory)
    start = 0 if cache is None else kept[0].size(1)
    e = memory.size(2)
    x = weights.trg_words[tokens] * math.sqrt(e) + sinusoid_rows(range(start, start + tokens.size(1)), e)
    inputs = []

    def attend(x: Tensor, y: Tensor, w: AttentionWeights, mask: Tensor) -> Tensor:
        heads_out = []
        for q, k, v in zip(*(part.chunk(heads, dim=-1) for part in (x @ w.to_queries, y @ w.to_keys, y @ w.to_values)),
                           strict=True):  # fmt: skip
            scores = q @ k.mT / math.sqrt(q.size(-1)) + (~mask).double() * -1e9
            heads_out.append(scores.softmax(-1) @ v)
        return torch.cat(heads_out, dim=-1) @ w.fc_out

    for layer, earlier in zip(weights.decoder, kept, strict=True):
        whole = x if earlier is None else torch.cat([earlier, x], dim=1)
        inputs.append(whole)
        places = torch.arange(whole.size(1))
        mask = places[None, :] <= places[start:, None]
        x = norm(x + attend(x, whole, layer.self_attention, mask), layer.self_attention_norm)
        x = norm(x + attend(x, memory, layer.cross_attention, src_mask.squeeze(1)), layer.cross_attention_norm)
        hidden = (x @ layer.feed_forward.w1 + layer.feed_forward.b1).relu()
        x = norm(x + hidden @ layer.feed_forward.w2 + layer.feed_forward.b2, layer.feed_forward_norm)
    return x @ weights.trg_words.T, (inputs, memory)


def in_float32(
    tokens: Tensor, cache: Any, memory: Tensor, weights: TransformerWeights, heads: int, src_mask: Tensor
) -> tuple[Tensor, Any]:
    logits, cache = by_the_library(tokens, cache, memory, weights, heads, src_mask)
    return logits.float(), cache


def cut_afterwards(step: Any, start: Tensor, end_id: int, max_length: int) -> list[list[int]]:
    """Everything to the limit, and what follows the end cut off at last."""
    new, cache, columns = start, None, []
    while len(columns) < max_length:
        logits, cache = step(new, cache)
        new = logits.max(dim=2).indices[:, -1:]
        columns.append(new)
    rows = torch.cat(columns, dim=1).tolist()
    return [row[: row.index(end_id) + 1] if end_id in row else row for row in rows]


def with_a_mask(step: Any, start: Tensor, end_id: int, max_length: int) -> list[list[int]]:
    """Finished rows are fed the end again and counted by a mask."""
    finished = torch.zeros(len(start), dtype=torch.bool)
    lengths = torch.zeros(len(start), dtype=torch.long)
    logits, cache = step(start, None)
    out = torch.full((len(start), max_length), end_id)
    for place in range(max_length):
        token = logits[:, -1].log_softmax(-1).topk(1).indices[:, 0].masked_fill(finished, end_id)
        out[:, place] = token
        lengths += (~finished).long()
        finished |= token == end_id
        if finished.all():
            break
        logits, cache = step(token[:, None], cache)
    return [row[:length].tolist() for row, length in zip(out, lengths.tolist(), strict=True)]


def by_recursion(step: Any, start: Tensor, end_id: int, max_length: int) -> list[list[int]]:
    def rest(new: Tensor, cache: Any, left: int) -> list[list[int]]:
        if left == 0:
            return [[] for _ in range(len(start))]
        logits, after = step(new, cache)
        best = [int(row.argmax()) for row in logits[:, -1]]
        more = rest(torch.tensor(best).view(-1, 1), after, left - 1)
        return [[token] if token == end_id else [token, *others] for token, others in zip(best, more, strict=True)]

    return rest(start, None, max_length)


RIGHT = {
    "decode_step": [by_the_library, keeping_tokens_only, keeping_layer_inputs, in_float32],
    "greedy": [cut_afterwards, with_a_mask, by_recursion],
}
