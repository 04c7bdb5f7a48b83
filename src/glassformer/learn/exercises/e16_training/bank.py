"""16: one update, and the ways in which it goes wrong. Compared are the parameters after three of them, in float64."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from glassformer.learn.exercise import Bank, Function, Part, Probe, Property, Wrong
from glassformer.learn.exercises.e16_training.mistakes import OPTIMIZER_MISTAKES, STEP_MISTAKES
from glassformer.learn.weights import normal

MicroBatches = Sequence[tuple[Tensor, Tensor]]
PAD = 3


def make_optimizer(wrong: Wrong, model: nn.Module, rate: float) -> torch.optim.Optimizer:
    parameters = list(model.parameters())
    if "frozen-parameters" in wrong:
        parameters = [parameter for parameter in parameters if parameter.ndim > 1]
    if "plain-gradient-descent" in wrong:
        return torch.optim.SGD(parameters, lr=rate)
    if "rate-ignored" in wrong:
        rate = 1e-3
    betas = (0.9, 0.98)
    if "default-betas" in wrong:
        betas = (0.9, 0.999)
    if "betas-swapped" in wrong:
        betas = (0.98, 0.9)
    eps = 1e-8 if "default-epsilon" in wrong else 1e-9
    if "weight-decay" in wrong:
        return torch.optim.AdamW(parameters, lr=rate, betas=betas, eps=eps)
    return torch.optim.Adam(parameters, lr=rate, betas=betas, eps=eps)


def train_step(
    wrong: Wrong,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    micro_batches: MicroBatches,
    pad_idx: int,
    clip_norm: float,
    rate: float,
) -> float:
    if "eval-left-on" not in wrong:
        model.train()
    if "zero-grad-missing" not in wrong:
        optimizer.zero_grad()
    weights = weights_of(wrong, micro_batches, pad_idx)
    total = 0.0
    for (src, trg), weight in zip(micro_batches, weights, strict=True):
        if "zero-grad-in-the-loop" in wrong or "step-for-each-micro-batch" in wrong:
            optimizer.zero_grad()
        given, asked = (trg, trg) if "not-shifted" in wrong else (trg[:, :-1], trg[:, 1:])
        ignored = -100 if "pad-counted" in wrong else pad_idx
        logits = model(src, given).flatten(0, 1)
        part = cross_entropy(logits, asked.flatten(), ignore_index=ignored, reduction="sum") * weight
        part.backward()  # type: ignore[no-untyped-call]
        total += part.item()
        if "clip-each-micro-batch" in wrong or "step-for-each-micro-batch" in wrong:
            clip_grad_norm_(model.parameters(), clip_norm)
        if "step-for-each-micro-batch" in wrong:
            update(wrong, optimizer, rate)
    if "zero-grad-before-step" in wrong:
        optimizer.zero_grad()
    if "step-for-each-micro-batch" not in wrong:
        clip_and_update(wrong, model, optimizer, clip_norm, rate)
    return total


def weights_of(wrong: Wrong, micro_batches: MicroBatches, pad_idx: int) -> list[float]:
    """What the sum of each micro-batch's token losses is multiplied by."""
    first = 0 if "not-shifted" in wrong else 1
    counts = [int((trg[:, first:] != pad_idx).sum()) for _, trg in micro_batches]
    if "pad-counted" in wrong:
        counts = [trg[:, first:].numel() for _, trg in micro_batches]
    if "means-added" in wrong or "step-for-each-micro-batch" in wrong:
        return [1 / count for count in counts]
    if "per-batch-not-per-token-average" in wrong:
        return [1 / count / len(counts) for count in counts]
    return [1.0 if "sum-not-mean" in wrong else 1 / sum(counts)] * len(counts)


