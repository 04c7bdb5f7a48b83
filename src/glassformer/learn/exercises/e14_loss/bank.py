"""14: the loss and the ways in which it goes wrong."""

import math

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from glassformer.learn.checker.show import written
from glassformer.learn.exercise import Bank, Function, Part, Probe, Property, Wrong
from glassformer.learn.exercises.e14_loss.mistakes import MISTAKES
from glassformer.learn.weights import normal


def loss(wrong: Wrong, logits: Tensor, targets: Tensor, pad_idx: int, smoothing: float) -> Tensor:
    n, t, v = logits.shape
    if "logits-viewed-not-transposed" in wrong:
        logits = logits.reshape(n, v, t).transpose(1, 2)
    if "softmax-twice" in wrong:
        logits = logits.softmax(dim=-1)
    logs = logits.log_softmax(dim=1 if "softmax-over-positions" in wrong else -1)
    if "log-missing" in wrong:
        logs = logs.exp()
    asked = target_rows(wrong, targets, v, pad_idx, smoothing)
    token_losses = -(asked * logs).sum(dim=-1)
    if "kl-for-ce" in wrong:
        token_losses = token_losses + torch.special.xlogy(asked, asked).sum(dim=-1)
    if "sign-missing" in wrong:
        token_losses = -token_losses
    mean = averaged(wrong, token_losses, targets != (0 if "pad-is-always-0" in wrong else pad_idx))
    return mean.detach() if "no-gradient" in wrong else mean


def target_rows(wrong: Wrong, targets: Tensor, v: int, pad_idx: int, smoothing: float) -> Tensor:
    """What each position is asked to answer: a row of v probabilities."""
    if "smoothing-missing" in wrong:
        smoothing = 0
    if "smoothing-inverted" in wrong:
        smoothing = 1 - smoothing
    target = one_hot(targets, v).double()
    if "smoothing-without-padding" in wrong or "mass-to-pad" in wrong:
        others = (1 - target) * smoothing / (v - 2)
        if "mass-to-pad" not in wrong:
            others = others * (torch.arange(v) != pad_idx)
        return (1 - smoothing) * target + others
    if "smoothing-over-the-others" in wrong:
        return (1 - smoothing) * target + (1 - target) * smoothing / (v - 1)
    share = (1 - target) * smoothing / v if "target-overwritten" in wrong else smoothing / v
    return (1 - smoothing) * target + share


def averaged(wrong: Wrong, token_losses: Tensor, real: Tensor) -> Tensor:
    counted = torch.ones_like(real) if "pad-counted" in wrong else real
    token_losses = token_losses * counted
    if "sum-not-mean" in wrong:
        return token_losses.sum()
    if "mean-over-sentences" in wrong:
        return token_losses.sum() / len(real)
    if "mean-over-all-positions" in wrong:
        return token_losses.mean()
    if "mean-of-sentence-means" in wrong:
        return (token_losses.sum(dim=1) / counted.sum(dim=1)).mean()
    return token_losses.sum() / counted.sum()


def with_gradient(function: Function, logits: Tensor, targets: Tensor, pad_idx: int, smoothing: float) -> object:
    """The loss and its gradient for the logits; a gradient of zeros where none comes back."""
    value = function(logits, targets, pad_idx, smoothing)
    if isinstance(value, Tensor) and value.requires_grad and value.numel() == 1:
        torch.autograd.backward(value.sum())
    return {"loss": value, "gradient": torch.zeros_like(logits) if logits.grad is None else logits.grad}


def random_inputs(seed: int, lengths: tuple[int, ...], v: int, pad_idx: int) -> tuple[Tensor, Tensor]:
    """Logits (n, t, v) and targets (n, t) of sentences of these lengths, filled up with padding on the right."""
    generator = torch.Generator().manual_seed(seed)
    words = torch.tensor([word for word in range(v) if word != pad_idx])
    n, t = len(lengths), max(lengths)
    targets = words[torch.randint(v - 1, (n, t), generator=generator)]
    targets[torch.arange(t) >= torch.tensor(lengths).unsqueeze(1)] = pad_idx
    return (2 * normal(n, t, v, generator=generator)).requires_grad_(), targets


def probe(label: str, seed: int, lengths: tuple[int, ...], v: int, pad_idx: int, smoothing: float) -> Probe:
    logits, targets = random_inputs(seed, lengths, v, pad_idx)
    return Probe(label=label, arguments=(logits, targets, pad_idx, smoothing), drive=with_gradient)


def probes() -> list[Probe]:
    return [
        probe("two sentences, two paddings, ε = 0.3", 1, lengths=(5, 3), v=7, pad_idx=2, smoothing=0.3),
        probe("three sentences, three lengths", 2, lengths=(2, 6, 3), v=5, pad_idx=0, smoothing=0.15),
        probe("no smoothing", 3, lengths=(4, 1), v=6, pad_idx=5, smoothing=0.0),
        probe("as many entries as positions", 4, lengths=(4, 5), v=5, pad_idx=1, smoothing=0.4),
        probe("one sentence, no padding", 5, lengths=(3,), v=4, pad_idx=3, smoothing=0.2),
    ]


