"""How far a converted model is from the formulas of its source, computed beside it on random sentences."""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor

from glassformer.errors import UserError
from glassformer.model.transformer import Transformer

SENTENCES, LONGEST = 8, 12
ALLOWED = 1e-3  # of the largest logit: float32 tables of sinusoids are off by less, anything else is a wrong model


@torch.no_grad()
def largest_difference(
    model: Transformer,
    theirs: Callable[[Tensor, Tensor], Tensor],
    pad_idx: int,
    *,
    by: str = "the source's own formulas, with the options as you gave them",
) -> str:
    """Compare logits at words, in float64, where sentences are padded on the right; says what was measured.

    `theirs` gives (n, t, v) logits of (n, s) and (n, t) tokens, computed `by` whom; `pad_idx` pads targets. Raises
    UserError where the two are not the same model, or weights so large that nothing can be computed. An option told
    wrongly is not seen: both compute with it.
    """
    config = model.config
    src = random_sentences(config.src_vocab_size, config.src_pad_idx, config.max_length)
    trg = random_sentences(config.trg_vocab_size, pad_idx, config.max_length)
    words = (trg != pad_idx).unsqueeze(-1)
    other = theirs(src, trg) * words
    difference = float((deepcopy(model).double()(src, trg) * words - other).abs().max())
    largest = float(other.abs().max())
    if not difference <= ALLOWED * max(1.0, largest):
        raise UserError(
            f"the converted model's logits differ by {difference:.3g} from those by {by} (up to "
            f"{largest:.3g}). The file is damaged, or holds something that is not known here: nothing was written."
        )
    return (
        f"logits of {SENTENCES} random sentences by {by}, in float64: largest difference "
        f"{difference:.1e}, largest logit {largest:.3g}."
    )


def random_sentences(words: int, pad_idx: int, max_length: int) -> Tensor:
    """(n, t) random words, each sentence but the first padded on the right by another amount."""
    dice = torch.Generator().manual_seed(0)
    length = min(LONGEST, max_length)
    tokens = torch.randint(0, max(1, words - 1), (SENTENCES, length), generator=dice)
    tokens[tokens >= pad_idx] += 1  # any id but padding
    tokens.clamp_(max=words - 1)
    for row in range(SENTENCES):
        tokens[row, max(1, length - row) :] = pad_idx
    return tokens
