"""18  Beam search, solved."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

Step = Callable[[Int[Tensor, "n"], Tensor], tuple[Float[Tensor, "n v"], Tensor]]


def beam_search(
    step: Step, state: Tensor, start_id: int, end_id: int, beam: int, alpha: float, max_length: int
) -> list[tuple[list[int], float]]:
    """The best answer of each sentence, and its score.

    `state` (n ...) has one row for each sentence, before <s> is read. An answer's tokens are those after start_id, with
    end_id where it is finished.
    """
    n = len(state)
    state = state.repeat_interleave(beam, dim=0)
    last = torch.full((n * beam,), start_id)
    tokens = torch.empty(n, beam, 0, dtype=torch.long)
    scores = torch.full((n, beam), float("-inf"), dtype=torch.float64)
    scores[:, 0] = 0  # one hypothesis a sentence at first: its copies lose
    answers: list[tuple[list[int], float]] = [([], float("-inf"))] * n

    for length in range(1, max_length + 1):
        penalty = ((5 + length) / 6) ** alpha
        log_probs, state = step(last, state)
        sums = (scores.unsqueeze(2) + log_probs.view(n, beam, -1)).flatten(1)
        # Each hypothesis has one continuation that ends, so 2 x beam hold `beam` others where the vocabulary does.
        ranked, index = sums.topk(min(2 * beam, sums.size(1)), dim=1)
        parent, token = index // log_probs.size(1), index % log_probs.size(1)
        ended = token == end_id
        longer = torch.cat(
            [tokens.gather(1, parent.unsqueeze(2).expand(-1, -1, length - 1)), token.unsqueeze(2)], dim=2
        )

        going = ranked.masked_fill(ended, float("-inf"))
        scores, chosen = going.topk(beam, dim=1)
        finished = ranked.masked_fill(~ended, float("-inf"))[:, :beam]
        competing = [(finished, longer)]
        if length == max_length:
            competing.append((going, longer))
        for values, candidates in competing:
            best = values.max(dim=1)
            for sentence in range(n):
                score = float(best.values[sentence]) / penalty
                if score > answers[sentence][1]:
                    answers[sentence] = (candidates[sentence, best.indices[sentence]].tolist(), score)

        tokens = longer.gather(1, chosen.unsqueeze(2).expand(-1, -1, length))
        last = token.gather(1, chosen).flatten()
        rows = parent.gather(1, chosen) + beam * torch.arange(n).unsqueeze(1)
        state = state[rows.flatten()]  # whoever goes on takes along what the parent knew
    return answers
