"""Beam search: the best few beginnings of an answer go on side by side (section 6.1).

At each step every live hypothesis is continued by every token, and the best 2 x beam continuations of a sentence are
looked at. Those that end in </s> and stand among the first `beam` are finished; the best `beam` others go on. The best
`n_best` finished ones by score = log p / ((5 + length) / 6)^alpha are kept (length: the tokens written, </s> included),
and a sentence is done when no live hypothesis can still beat the worst of them: its log p can only fall, and the
longest answer allowed has the largest divisor.
"""

from functools import partial
from itertools import count
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from glassformer.decode.config import DecodingConfig
from glassformer.decode.steps import BLOCK, Hypothesis, Live, block_ids, block_maxima, greedy, hypothesis
from glassformer.model.transformer import Transformer

NOTHING = float("-inf")
NO_TOKEN = -1  # fills up the tokens of hypotheses that finished earlier


class Pool(NamedTuple):
    """w hypotheses for each of n sentences; one that does not exist has the log probability and score -inf."""

    scores: Tensor  # (n, w), -inf for one that is not finished
    log_probs: Tensor  # (n, w) of the whole hypothesis
    tokens: Tensor  # (n, w, t)
    token_log_probs: Tensor  # (n, w, t)

    @classmethod
    def empty(cls, sentences: int, width: int, dtype: torch.dtype, device: torch.device) -> "Pool":
        """Room for hypotheses, and none in it."""
        nothing = torch.full((sentences, width), NOTHING, dtype=dtype, device=device)
        no_tokens = torch.empty((sentences, width, 0), dtype=torch.int64, device=device)
        return cls(nothing, nothing, no_tokens, no_tokens.to(dtype))

    @classmethod
    def begun(cls, sentences: int, dtype: torch.dtype, device: torch.device) -> "Pool":
        """One hypothesis a sentence, without a token and certain so far."""
        empty = cls.empty(sentences, 1, dtype, device)
        return empty._replace(log_probs=torch.zeros_like(empty.log_probs))

    def take(self, index: Tensor) -> "Pool":
        """Those at `index` (n, k) of each sentence."""
        deep = index.unsqueeze(2).expand(-1, -1, self.tokens.size(2))
        return Pool(*(part.gather(1, index if part.dim() == 2 else deep) for part in self))

    def sentences(self, which: Tensor) -> "Pool":
        return Pool(*(part[which] for part in self))

    def extended(self, parent: Tensor, token: Tensor, token_log_prob: Tensor) -> "Pool":
        """Continuations (n, k): each a hypothesis of this pool, `parent`, and one more token."""
        parents = self.take(parent)
        tokens = torch.cat([parents.tokens, token.unsqueeze(2)], dim=2)
        token_log_probs = torch.cat([parents.token_log_probs, token_log_prob.unsqueeze(2)], dim=2)
        return Pool(parents.scores, parents.log_probs + token_log_prob, tokens, token_log_probs)

    def scored(self, penalty: float, finished: Tensor) -> "Pool":
        return self._replace(scores=(self.log_probs / penalty).masked_fill(~finished, NOTHING))

    def best(self, others: "Pool") -> "Pool":
        """The best scores of both pools, as many as this one holds; `others` are one token longer."""
        padded = Pool(*self[:2], F.pad(self.tokens, (0, 1), value=NO_TOKEN), F.pad(self.token_log_probs, (0, 1)))
        both = Pool(*(torch.cat(parts, dim=1) for parts in zip(padded, others, strict=True)))
        order = both.scores.sort(dim=1, descending=True, stable=True).indices
        return both.take(order[:, : self.scores.size(1)])

    def lists(self, end_id: int, config: DecodingConfig) -> list[list[Hypothesis]]:
        """The finished hypotheses of each sentence, best score first."""
        found = []
        for several in zip(self.scores.tolist(), self.tokens.tolist(), self.token_log_probs.tolist(), strict=True):
            hypotheses = [
                hypothesis(ids[:length], log_probs[:length], end_id, config)
                for score, ids, log_probs in zip(*several, strict=True)
                if score > NOTHING and (length := len(ids) - ids.count(NO_TOKEN))
            ]
            # Again, as a float32 sum may be a digit off the exact one of `hypothesis`.
            found.append(sorted(hypotheses, key=lambda each: -each.score))
        return found


def beam_search(
    model: Transformer, src: Tensor, start_id: int, end_id: int, config: DecodingConfig
) -> list[list[Hypothesis]]:
    """The `n_best` hypotheses of each source (n, s) with its </s>, best score first; a beam of 1 is greedy.

    Fewer come back only where the vocabulary and the limit of length allow fewer. At that limit, `forced_end` gives
    every live hypothesis its </s>, with the probability that the model sees for it; otherwise they are cut off there
    and compete as they are. Raises like `greedy`.
    """
    if config.beam == 1:
        return [[only] for only in greedy(model, src, start_id, end_id, config)]
    return search(model, src, start_id, end_id, config) if len(src) else []


