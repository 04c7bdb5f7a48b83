"""The next token of every row, two ways: through the model's own `decode`, or by a decoder packed for stepping.

The packed one computes the same numbers (tested to 1e-12) and does less: queries, keys and values come from one
product; keys and values stand where the batched product wants them, in place and with room for the next tokens; those
of the source are shared by all hypotheses of a sentence; the output layer is reordered for the machine. It reads
weights, so nobody could watch or change a value inside it: `packs` says which models are so plain that nobody does.
"""

import math
from functools import cache, partial
from typing import NamedTuple, Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.overrides import _get_current_function_mode_stack

from glassformer.decode.linears import Apply, joined, output_layer, prepared
from glassformer.decode.quantize import Int8Linear
from glassformer.model.attention import MultiHeadAttention, attention
from glassformer.model.blocks import DecoderBlock, FeedForward, PostNorm, PreNorm
from glassformer.model.cache import Cache
from glassformer.model.fused import fused_attention
from glassformer.model.positions import LearnedPositions, NoPositions, SinusoidalPositions
from glassformer.model.transformer import Decoder, Transformer, check_length

KNOWN = {
    Decoder, DecoderBlock, MultiHeadAttention, FeedForward, PostNorm, PreNorm, LearnedPositions, SinusoidalPositions,
    NoPositions, nn.Linear, Int8Linear, nn.LayerNorm, nn.Embedding, nn.Dropout, nn.Identity, nn.ModuleList,
}  # fmt: skip
ROOM = 16  # keys are kept in multiples of so many: torch multiplies shorter ones by a kernel six times as slow


class Stepper(Protocol):
    """Rows being written; a row is a sentence, or one of its hypotheses, and `beam` rows in a row share a source."""

    def step(self, last: Tensor) -> Tensor:
        """Logits (r, v) of the token after `last` (r,), each row's newest token."""

    def select(self, rows: Tensor, beam: int) -> None:
        """Keep these rows, in this order; each `beam` of them in a row belong to one sentence, as before."""

    def follow(self, rows: Tensor) -> None:
        """`select` among the rows of the same sentence: what was read from the source stays where it is."""


def stepper(model: Transformer, src: Tensor, start_id: int, beam: int) -> Stepper:
    """The fastest right one for these sources (n, s), each to have up to `beam` rows.

    Inside of inference mode, the model in evaluation mode.
    """
    memory, src_mask = model.encode(src), model.make_src_mask(src)
    if packs(model, start_id):
        return PackedStepper(model, memory, src_mask, rows=len(src) * beam)
    return PlainStepper(model, memory, src_mask)


def packs(model: Transformer, start_id: int) -> bool:
    """Whether the packed decoder may stand for the model's own, seen when writing begins.

    It may where everything is exactly ours, written out or fused: no subclass, no replaced method, no hook, no
    torch function mode such as `watch`, no autocast; and where it pays: on a CPU, in float32, float64 or bfloat16. A
    start that is padding hides itself, which only the plain path does.
    """
    modules = [*model.decoder.modules(), model.fc_out]
    parameters = [*model.decoder.parameters(), *model.fc_out.parameters()]
    return (
        type(model) is Transformer
        and all(type(module) in KNOWN for module in modules)
        and all(_untouched(module) for module in (model, *modules))
        and all(type(parameter) is nn.Parameter and parameter.device.type == "cpu" for parameter in parameters)
        and {parameter.dtype for parameter in parameters} in ({torch.float32}, {torch.float64}, {torch.bfloat16})
        and len({type(module) for module in modules if isinstance(module, nn.Linear | Int8Linear)}) == 1
        and len({module.heads for module in modules if isinstance(module, MultiHeadAttention)}) == 1
        and start_id != model.config.trg_pad_idx
        and not (torch_module._global_forward_hooks or torch_module._global_forward_pre_hooks)
        and not _get_current_function_mode_stack()  # type: ignore[no-untyped-call]
        and not torch.is_autocast_enabled("cpu")
    )


def _untouched(module: nn.Module) -> bool:
    """No hook, no method of its own, and nothing that the packed decoder would pass over."""
    return (
        not (module._forward_hooks or module._forward_pre_hooks)
        and vars(module).keys().isdisjoint(_names(type(module)))  # type: ignore[arg-type]
        and getattr(module, "attend", attention) in (attention, fused_attention)
        and getattr(module, "max_norm", None) is None
        and getattr(module, "bias", True) is not None
    )


