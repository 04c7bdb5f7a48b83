"""LayerNorms with another epsilon than ours, made ours exactly: by the size of what they norm.

LayerNorm(x) with epsilon E is LayerNorm(c x) with epsilon c^2 E. So where a model has another one, the whole residual
stream is made c times as large: word embeddings, positions, what each sublayer adds, and norms on the way. What reads
the stream divides by c, and what leaves a stack is as it was.
"""

from collections.abc import Mapping

from torch import Tensor, nn

EPSILON = nn.LayerNorm(1).eps
ADDS = ("attention.fc_out.weight", "attention.fc_out.bias", "feed_forward.fc_out.weight", "feed_forward.fc_out.bias")
READS = (
    "self_attention.to_queries.weight", "self_attention.to_keys.weight", "self_attention.to_values.weight",
    "cross_attention.to_queries.weight", "feed_forward.fc_in.weight",
)  # fmt: skip


def with_our_epsilon(weights: Mapping[str, Tensor], epsilon: float, *, pre_norm: bool) -> dict[str, Tensor]:
    """Weights, by our names, that compute with our epsilon what the given ones compute with theirs.

    Pre-norm stacks must have final norms. Output layer and target embedding stay one table where they are: both grow,
    and the decoder's last norm shrinks.
    """
    factor = (EPSILON / epsilon) ** 0.5
    last = {stack: _last_norm(stack, weights) for stack in ("encoder", "decoder")}
    return {name: weight * factor ** _power(name, last, pre_norm) for name, weight in weights.items()}


def _power(name: str, last: Mapping[str, str], pre_norm: bool) -> int:
    """By which power of the factor a weight grows."""
    if name == "fc_out.weight" or name.endswith(("word_embedding.weight", "positions.table.weight", *ADDS)):
        return 1
    if name.startswith(last["encoder"]):
        return 0
    if name.startswith(last["decoder"]):
        return -1
    if pre_norm:
        return 0
    return 1 if ".norm." in name else -1 if name.endswith(READS) else 0


def _last_norm(stack: str, weights: Mapping[str, Tensor]) -> str:
    """What the names of the norm begin with that the stack ends in."""
    layers = {int(name.split(".")[2]) for name in weights if name.startswith(f"{stack}.layers.")}
    final = f"{stack}.norm."
    return final if f"{final}weight" in weights else f"{stack}.layers.{max(layers)}.feed_forward_residual.norm."