def examples() -> list[Probe]:
    one = torch.tensor([[[math.log(4), math.log(2), 0.0, 0.0]]], dtype=torch.float64)
    two = torch.cat([one, one.flip(2)], dim=1)
    pad = 3
    return [
        Probe(label="one token", arguments=(one, torch.tensor([[0]]), pad, 0.2), shown=shown("[[0]]", "0.2", one)),
        Probe(
            label="one token and one padding",
            arguments=(two, torch.tensor([[0, pad]]), pad, 0.2),
            shown=shown("[[0, 3]]", "0.2", two),
        ),
        Probe(
            label="a long sentence and a short one",
            arguments=(torch.cat([two, two.flip(1)]), torch.tensor([[0, 2], [0, pad]]), pad, 0.2),
            shown=shown("[[0, 2], [0, 3]]", "0.2", torch.cat([two, two.flip(1)])),
        ),
        Probe(
            label="one token and its gradient",
            arguments=(one.clone().requires_grad_(), torch.tensor([[0]]), pad, 0.2),
            drive=with_gradient,
            shown=shown("[[0]]", "0.2", one) + "; and the gradient of the logits after backward()",
        ),
    ]


def shown(targets: str, smoothing: str, logits: Tensor) -> str:
    return (
        f"loss(logits, targets={targets}, pad_idx=3, smoothing={smoothing})\n"
        f"  softmax(logits) = {written(logits.softmax(dim=-1))}"
    )


def more_padding_changes_nothing(function: Function) -> bool:
    logits, targets = random_inputs(6, lengths=(4, 3), v=6, pad_idx=2)
    wider = torch.cat([logits, logits[:, :2]], dim=1)
    padded = torch.cat([targets, torch.full_like(targets[:, :2], 2)], dim=1)
    return torch.allclose(function(wider, padded, 2, 0.2), function(logits, targets, 2, 0.2))


def each_token_counts_the_same(function: Function) -> bool:
    logits, targets = random_inputs(7, lengths=(5, 2), v=6, pad_idx=2)
    long, short = (function(logits[i : i + 1], targets[i : i + 1], 2, 0.2) for i in (0, 1))
    return torch.allclose(function(logits, targets, 2, 0.2), (5 * long + 2 * short) / 7)


def knowing_nothing_costs_ln_v(function: Function) -> bool:
    _, targets = random_inputs(8, lengths=(4, 2), v=6, pad_idx=2)
    value = function(torch.zeros(*targets.shape, 6, dtype=torch.float64), targets, 2, 0.0)
    return torch.allclose(value, torch.full_like(value, math.log(6)))


def padding_gets_no_gradient(function: Function) -> bool:
    logits, targets = random_inputs(9, lengths=(4, 2), v=6, pad_idx=2)
    function(logits, targets, 2, 0.2).backward()
    gradient = logits.grad
    return gradient is not None and bool((gradient[targets == 2] == 0).all()) and bool(gradient[targets != 2].any())


def read_the_asked_row(function: Function) -> str | None:
    """The row asked of one token, from the gradients S softmax(z) - row at two z; S is what the row adds up to."""
    v, target, pad_idx, smoothing = 5, 1, 3, 0.25
    generator = torch.Generator().manual_seed(10)
    rows, gradients = [], []
    for _ in range(3):
        logits = normal(1, 1, v, generator=generator).requires_grad_()
        function(logits, torch.tensor([[target]]), pad_idx, smoothing).backward()
        assert logits.grad is not None
        rows.append(logits.detach().softmax(dim=-1).flatten())
        gradients.append(logits.grad.flatten())
    step, change = rows[1] - rows[0], gradients[1] - gradients[0]
    total = float(step @ change / (step @ step))
    asked = total * rows[0] - gradients[0]
    if abs(total) < 1e-6 or not torch.allclose(total * rows[2] - gradients[2], asked, atol=1e-4):
        return None  # no cross-entropy of a softmax over the vocabulary
    right = target_rows(frozenset(), torch.tensor(target), v, pad_idx, smoothing)
    if torch.allclose(asked, right, atol=1e-4):
        return None
    return (
        f"with v = 5, target 1, padding 3 and ε = 0.25 you ask for {rounded(asked)}, which adds up to {total:.3g}; "
        f"expected {rounded(right)}"
    )


def rounded(row: Tensor) -> str:
    """A row of probabilities, without the last digits of float arithmetic."""
    return written((row * 1e6).round() / 1e6)


BANK = Bank(
    parts=(
        Part(
            function="loss",
            asked="mean over real tokens of -(row · log softmax(logits)), row = 1 - ε + ε/v for the target, else ε/v",
            result="a number",
            reference=loss,
            mistakes=MISTAKES,
            probes=probes,
            examples=examples,
            properties=(
                Property(says="more padding changes nothing", holds=more_padding_changes_nothing),
                Property(
                    says="each real token counts the same, whatever its sentence", holds=each_token_counts_the_same
                ),
                Property(says="a model that knows nothing pays ln v", holds=knowing_nothing_costs_ln_v),
                Property(says="only real tokens send a gradient back", holds=padding_gets_no_gradient),
            ),
            readers=(read_the_asked_row,),
            shortcuts=("cross_entropy", "CrossEntropyLoss"),
        ),
    )
)
