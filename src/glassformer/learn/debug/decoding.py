"""Greedy and beam search as short as they can be, over the task's small models, so that they may be wrong in one place.

For real use there is `glassformer.decode`: batches of beams, limits by length, streaming.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from glassformer.errors import UserError
from glassformer.learn.debug.task import END, LONGEST, START
from glassformer.model.cache import Cache
from glassformer.model.transformer import Transformer

Logits = Callable[[Tensor, Tensor], Tensor]  # (src (n, s), trg (n, t)) -> (n, t, v)

Takes = Literal["best", "first", "worst"]  # which finished hypothesis is the answer

LIMIT = LONGEST + 2  # tokens of an answer, </s> included: one more than the longest right one


class Answer(NamedTuple):
    """What a beam search found: ids without <s> and </s>, and the sum of log probabilities that it counted."""

    ids: list[int]
    log_prob: float


def greedy_ids(logits: Logits, src: Tensor, start: int) -> list[list[int]]:
    """For each source (n, s) the tokens written after `start`, one at a time, up to </s> (included) or LIMIT."""
    trg = torch.full((len(src), 1), start)
    for _ in range(LIMIT):
        trg = torch.cat([trg, logits(src, trg)[:, -1:].argmax(dim=-1)], dim=1)
    return [up_to_end(row) for row in trg[:, 1:].tolist()]


def up_to_end(ids: list[int]) -> list[int]:
    return ids[: ids.index(END) + 1] if END in ids else ids


def cached_logits(model: Transformer, src: Tensor, trg: Tensor) -> Tensor:
    """`model(src, trg)`, computed one target token at a time with a cache."""
    memory, src_mask, cache = model.encode(src), model.make_src_mask(src), Cache(len(model.decoder.layers))
    steps = [model.decode(token, memory, src_mask, cache) for token in torch.split(trg, 1, dim=1)]
    logits: Tensor = model.fc_out(torch.cat(steps, dim=1))
    return logits


def answer_log_prob(logits: Logits, src: Tensor, ids: list[int]) -> float:
    """How likely the model finds `ids` and then </s> as the answer to one source (1, s): a sum of log probabilities.

    A </s> that ends `ids` already is not counted twice. Raises UserError for several sources.
    """
    check_one(src)
    trg = torch.tensor([[START, *(ids[:-1] if ids[-1:] == [END] else ids), END]])
    log_probs = logits(src, trg[:, :-1]).log_softmax(dim=-1)
    return float(log_probs.gather(2, trg[:, 1:].unsqueeze(2)).sum())


def check_one(src: Tensor) -> None:
    if len(src) != 1:
        raise UserError(f"{len(src)} sources at once: this takes one, src[:1] for example.")


def beam_answer(model: Transformer, src: Tensor, width: int, *, add_up: bool = True, takes: Takes = "best") -> Answer:
    """The answer of greatest log probability that a beam of `width` finds for one source (1, s).

    Two ways to spoil it: without `add_up` a hypothesis is worth what its last token is, all before it forgotten; and
    it may take another finished hypothesis than the best. Raises UserError for several sources.
    """
    check_one(src)
    memory, src_mask, cache = model.encode(src), model.make_src_mask(src), Cache(len(model.decoder.layers))
    begun, log_probs = torch.full((1, 1), START), torch.zeros(1, dtype=memory.dtype)
    finished: list[Answer] = []
    for _ in range(LIMIT):
        rows = len(begun)
        decoded = model.decode(begun[:, -1:], memory.expand(rows, -1, -1), src_mask.expand(rows, -1, -1, -1), cache)
        next_log_probs: Tensor = model.fc_out(decoded[:, -1]).log_softmax(dim=-1)
        continued = log_probs.unsqueeze(1) * add_up + next_log_probs
        best = continued.flatten().topk(min(2 * width, continued.numel()))
        parents, tokens = best.indices // continued.size(1), best.indices % continued.size(1)
        ended = tokens == END
        finished += [
            Answer(begun[parents[i], 1:].tolist(), float(best.values[i])) for i in ended[:width].nonzero()[:, 0]
        ]
        going = (~ended).nonzero()[:width, 0]
        if takes == "first" and finished:
            break
        begun = torch.cat([begun[parents[going]], tokens[going].unsqueeze(1)], dim=1)
        log_probs = best.values[going]
        cache.select(parents[going])
        if takes == "best" and finished and max(answer.log_prob for answer in finished) >= float(log_probs.max()):
            break  # log probabilities only fall: no other can win
    cut_off = [Answer(begun[0, 1:].tolist(), float(log_probs[0]))]
    take = min if takes == "worst" else max
    return take(finished or cut_off, key=lambda answer: answer.log_prob)