@cache
def _names(kind: type[nn.Module]) -> frozenset[str]:
    """Everything that its instances share."""
    return frozenset(dir(kind))


class PlainStepper:
    """`model.decode` with its cache: everything that watches or changes the model sees each step."""

    def __init__(self, model: Transformer, memory: Tensor, src_mask: Tensor) -> None:
        self.model, self.memory, self.src_mask = model, memory, src_mask
        self.cache = Cache(len(model.decoder.layers))

    def step(self, last: Tensor) -> Tensor:
        decoded = self.model.decode(last.unsqueeze(1), self.memory, self.src_mask, self.cache)
        logits: Tensor = self.model.fc_out(decoded[:, -1])
        return logits

    def select(self, rows: Tensor, beam: int) -> None:
        self.memory, self.src_mask = self.memory.index_select(0, rows), self.src_mask.index_select(0, rows)
        self.cache.select(rows)

    def follow(self, rows: Tensor) -> None:
        if self.cache.tokens is not None:
            self.cache.tokens = self.cache.tokens.index_select(0, rows)
        for layer in self.cache.layers:
            if layer.self_attention is not None:
                layer.self_attention.select(rows)


class PackedStepper:
    """The decoder of a plain model, one token of each row at a time; fastest for about as many as `rows`."""

    def __init__(self, model: Transformer, memory: Tensor, src_mask: Tensor, rows: int) -> None:
        self.decoder, self.max_length, self.pad_id = model.decoder, model.config.max_length, model.config.trg_pad_idx
        self.beam, self.length, self.heads = 1, 0, model.config.decoder.heads
        self.layers = [PackedLayer(cast(DecoderBlock, layer), memory, rows) for layer in model.decoder.layers]
        self.fc_out = output_layer(model.fc_out, rows)
        self.src_hidden = hidden(~F.pad(src_mask[:, 0, 0], (0, -memory.size(1) % ROOM)), memory.dtype)  # (n, s)
        self.trg_hidden = memory.new_empty(len(memory), 0)  # (r, k)
        self.positions = memory.new_empty(0, memory.size(2))

    def step(self, last: Tensor) -> Tensor:
        here = self.length
        if here == len(self.positions):
            self.make_room(last)
        # Padding that a caller writes on purpose is hidden, as the model's own mask hides it.
        self.trg_hidden[:, here] = 0 if self.pad_id is None else hidden(last == self.pad_id, self.trg_hidden.dtype)
        now = Now(here, self.beam, self.for_heads(self.trg_hidden), self.for_heads(self.src_hidden))
        stream = self.decoder.word_embedding(last) * self.decoder.scale + self.positions[here]
        for layer in self.layers:
            stream = layer.step(stream, now)
        self.length += 1
        logits: Tensor = self.fc_out(self.decoder.norm(stream))
        return logits

    def for_heads(self, hidden: Tensor) -> Tensor:
        """(n, k) -> (n x h, 1, k), as the batched product of all heads adds it."""
        return hidden.repeat_interleave(self.heads, dim=0).unsqueeze(1)

    def make_room(self, last: Tensor) -> None:
        """Space for the next tokens. Raises ValueError at the model's max_length."""
        check_length("trg", last.new_zeros(len(last), self.length + 1), None, self.max_length)
        more = self.positions.new_zeros(1, min(ROOM, self.max_length - self.length), self.positions.size(1))
        self.positions = torch.cat([self.positions, self.decoder.positions(more, self.length)[0]])
        self.trg_hidden = F.pad(self.trg_hidden, (0, ROOM), value=-math.inf)
        for layer in self.layers:
            layer.trg = F.pad(layer.trg, (0, 0, 0, ROOM))

    def select(self, rows: Tensor, beam: int) -> None:
        sentences = rows[::beam] // self.beam
        self.src_hidden = self.src_hidden.index_select(0, sentences)
        self.trg_hidden = self.trg_hidden.index_select(0, rows)
        for layer in self.layers:
            layer.src, layer.trg = layer.src.index_select(1, sentences), layer.trg.index_select(1, rows)
        self.beam = beam

    def follow(self, rows: Tensor) -> None:
        if torch.equal(rows, torch.arange(len(rows), device=rows.device)):
            return
        # All rows: moving a few in place takes four times as long a row, which pays below a fifth of them.
        self.trg_hidden = self.trg_hidden.index_select(0, rows)
        for layer in self.layers:
            layer.follow(rows, self.length)