def clip_and_update(
    wrong: Wrong, model: nn.Module, optimizer: torch.optim.Optimizer, clip_norm: float, rate: float
) -> None:
    if "clip-after-step" in wrong:
        update(wrong, optimizer, rate)
        clip_grad_norm_(model.parameters(), clip_norm)
        return
    if "clip-by-value" in wrong:
        clip_grad_value_(model.parameters(), clip_norm)
    elif not wrong & {"clip-missing", "clip-each-micro-batch"}:
        clip_grad_norm_(model.parameters(), clip_norm)
    update(wrong, optimizer, rate)


def update(wrong: Wrong, optimizer: torch.optim.Optimizer, rate: float) -> None:
    if "rate-set-after-step" in wrong:
        optimizer.step()
    if "rate-not-set" not in wrong:
        for group in optimizer.param_groups:
            group["lr"] = rate
    if "rate-set-after-step" not in wrong:
        optimizer.step()


class Tiny(nn.Module):
    """A model of three matrices and two biases. In training it silences every other channel, as dropout might."""

    def __init__(self, seed: int, vocabulary: int = 9, size: int = 6) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.words = nn.Parameter(normal(vocabulary, size, generator=generator))
        self.inner = nn.Parameter(normal(size, size, generator=generator, std=0.5))
        self.inner_bias = nn.Parameter(normal(size, generator=generator, std=0.5))
        self.outer = nn.Parameter(normal(size, vocabulary, generator=generator))
        self.outer_bias = nn.Parameter(normal(vocabulary, generator=generator, std=0.5))

    def forward(self, src: Tensor, trg_in: Tensor) -> Tensor:
        source = self.words[src].mean(dim=1, keepdim=True)
        hidden = ((self.words[trg_in] + source) @ self.inner + self.inner_bias).tanh()
        if self.training:
            hidden = hidden * torch.tensor([2.0, 0.0] * (hidden.size(-1) // 2), dtype=hidden.dtype)
        logits = hidden @ self.outer + self.outer_bias
        return logits


class OneRow(nn.Module):
    """The same logits at every position, small enough to show. In training they count twice."""

    def __init__(self, row: Sequence[float]) -> None:
        super().__init__()
        self.row = nn.Parameter(torch.tensor(row, dtype=torch.float64))

    def forward(self, src: Tensor, trg_in: Tensor) -> Tensor:
        logits = (2 if self.training else 1) * self.row.expand(*trg_in.shape, -1)
        return logits


def after_updates(make: Function, model: nn.Module, rate: float, gradients: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """The parameters after updates with these gradients."""
    optimizer = make(model, rate)
    for step in gradients:
        for parameter, gradient in zip(model.parameters(), step, strict=True):
            parameter.grad = gradient.clone()
        optimizer.step()
    return [parameter.detach().clone() for parameter in model.parameters()]


def optimizer_drive(function: Function, seed: int, rate: float, size: float) -> list[Tensor]:
    """Three updates with random gradients of this size; rounded to float32."""
    generator = torch.Generator().manual_seed(seed)
    model = Tiny(seed)
    gradients = [
        [normal(*parameter.shape, generator=generator, std=size) for parameter in model.parameters()] for _ in range(3)
    ]
    return [parameter.float() for parameter in after_updates(function, model, rate, gradients)]


def random_batches(seed: int, sizes: Sequence[Sequence[tuple[int, ...]]]) -> list[list[tuple[Tensor, Tensor]]]:
    """For each step, micro-batches of sentences of these lengths; the vocabulary has nine entries."""
    generator = torch.Generator().manual_seed(seed)
    entries = torch.tensor([entry for entry in range(9) if entry != PAD])

    def micro_batch(lengths: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        n, t = len(lengths), max(lengths)
        src, trg = (entries[torch.randint(8, (n, t), generator=generator)] for _ in range(2))
        trg[torch.arange(t) >= torch.tensor(lengths).unsqueeze(1)] = PAD
        return src, trg

    return [[micro_batch(lengths) for lengths in step] for step in sizes]


def step_drive(
    function: Function, kind: str, seed: int, steps: Sequence[MicroBatches], clip_norm: float, rates: Sequence[float]
) -> list[Any]:
    """The losses and the parameters of updates, each after a validation, the first with an old gradient lying about."""
    model = Tiny(seed)
    optimizer = optimizer_of(kind, model)
    losses = []
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    for micro_batches, rate in zip(steps, rates, strict=True):
        model.eval()
        losses.append(as_number(function(model, optimizer, micro_batches, PAD, clip_norm, rate)))
    return [losses, [parameter.detach().float() for parameter in model.parameters()]]


def optimizer_of(kind: str, model: nn.Module) -> torch.optim.Optimizer:
    if kind == "Adam":
        return torch.optim.Adam(model.parameters(), lr=0.003)
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)


def as_number(loss: Any) -> Any:
    """A loss as float32, whether it comes as a number or as a tensor of one."""
    if isinstance(loss, Tensor) and loss.numel() == 1:
        loss = loss.item()
    return torch.tensor(loss, dtype=torch.float32) if isinstance(loss, int | float) else loss


def optimizer_probes() -> list[Probe]:
    return [
        Probe(label="gradients of order 1", arguments=(1, 0.02, 1.0), drive=optimizer_drive),
        Probe(label="gradients of order 1e-8", arguments=(2, 0.05, 1e-8), drive=optimizer_drive),
    ]


def step_probes() -> list[Probe]:
    steps = random_batches(3, [[(5, 3), (2, 2, 3)], [(4,), (6, 2), (3, 3)], [(3, 5, 2)]])
    return [
        Probe(
            label="three updates, tightly clipped",
            arguments=("SGD", 4, steps, 0.3, (0.2, 0.4, 0.1)),
            drive=step_drive,
        ),
        Probe(
            label="three updates, hardly clipped",
            arguments=("SGD", 5, steps, 3.0, (0.1, 0.05, 0.2)),
            drive=step_drive,
        ),
        Probe(label="three updates of Adam", arguments=("Adam", 6, steps, 0.5, (0.01, 0.02, 0.005)), drive=step_drive),
    ]


def optimizer_examples() -> list[Probe]:
    def drive(function: Function) -> dict[str, Tensor]:
        model = nn.Linear(2, 1, dtype=torch.float64)
        nn.init.ones_(model.weight)
        nn.init.zeros_(model.bias)
        gradients = (torch.tensor([[1, 1e-9]], dtype=torch.float64), torch.tensor([-2], dtype=torch.float64))
        after = after_updates(function, model, 1.0, [[size * each for each in gradients] for size in (1, -2, 4)])
        return dict(zip(("weight", "bias"), after, strict=True))

    return [
        Probe(
            label="three numbers",
            arguments=(),
            drive=drive,
            shown="make_optimizer(model, rate=1), the model has weight [[1, 1]] and bias [0].\n"
            "After three steps with gradients [[1, 1e-9]] and [-2], then -2 times those,\n"
            "then 4 times those, it has",
        )
    ]


def step_examples() -> list[Probe]:
    def drive(function: Function, clip_norm: float) -> dict[str, Any]:
        model = OneRow([0, 0, 0, 0])
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        model.row.grad = torch.ones_like(model.row)
        model.eval()
        src = torch.tensor([[1]])
        micro_batches = [(src, torch.tensor([[0, 2, 2, 2]])), (src, torch.tensor([[0, 1, PAD]]))]
        loss = function(model, optimizer, micro_batches, PAD, clip_norm, 1.0)
        return {"loss": loss, "row": model.row.detach()}

    shown = (
        "train_step(model, optimizer, micro_batches, pad_idx=3, clip_norm={clip_norm}, rate=1)\n"
        "  targets of the micro-batches [[0, 2, 2, 2]] and [[0, 1, 3]]\n"
        "  the model answers the same row of logits everywhere, twice that in training;\n"
        "  row = [0, 0, 0, 0], its grad from before is [1, 1, 1, 1]; SGD(lr=0.5)"
    )
    return [
        Probe(
            label=f"clip_norm {clip_norm}",
            arguments=(clip_norm,),
            drive=drive,
            shown=shown.format(clip_norm=clip_norm),
        )
        for clip_norm in (10, 0.5)
    ]


def two_micro_batches_are_one_batch(function: Function) -> bool:
    ((long, short),) = random_batches(7, [[(5, 4), (2, 3)]])
    wide = [torch.nn.functional.pad(side, (0, 2), value=PAD) for side in short]
    # The source's padding is averaged by this model, so that it is the same in both.
    together = [(torch.cat([long[0][:, :3], short[0]]), torch.cat([long[1], wide[1]]))]
    apart = [(long[0][:, :3], long[1]), short]
    return torch.allclose(row_after(function, together), row_after(function, apart))


def row_after(function: Function, micro_batches: MicroBatches, grad: float = 0.0, clip_norm: float = 100.0) -> Tensor:
    """All parameters in one row after one update."""
    model = Tiny(8)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, grad)
    function(model, torch.optim.SGD(model.parameters(), lr=0.1), micro_batches, PAD, clip_norm, 0.1)
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def old_gradients_do_not_matter(function: Function) -> bool:
    (micro_batches,) = random_batches(9, [[(5, 4), (2, 3)]])
    return torch.allclose(row_after(function, micro_batches), row_after(function, micro_batches, grad=1.0))


def no_step_is_longer_than_allowed(function: Function) -> bool:
    (micro_batches,) = random_batches(10, [[(5, 4), (2, 3)]])
    start = torch.cat([parameter.detach().flatten() for parameter in Tiny(8).parameters()])
    step = row_after(function, micro_batches, clip_norm=0.01) - start
    return bool(step.norm() <= 0.1 * 0.01 * 1.001)


def every_parameter_moves(make: Function) -> bool:
    model = Tiny(11)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    after = after_updates(make, model, 0.1, [[torch.ones_like(parameter) for parameter in model.parameters()]])
    return all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def without_gradient_nothing_moves(make: Function) -> bool:
    model = Tiny(12)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    after = after_updates(make, model, 0.1, [[torch.zeros_like(parameter) for parameter in model.parameters()]])
    return all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def read_the_settings(make: Function) -> str | None:
    """Adam's own settings, as the optimizer tells them."""
    optimizer = make(Tiny(13), 0.1)
    found = {name: optimizer.param_groups[0].get(name) for name in ("lr", "betas", "eps", "weight_decay")}
    expected = {"lr": 0.1, "betas": (0.9, 0.98), "eps": 1e-9, "weight_decay": 0}
    said = [f"{name} = {found[name]}, expected {expected[name]}" for name in expected if found[name] != expected[name]]
    return f"your optimizer says {'; '.join(said)}" if said else None


BANK = Bank(
    parts=(
        Part(
            function="make_optimizer",
            asked="Adam(every parameter, rate, betas 0.9 and 0.98, epsilon 1e-9)",
            result="an optimizer",
            reference=make_optimizer,
            mistakes=OPTIMIZER_MISTAKES,
            probes=optimizer_probes,
            examples=optimizer_examples,
            properties=(
                Property(says="every parameter moves", holds=every_parameter_moves),
                Property(says="without a gradient nothing moves", holds=without_gradient_nothing_moves),
            ),
            readers=(read_the_settings,),
        ),
        Part(
            function="train_step",
            asked="zero, backward of (sum over all real tokens / their number), clip the whole gradient, step at rate",
            result="the loss and the parameters",
            reference=train_step,
            mistakes=STEP_MISTAKES,
            probes=step_probes,
            examples=step_examples,
            properties=(
                Property(says="two micro-batches are one batch", holds=two_micro_batches_are_one_batch),
                Property(says="old gradients do not matter", holds=old_gradients_do_not_matter),
                Property(says="no step is longer than rate x clip_norm", holds=no_step_is_longer_than_allowed),
            ),
            # The next step's zero_grad forgets what was clipped too late.
            synonyms=(("clip-after-step", "clip-missing"),),
            pairs=False,  # an update is no pure function: one mistake at a time
        ),
    )
)