def search(
    model: Transformer, src: Tensor, start_id: int, end_id: int, config: DecodingConfig
) -> list[list[Hypothesis]]:
    """`beam_search` for any beam and at least one source."""
    live = Live(model, src, start_id, end_id, config)
    answers: list[list[Hypothesis]] = [[] for _ in range(len(src))]
    sentences, width = torch.arange(len(src), device=model.device), 1
    begun = Pool.begun(len(src), live.dtype, model.device)
    kept = Pool.empty(len(src), config.n_best, live.dtype, model.device)
    for length in count(1):
        limits = live.limits.view(-1, width)[:, 0]
        at_limit = limits == length
        logits = live.logits()
        log_probs = logits.log_softmax(dim=1)
        if config.forced_end:
            logits = _only_the_end(logits, live.limits == length, end_id)
        continued, parent = _continue(begun, logits, log_probs, 2 * config.beam)
        finished, going = _sort_out(continued.tokens[:, :, -1] == end_id, at_limit, config.beam)
        kept = kept.best(continued.scored(config.penalty(length), finished))
        onward = going.int().sort(dim=1, descending=True, stable=True).indices[:, : config.beam]
        begun = continued._replace(log_probs=continued.log_probs.masked_fill(~going, NOTHING)).take(onward)

        hope = begun.log_probs[:, 0] / ((5 + limits.to(live.dtype)) / 6) ** config.length_penalty
        done = at_limit | (kept.scores[:, -1] >= hope)
        parent_row = parent.gather(1, onward) + width * torch.arange(len(parent), device=parent.device).unsqueeze(1)
        move = live.follow if parent_row.size(1) == width else partial(live.select, beam=parent_row.size(1))
        if done.any():
            found = kept.sentences(done).lists(end_id, config)
            for sentence, several in zip(sentences[done].tolist(), found, strict=True):
                answers[sentence] = several
            if done.all():
                return answers
            sentences, begun, kept = sentences[~done], begun.sentences(~done), kept.sentences(~done)
            parent_row, move = parent_row[~done], partial(live.select, beam=parent_row.size(1))
        move(parent_row.flatten())
        live.last, width = begun.tokens[:, :, -1].flatten(), parent_row.size(1)
    return answers


def largest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row and where they stand, in descending order; of equal ones the lowest index first.

    `topk` leaves the order of equal ones open, so that it could change with the size of the batch.
    """
    if values.size(1) >= 4 * (k + 1) * BLOCK:  # the k largest stand in the k blocks with the largest maxima
        maxima, blocks = block_maxima(values).topk(k + 1, dim=1)
        ids = block_ids(blocks.sort(dim=1).values, values.size(1))
        candidates = values.gather(1, ids)
        candidates[:, 1:].masked_fill_(ids[:, 1:] == ids[:, :-1], NOTHING)
        top, place = largest(candidates, k)
        if not (top[:, -1:] == maxima[:, -1:]).any():  # else an equal one might stand in a block left out
            return top, ids.gather(1, place)
    top, index = values.topk(min(k + 1, values.size(1)), dim=1)
    border = top[:, k - 1 : k]
    tied = ((border == top[:, k:]) & (border > NOTHING)).nonzero()[:, 0]  # inside and outside of the k
    index = index[:, :k].sort(dim=1).values
    if len(tied):
        rows, least = values[tied], border[tied]
        above, equal = rows > least, rows == least
        chosen = above | (equal & (equal.cumsum(dim=1) <= k - above.sum(dim=1, keepdim=True)))
        index[tied] = chosen.nonzero()[:, 1].view(-1, k)
    ordered = values.gather(1, index).sort(dim=1, descending=True, stable=True)
    return ordered.values, index.gather(1, ordered.indices)


def _continue(begun: Pool, logits: Tensor, log_probs: Tensor, number: int) -> tuple[Pool, Tensor]:
    """The best continuations of each sentence, and which hypothesis each continues (n, k).

    Each hypothesis's best tokens are those of the largest logits (r, v): rounding makes more log probabilities equal.
    """
    best, tokens = largest(logits, min(number, logits.size(1)))
    log_probs = log_probs.gather(1, tokens).masked_fill(best == NOTHING, NOTHING)
    sums = (log_probs + begun.log_probs.view(-1, 1)).view(len(begun.scores), -1)
    _, index = largest(sums, min(number, sums.size(1)))
    parent = index // tokens.size(1)
    return begun.extended(parent, *(part.view_as(sums).gather(1, index) for part in (tokens, log_probs))), parent


def _only_the_end(logits: Tensor, rows: Tensor, end_id: int) -> Tensor:
    """In these rows, no token but </s>, which keeps its value."""
    if not rows.any():
        return logits
    others = torch.arange(logits.size(1), device=logits.device) != end_id
    return logits.masked_fill(rows.unsqueeze(1) & others, NOTHING)


def _sort_out(ended: Tensor, at_limit: Tensor, beam: int) -> tuple[Tensor, Tensor]:
    """Of the continuations (n, k), best first: which are finished, and which go on."""
    rank = torch.arange(ended.size(1), device=ended.device)
    going = ~ended & ((~ended).cumsum(dim=1) <= beam)
    finished = (ended & (rank < beam)) | (going & at_limit.unsqueeze(1))
    return finished, going
