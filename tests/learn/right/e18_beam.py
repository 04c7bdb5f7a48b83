"""Beam search, rightly, in other ways than the solution's."""

import heapq
from collections.abc import Callable

import torch
from torch import Tensor

Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
Answers = list[tuple[list[int], float]]


def sentence_by_sentence(
    step: Step, state: Tensor, start_id: int, end_id: int, beam: int, alpha: float, max_length: int
) -> Answers:
    """Lists of hypotheses that carry their own state, one call of `step` for each of them."""
    answers = []
    for row in state:
        live: list[tuple[float, list[int], Tensor]] = [(0.0, [], row.unsqueeze(0))]
        done = []
        for _ in range(max_length):
            longer = []
            for total, tokens, known in live:
                log_probs, after = step(torch.tensor([tokens[-1] if tokens else start_id]), known)
                longer += [(total + lp, [*tokens, token], after) for token, lp in enumerate(log_probs[0].tolist())]
            longer.sort(key=lambda each: each[0], reverse=True)
            done += [each for each in longer[:beam] if each[1][-1] == end_id]
            live = [each for each in longer if each[1][-1] != end_id][:beam]
        scored = [(total / ((5 + len(tokens)) / 6) ** alpha, tokens) for total, tokens, _ in done + live]
        score, tokens = max(scored, key=lambda each: each[0])
        answers.append((tokens, score))
    return answers


def stopping_early(
    step: Step, state: Tensor, start_id: int, end_id: int, beam: int, alpha: float, max_length: int
) -> Answers:
    """Batched over the hypotheses of one sentence; stops when no live one can win any more."""

    def score(total: float, length: int) -> float:
        return total / ((5 + length) / 6) ** alpha

    answers = []
    for sentence in range(len(state)):
        known, last = state[sentence : sentence + 1], torch.tensor([start_id])
        totals, texts = torch.zeros(1, dtype=torch.float64), [()]
        best: tuple[float, tuple[int, ...]] = (float("-inf"), ())
        for length in range(1, max_length + 1):
            log_probs, known = step(last, known)
            sums = (totals.unsqueeze(1) + log_probs).tolist()
            every = [(value, parent, token) for parent, row in enumerate(sums) for token, value in enumerate(row)]
            for value, parent, token in heapq.nlargest(beam, every):
                if token == end_id:
                    best = max(best, (score(value, length), (*texts[parent], token)))
            going = heapq.nlargest(beam, [each for each in every if each[2] != end_id and each[0] > float("-inf")])
            texts = [(*texts[parent], token) for _, parent, token in going]
            totals = torch.tensor([value for value, _, _ in going], dtype=torch.float64)
            last, known = torch.tensor([token for *_, token in going]), known[[parent for _, parent, _ in going]]
            if best[0] >= score(float(totals.max()), max_length):
                break
        best = max([best, *((score(float(t), len(text)), text) for t, text in zip(totals, texts, strict=True))])
        answers.append((list(best[1]), best[0]))
    return answers


def in_flat_tensors(
    step: Step, state: Tensor, start_id: int, end_id: int, beam: int, alpha: float, max_length: int
) -> Answers:
    """All sentences at once, hypotheses sorted wholly, everything kept in histories of tensors, scores in float32."""
    n = state.size(0)
    state = state[:, None].expand(-1, beam, *state.shape[1:]).flatten(0, 1)
    last = torch.full((n * beam,), start_id)
    totals = torch.full((n, beam), -1e30, dtype=torch.float64)
    totals[:, 0] = 0
    history = torch.zeros(n, beam, max_length, dtype=torch.long)
    pool: list[list[tuple[float, list[int]]]] = [[] for _ in range(n)]
    for length in range(max_length):
        log_probs, state = step(last, state)
        v = log_probs.size(-1)
        flat = (totals[..., None] + log_probs.reshape(n, beam, v)).reshape(n, -1)
        order = flat.argsort(dim=1, descending=True)
        keep = []
        for i in range(n):
            chosen = []
            for rank, index in enumerate(order[i].tolist()):
                parent, token = divmod(index, v)
                if token == end_id and rank < beam:
                    words = [*history[i, parent, :length].tolist(), token]
                    pool[i].append((float(flat[i, index]) / ((6 + length) / 6) ** alpha, words))
                elif token != end_id and len(chosen) < beam:
                    chosen.append((parent, token, float(flat[i, index])))
            keep.append(chosen)
        parents = torch.tensor([[parent for parent, _, _ in chosen] for chosen in keep])
        tokens = torch.tensor([[token for _, token, _ in chosen] for chosen in keep])
        totals = torch.tensor([[total for *_, total in chosen] for chosen in keep], dtype=torch.float64)
        history = torch.stack([history[i, parents[i]] for i in range(n)])
        history[:, :, length] = tokens
        state = state.unflatten(0, (n, beam))[torch.arange(n)[:, None], parents].flatten(0, 1)
        last = tokens.flatten()
    for i in range(n):
        for total, words in zip(totals[i].tolist(), history[i].tolist(), strict=True):
            pool[i].append((total / ((5 + max_length) / 6) ** alpha, words))
    return [(words, float(torch.tensor(score))) for score, words in map(max, pool)]


RIGHT = {"beam_search": [sentence_by_sentence, stopping_early, in_flat_tensors]}
