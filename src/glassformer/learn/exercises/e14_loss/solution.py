"""14  Loss with label smoothing, solved."""

from jaxtyping import Float, Int
from torch import Tensor


def loss(
    logits: Float[Tensor, "n t v"], targets: Int[Tensor, "n t"], pad_idx: int, smoothing: float
) -> Float[Tensor, ""]:
    """Label-smoothed cross-entropy in nats, the mean over the tokens that are not padding."""
    log_probabilities = logits.log_softmax(dim=-1)
    of_the_target = log_probabilities.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    token_losses = -(1 - smoothing) * of_the_target - smoothing * log_probabilities.mean(dim=-1)
    real = targets != pad_idx
    return token_losses[real].mean()
