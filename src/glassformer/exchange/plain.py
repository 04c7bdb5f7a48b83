"""What every way out shares: only what another format computes as well may be written in it."""

from collections.abc import Collection

from torch import nn

from glassformer.data import Vocabulary
from glassformer.errors import UserError
from glassformer.model.attention import MultiHeadAttention, attention
from glassformer.model.blocks import RESIDUALS, DecoderBlock, EncoderBlock, FeedForward
from glassformer.model.config import TransformerConfig
from glassformer.model.fused import fused_attention
from glassformer.model.positions import POSITIONS
from glassformer.model.transformer import Decoder, Encoder, Transformer

OURS = {
    Transformer, Encoder, Decoder, EncoderBlock, DecoderBlock, MultiHeadAttention, FeedForward,
    *RESIDUALS.values(), *POSITIONS.values(),
    nn.ModuleList, nn.Linear, nn.Embedding, nn.LayerNorm, nn.Dropout, nn.Identity,
}  # fmt: skip
PENALTY = 0.4  # others divide by n^alpha: n^(0.4 alpha) is nearest to our ((5 + n) / 6)^alpha, n = 1 to 30


def refuse_others(model: Transformer, form: str, *, holds_epsilon: bool = False) -> None:
    """Raise UserError unless the model computes exactly what its config says, with weights that are numbers.

    Norms must have PyTorch's epsilon, unless the format can say another one.
    """
    for name, module in model.named_modules():
        if type(module) not in OURS:
            raise UserError(
                f"{name or 'the model'} is a {type(module).__name__}, which {form} does not compute. "
                "Export a model made of Glassformer's own modules."
            )
        if isinstance(module, MultiHeadAttention) and module.attend not in (attention, fused_attention):
            attend = getattr(module.attend, "__name__", repr(module.attend))
            raise UserError(f"{name}.attend is {attend}, which {form} does not compute. Call use_written(model) first.")
        if not holds_epsilon and isinstance(module, nn.LayerNorm) and module.eps != nn.LayerNorm(1).eps:
            raise UserError(f"{name} has eps={module.eps}, which weights do not carry. Give it PyTorch's default.")
    for name, parameter in model.named_parameters():
        if not parameter.isfinite().all():
            raise UserError(f"{name} holds what is not a number: the weights are broken. Take another checkpoint.")


def never_written(config: TransformerConfig, trg: Vocabulary, forbidden_ids: Collection[int]) -> list[int]:
    """The ids that are never written: start, padding and these. Raises UserError where they do not fit the target."""
    ids = {trg.start_id, *forbidden_ids}
    if config.trg_pad_idx is not None:
        ids.add(config.trg_pad_idx)
    if trg.end_id in ids:
        raise UserError(f"forbidden_ids={tuple(forbidden_ids)} or padding or start holds </s> ({trg.end_id}): no end.")
    if not all(0 <= number < config.trg_vocab_size for number in ids):
        raise UserError(
            f"forbidden_ids={tuple(forbidden_ids)}: ids of the target go from 0 to {config.trg_vocab_size - 1}."
        )
    return sorted(ids)
