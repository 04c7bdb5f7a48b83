"""18  Beam search                                               section 6.1 · 60 minutes · 5 of 5

Greedy decoding takes the best next token and can never take it back. Beam search keeps the best few beginnings of an
answer side by side and compares whole answers at the end.

    score(answer) = log p(answer) / ((5 + length) / 6)^alpha      length: its tokens after <s>, </s> included

One step of a sentence's search:

1. Continue each of its live hypotheses by every token. A continuation's log p is the sum over all its tokens.
2. Rank all continuations of the sentence by log p. Those among the best `beam` that end in end_id are finished.
3. The best `beam` of those that do not end go on. So finished ones take no place.

After max_length tokens, hypotheses that still go on are cut off there. The answer is the one with the best score of all
that are finished or cut off. You may stop sooner where that cannot change the answer, but need not.

Worked example, beam = 2, alpha = 0.6, max_length = 2, tokens a and b:

    p after <s>:  a 0.5   b 0.4   </s> 0.1        live: a (0.5), b (0.4)
    p after a:    a 0.4   b 0.3   </s> 0.3        p after b:  a 0.1   b 0.1   </s> 0.8
    ranked:  b </s> 0.32   a a 0.20   a b 0.15   a </s> 0.15   b a 0.04   b b 0.04
    finished: b </s>       cut off: a a and a b
    best score: b </s>, log 0.32 / (7/6)^0.6 = -1.039        greedy search would have begun with a

The model is hidden in `step`, which reads one token for each row and keeps what it knows of a row's earlier tokens in
`state`, row by row: a cache of keys and values in a Transformer. Rows are yours to lay out; the usual way is n x beam
rows, a sentence's hypotheses next to each other. Who goes on from a hypothesis must take along its row of the state.

Letters: n sentences (of `state` at first) or hypotheses (of what goes into `step`), v words of the vocabulary.
"""

from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor

# step(last tokens (n), state (n ...)) -> (log probabilities of the next token (n v), the new state (n ...))
Step = Callable[[Int[Tensor, "n"], Tensor], tuple[Float[Tensor, "n v"], Tensor]]


def beam_search(
    step: Step, state: Tensor, start_id: int, end_id: int, beam: int, alpha: float, max_length: int
) -> list[tuple[list[int], float]]:
    """The best answer of each sentence, and its score.

    `state` (n ...) has one row for each sentence, before <s> is read. An answer's tokens are those after start_id, with
    end_id where it is finished.
    """
    raise NotImplementedError
