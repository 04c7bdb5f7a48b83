"""What is measured of two sides: logits and gradients with the same weights, and how even attention is at the start."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from glassformer.exchange.compare.sides import Ours, Weights
from glassformer.model.config import TransformerConfig
from glassformer.train.loss import label_smoothed_loss

SENTENCES, LENGTH = 4, 20
KINDS = ("encoder", "decoder", "cross")
SHARED = ("decoder.word_embedding.weight", "encoder.word_embedding.weight")  # with the output layer, in this order


@dataclass(frozen=True)
class Difference:
    """The largest difference of any logit at a word, and of any gradient of the loss, and how large they are."""

    carrier: str  # the side whose weights both had
    logits: float
    largest_logit: float
    gradients: float
    largest_gradient: float


class NotComparable(Exception):
    """Why two sides cannot be given the same weights, or the same sentences."""


def same_weights(a: Ours, b: Ours) -> Difference:
    """Both with one set of weights, on the same random batch, in float64. Raises NotComparable, saying why."""
    # Code of others gives its weights, because ours can hold them; of two of ours the one with more shared tables.
    carrier, other = (b, a) if not a.is_code and (b.is_code or ties(b) > ties(a)) else (a, b)
    leaves = {name: tensor.requires_grad_() for name, tensor in carrier.weights().items()}
    translated = fitted(carrier.as_ours(leaves), carrier, other)
    batch = random_batch(carrier.measured, other.measured)
    one = logits_and_gradients(lambda src, trg: carrier.logits(leaves, src, trg), leaves, *batch)
    two = logits_and_gradients(lambda src, trg: other.logits(translated, src, trg), leaves, *batch)
    return difference(carrier.name, one, two)


def own_weights(a: Ours, b: Ours) -> tuple[float, float]:
    """Two trained models, each with its own weights: the largest difference of logits, and the largest logit."""
    sizes = [(side.measured.src_vocab_size, side.measured.trg_vocab_size) for side in (a, b)]
    if sizes[0] != sizes[1] or not (a.trained and b.trained):
        raise NotComparable("only trained models with vocabularies of the same sizes have numbers to compare")
    src, trg, pad_idx = random_batch(a.measured, b.measured)
    words = (trg != pad_idx)[:, :-1, None]
    with torch.no_grad():
        one, two = (side.logits(side.weights(), src, trg[:, :-1]) * words for side in (a, b))
    return float((one - two).abs().max()), float(one.abs().max())


def fitted(weights: Weights, carrier: Ours, other: Ours) -> Weights:
    """`weights`, by our names, as `other` takes them; only final norms at their start may be missing on a side."""
    shapes = other.shapes()
    for name, tensor in weights.items():
        if name not in shapes and not (is_final_norm(name) and torch.equal(tensor, norm_start(name, tensor))):
            raise NotComparable(f"{carrier.name} has {name}, for which {other.name} has no place")
        if name in shapes and shapes[name] != tensor.shape:
            raise NotComparable(
                f"{name} is {list(tensor.shape)} in {carrier.name} and {list(shapes[name])} in {other.name}"
            )
    missing = [name for name in shapes if name not in weights]
    for name in missing:
        if not is_final_norm(name):
            raise NotComparable(f"{other.name} has {name}, which {carrier.name} has not")
    for name in SHARED[: ties(other)]:
        if not torch.equal(weights[name], weights["fc_out.weight"]):
            raise NotComparable(f"{other.name} has one table for {name} and the output, {carrier.name} has two")
    some = next(iter(weights.values()))
    added = {name: norm_start(name, some.new_empty(shapes[name])) for name in missing}
    return {name: tensor for name, tensor in weights.items() if name in shapes} | added


def ties(side: Ours) -> int:
    """How many word tables are the output layer's too."""
    return {"none": 0, "two-way": 1, "three-way": 2}[side.config.tie_embeddings]


def is_final_norm(name: str) -> bool:
    return name.startswith(("encoder.norm.", "decoder.norm."))


def norm_start(name: str, like: Tensor) -> Tensor:
    return torch.ones_like(like) if name.endswith("weight") else torch.zeros_like(like)


