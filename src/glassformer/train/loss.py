"""What training lowers, and the same number without smoothing for judging a model."""

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glassformer.data.batches import Batch
from glassformer.errors import UserError
from glassformer.model.transformer import Transformer
from glassformer.train.config import Precision
from glassformer.train.fast import fast

CPU_CHUNK, GPU_CHUNK = 2**22, 2**27  # logits at a time


def label_smoothed_loss(logits: Tensor, targets: Tensor, pad_idx: int, smoothing: float) -> Tensor:
    """Cross-entropy in nats between logits (n, t, v) and targets (n, t), summed over the tokens that are not padding.

    With smoothing s the right token is asked to have 1 - s + s/v, any other s/v (section 5.4; Szegedy et al. 2016).
    A sum, so that the caller divides once by the real tokens of all micro-batches together: a mean of means would
    give short batches more weight.
    """
    rows = at_least_float32(logits.flatten(0, 1))
    return F.cross_entropy(rows, targets.flatten(), ignore_index=pad_idx, label_smoothing=smoothing, reduction="sum")


class ModelLoss(nn.Module):
    """A model and its loss as one module: what a training step calls, so that DDP sees all of it as one forward."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, pad_idx: int, smoothing: float) -> Tensor:
        """`label_smoothed_loss` of the model's logits for this batch, without ever holding all of them.

        Where somebody else has a say in the logits, or looks at them, the model is asked for them.
        """
        model = self.model
        if logits_are_wanted(model):
            return label_smoothed_loss(model(batch.src, batch.trg_in), batch.trg_out, pad_idx, smoothing)
        memory = model.encode(batch.src)
        decoded = model.decode(batch.trg_in, memory, model.make_src_mask(batch.src)).flatten(0, 1)
        kind = decoded.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else decoded.dtype
        weight, bias = model.fc_out.weight.to(dtype), model.fc_out.bias.to(dtype)
        return output_loss(decoded.to(dtype), weight, bias, batch.trg_out.flatten(), pad_idx, smoothing)


def logits_are_wanted(model: Transformer) -> bool:
    """Whether the model or its output layer has a hook (as under `watch`) or a way of its own to make logits."""
    layer = model.fc_out
    hooked = any(
        hooks
        for module in (model, layer)
        for hooks in (
            module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks,
        )
    )  # fmt: skip
    own = type(model).forward is not Transformer.forward or "forward" in vars(model) or "forward" in vars(layer)
    return hooked or own or type(layer) is not nn.Linear or layer.bias is None


def output_loss(
    decoded: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, pad_idx: int, smoothing: float
) -> Tensor:
    """`label_smoothed_loss` of the logits decoded (r, e) x weight (v, e) + bias (v,), by `OutputLoss`."""
    loss: Tensor = OutputLoss.apply(  # type: ignore[no-untyped-call]
        decoded, weight, bias, targets, pad_idx, smoothing, torch.is_grad_enabled()
    )
    return loss


class OutputLoss(torch.autograd.Function):
    """The output layer and the label-smoothed cross-entropy together, a few rows at a time.

    With z = W x + b the logits of a row, y its target and s the smoothing, the loss is
    logsumexp(z) - (1 - s) z_y - s mean(z), and its gradient for z softmax(z) - s/v, less 1 - s at y.
    The logits are the largest tensor of a training step. Here each chunk of them is made, turned into its gradient
    in place and multiplied back at once, in the forward pass: memory no longer grows with rows x v.
    """

    @staticmethod
    def forward(
        ctx: Any, decoded: Tensor, weight: Tensor, bias: Tensor,
        targets: Tensor, pad_idx: int, smoothing: float, with_gradient: bool,
    ) -> Tensor:  # fmt: skip
        v, dtype = len(weight), torch.promote_types(weight.dtype, torch.float32)
        total = torch.zeros((), dtype=dtype, device=decoded.device)
        if with_gradient:
            to_decoded = torch.empty_like(decoded)
            to_weight, to_bias = torch.zeros_like(weight, dtype=dtype), torch.zeros_like(bias, dtype=dtype)
        rows = max(1, (CPU_CHUNK if decoded.device.type == "cpu" else GPU_CHUNK) // v)
        for start in range(0, len(decoded), rows):
            x, y = decoded[start : start + rows], targets[start : start + rows, None]
            z = at_least_float32(F.linear(x, weight, bias))
            z.sub_(z.amax(dim=1, keepdim=True))  # now no power overflows, and no digit is lost to a common offset
            asked = (1 - smoothing) * z.gather(1, y)
            if smoothing:
                asked += smoothing * z.mean(dim=1, keepdim=True)
            powers = z.exp_()  # once, for the loss and for its gradient
            sums, padding = powers.sum(dim=1, keepdim=True), y == pad_idx
            total += (sums.log() - asked).masked_fill(padding, 0).sum()
            if with_gradient:
                real = (~padding).to(dtype)
                wrong = torch.addcmul(-smoothing / v * real, powers, real / sums, out=powers)
                to_z = wrong.scatter_add_(1, y, (smoothing - 1) * real).to(weight.dtype)
                torch.mm(to_z, weight, out=to_decoded[start : start + rows])
                to_weight += to_z.T @ x
                to_bias += to_z.sum(dim=0)
        if with_gradient:
            ctx.save_for_backward(to_decoded, to_weight.to(weight.dtype), to_bias.to(bias.dtype))
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        gradients = [(part.to(grads[0].dtype) * grads[0]).to(part.dtype) for part in ctx.saved_tensors]
        return (*gradients, None, None, None, None)


def at_least_float32(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


@torch.no_grad()
def validation_loss(
    model: Transformer, batches: Iterable[Batch], *, precision: Precision = "auto", pad_idx: int | None = None
) -> float:
    """Nats per real target token, without smoothing and without dropout; e to this power is the perplexity.

    `pad_idx` is the model's own unless it has none. Raises UserError when there is no token to judge.
    """
    pad_idx = model.config.trg_pad_idx if pad_idx is None else pad_idx
    if pad_idx is None:
        raise UserError("this model has no trg_pad_idx: name the id that fills up its targets with pad_idx=...")
    was_training, total, tokens = model.training, 0.0, 0
    loss_of = ModelLoss(model).eval()
    for batch in batches:
        with fast(model, precision):
            total += loss_of(batch.to(model.device), pad_idx, 0.0).item()
        tokens += batch.real_tokens
    model.train(was_training)
    if tokens == 0:
        raise UserError("there is no validation sentence: a loss over nothing is no number.")
    return total / tokens