class Now(NamedTuple):
    """What all layers share in one step."""

    here: int  # the position that is written
    beam: int  # rows of one sentence
    trg_hidden: Tensor  # (r x h, 1, k): 0, or -inf where nobody may look
    src_hidden: Tensor  # (n x h, 1, s)


class PackedLayer:
    """One block of the decoder with what it remembers of the target (a row each) and of the source (a sentence each).

    Modules are taken apart, because calling one costs as much as a small product.
    """

    def __init__(self, layer: DecoderBlock, memory: Tensor, rows: int) -> None:
        own, cross, feed_forward = layer.self_attention, layer.cross_attention, layer.feed_forward
        self.project = joined([own.to_queries, own.to_keys, own.to_values], rows)
        self.own_out, self.to_queries, self.cross_out, self.fc_in, self.fc_out = (
            prepared(layer, rows)
            for layer in (own.fc_out, cross.to_queries, cross.fc_out, feed_forward.fc_in, feed_forward.fc_out)
        )
        self.activation = feed_forward.activation
        residuals = layer.self_attention_residual, layer.cross_attention_residual, layer.feed_forward_residual
        self.steps = [
            (isinstance(residual, PreNorm), normed(cast(nn.LayerNorm, residual.norm)), sublayer)
            for residual, sublayer in zip(
                residuals, (self.attend_to_target, self.attend_to_source, self.feed_forward), strict=True
            )
        ]
        self.heads, self.head_dim = own.heads, memory.size(2) // own.heads
        # Keys and values: (2, r, h, k, d) of the target, (2, n, h, s, d) of the source.
        self.trg = self.spare = memory.new_empty(2, len(memory), self.heads, 0, self.head_dim)
        offered = joined([cross.to_keys, cross.to_values], rows)(memory).view(
            *memory.shape[:2], 2, self.heads, self.head_dim
        )
        self.src = F.pad(offered.permute(2, 0, 3, 1, 4), (0, 0, 0, -memory.size(1) % ROOM)).contiguous()

    def step(self, stream: Tensor, now: Now) -> Tensor:
        """The block for position `here` of every row: (r, e) -> (r, e)."""
        for pre, norm, sublayer in self.steps:
            stream = stream + sublayer(norm(stream), now) if pre else norm(stream + sublayer(stream, now))
        return stream

    def follow(self, rows: Tensor, length: int) -> None:
        """Put the first `length` keys and values of these rows into the spare room, and let the rooms change places."""
        if self.spare.shape != self.trg.shape:
            self.spare = torch.zeros_like(self.trg)
        torch.index_select(self.trg[:, :, :, :length], 1, rows, out=self.spare[:, :, :, :length])
        self.trg, self.spare = self.spare, self.trg

    def attend_to_target(self, x: Tensor, now: Now) -> Tensor:
        projected = self.project(x).view(-1, 3, self.heads, self.head_dim)
        self.trg[:, :, :, now.here] = projected[:, 1:].transpose(0, 1)
        heads_out = attend(projected[:, 0].reshape(-1, 1, self.head_dim), self.trg, now.trg_hidden)
        return self.own_out(heads_out.view(x.shape))

    def attend_to_source(self, x: Tensor, now: Now) -> Tensor:
        queries = self.to_queries(x).view(-1, now.beam, self.heads, self.head_dim).transpose(1, 2)
        heads_out = attend(queries.reshape(-1, now.beam, self.head_dim), self.src, now.src_hidden)
        return self.cross_out(heads_out.view(queries.shape).transpose(1, 2).reshape(x.shape))

    def feed_forward(self, x: Tensor, now: Now) -> Tensor:
        return self.fc_out(self.activation(self.fc_in(x)))


def attend(queries: Tensor, keys_values: Tensor, hidden: Tensor) -> Tensor:
    """Attention of queries (n x h, q, d) to (2, n, h, k, d); `hidden` (n x h, 1, k) is added to energies."""
    keys, values = keys_values.flatten(1, 2)
    energy = torch.baddbmm(hidden, queries, keys.transpose(1, 2), alpha=keys.size(2) ** -0.5)
    return torch.bmm(energy.softmax(dim=2), values)


def normed(norm: nn.LayerNorm) -> Apply:
    return partial(
        torch.layer_norm, normalized_shape=norm.normalized_shape, weight=norm.weight, bias=norm.bias, eps=norm.eps
    )


def hidden(which: Tensor, dtype: torch.dtype) -> Tensor:
    """What is added to energies: -inf where hidden, else 0."""
    return torch.zeros_like(which, dtype=dtype).masked_fill(which, -math.inf)