def difference(carrier: str, one: tuple[Tensor, Weights], two: tuple[Tensor, Weights]) -> Difference:
    return Difference(
        carrier=carrier,
        logits=float((one[0] - two[0]).abs().max()),
        largest_logit=float(one[0].abs().max()),
        gradients=max(float((gradient - two[1][name]).abs().max()) for name, gradient in one[1].items()),
        largest_gradient=max(float(gradient.abs().max()) for gradient in one[1].values()),
    )


def logits_and_gradients(
    run: Callable[[Tensor, Tensor], Tensor], leaves: Mapping[str, Tensor], src: Tensor, trg: Tensor, pad_idx: int
) -> tuple[Tensor, Weights]:
    """Logits at words, and the gradient of the mean cross-entropy for each leaf."""
    logits = run(src, trg[:, :-1])
    targets = trg[:, 1:]
    loss = label_smoothed_loss(logits, targets, pad_idx, 0.0) / (targets != pad_idx).sum()
    gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)
    words = (trg != pad_idx)[:, :-1, None]
    return logits.detach() * words, dict(zip(leaves, gradients, strict=True))


def random_batch(a: TransformerConfig, b: TransformerConfig, *, padded: bool = True) -> tuple[Tensor, Tensor, int]:
    """(n, s) and (n, t+1) random words that both know, padded on the right by unequal amounts; and the target's pad.

    Padding is that of `a`.
    """
    dice = torch.Generator().manual_seed(0)
    length = min(LENGTH, a.max_length, b.max_length)
    trg_pad = 0 if a.trg_pad_idx is None else a.trg_pad_idx
    src_words, trg_words = min(a.src_vocab_size, b.src_vocab_size), min(a.trg_vocab_size, b.trg_vocab_size)
    src = sentences(src_words, a.src_pad_idx, length, padded, dice)
    trg = sentences(trg_words, trg_pad, length + 1, padded, dice)
    return src, trg, trg_pad


def sentences(words: int, pad_idx: int, length: int, padded: bool, dice: torch.Generator) -> Tensor:
    tokens = torch.randint(0, max(1, words - 1), (SENTENCES, length), generator=dice)
    tokens = (tokens + (tokens >= pad_idx)).clamp(max=words - 1)  # any id but padding
    for row in range(1, SENTENCES if padded else 1):
        tokens[row, max(2, length - 2 * row) :] = pad_idx
    return tokens


class Attentions(TorchFunctionMode):
    """Sees the weights (n, h, q, k) of every attention computed while it is on, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.multi_head_attention_forward:  # its kernel keeps the weights to itself unless asked for them
            answer: Any = func(*args, **kwargs | dict(need_weights=True, average_attn_weights=False))
            self.weights.append(answer[1])
            return answer[0], None
        result = func(*args, **kwargs)
        if func is Tensor.softmax:
            self.weights.append(result)
        return result


def entropy_at_start(side: Ours, seed: int = 0) -> dict[str, tuple[float, float]]:
    """`entropies` with random weights as they are before training, on `LENGTH` random words without padding."""
    src, trg, _ = random_batch(side.measured, side.measured, padded=False)
    weights = side.start(seed)
    return entropies(lambda: side.logits(weights, src, trg[:, :-1]), side.measured.encoder.layers)


@torch.no_grad()
def entropies(run: Callable[[], object], encoder_layers: int) -> dict[str, tuple[float, float]]:
    """For each kind of attention in one forward pass: the mean entropy of a row over layers, heads and queries, and
    the most possible, in nats. Even attention to k keys has ln k.
    """
    with Attentions() as seen:
        run()
    decoder = seen.weights[encoder_layers:]
    found = seen.weights[:encoder_layers], decoder[0::2], decoder[1::2]
    return {kind: mean_entropy(weights) for kind, weights in zip(KINDS, found, strict=True)}


def mean_entropy(weights: list[Tensor]) -> tuple[float, float]:
    rows = torch.stack(weights)
    keys = (rows > 0).sum(dim=-1)
    return float(-torch.special.xlogy(rows, rows).sum(dim=-1).mean()), float(keys.double().log().mean())
