"""The ways in which encoder-decoders are called. Each form takes ids, batch first, and gives what the model gives."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from glassformer.errors import UserError
from glassformer.learn.diagnose.adapter import Adapter, Facts

NN_PADDING = ("src_key_padding_mask", "tgt_key_padding_mask", "memory_key_padding_mask")
TARGET_FIRST = ("trg", "tgt", "target", "decoder_input", "dec_input", "y")

HOW_TO_TELL = """Say how it is called, in the same file:

    from glassformer.learn.diagnose import Adapter

    def build():
        model = ...
        def call(model, src, trg):  # ids (n, s) and (n, t), batch first
            return model(src, trg)  # -> scores (n, t, v); make your masks here
        return model, Adapter(call=call, src_vocab_size=..., trg_vocab_size=..., src_pad_idx=..., trg_pad_idx=...)"""


class CannotCall(UserError):
    """No way to call the model was found: nothing could be checked."""


@dataclass
class Form:
    """One way to call: `call` takes ids (n, s) and (n, t) and gives the model's own answer."""

    name: str
    call: Callable[[Tensor, Tensor], Any]
    batch_first: bool = True
    asks_for_masks: str = ""  # arguments for masks that were left out
    own_tables: dict[str, Tensor] = field(default_factory=dict)  # embeddings of ours, for models that take floats
    own_pads: bool = False
    flat: bool = False  # scores come as (n * t, v)


def forms(model: nn.Module, adapter: Adapter, facts: Facts) -> list[Form]:
    """The forms to try, the likeliest first. Raises CannotCall where the arguments are of no known kind."""
    layouts = [True, False] if adapter.batch_first is None else [adapter.batch_first]
    if adapter.call is not None:
        given = adapter.call
        return [Form("your call(model, src, trg)", lambda src, trg: given(model, src, trg), layouts[0])]
    parameters = inspect.signature(model.forward).parameters
    if {"input_ids", "decoder_input_ids"} <= set(parameters):
        return [hugging_face(model, facts, set(parameters))]
    has_ids = any(isinstance(module, nn.Embedding) for module in model.modules())
    if "tgt_mask" in parameters and not has_ids:
        return [floats(model, set(parameters))]
    return [by_position(model, parameters, facts, batch_first) for batch_first in layouts]


def by_position(model: nn.Module, parameters: Any, facts: Facts, batch_first: bool) -> Form:
    """`model(src, trg)`, with nn.Transformer's mask arguments filled in where the model has them."""
    listed = [p for p in parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    names = [p.name for p in listed]
    as_torch = any(name in names for name in NN_PADDING)
    masks = [name for name in names if as_torch and name in (*NN_PADDING, "tgt_mask")]
    needed = [p.name for p in listed if p.default is p.empty]
    tokens = [name for name in needed if name not in masks]
    if len(tokens) > 2 or len(names) < 2:
        raise CannotCall(f"the model's forward takes ({', '.join(names)}), which is no known form. {HOW_TO_TELL}")
    src, trg = names[:2]
    reversed_order = src.lower() in TARGET_FIRST and trg.lower() not in TARGET_FIRST
    # With nn.Transformer's arguments, src_mask and memory_mask are masks of positions that nobody needs.
    needless = ("src_mask", "memory_mask") if as_torch else ()
    left_out = [name for name in names[2:] if "mask" in name and name not in masks and name not in needless]

    def call(source: Tensor, target: Tensor) -> Any:
        made = torch_masks(source, target, facts.src_pad_idx, facts.trg_pad_idx, masks)
        if not batch_first:
            source, target = source.T, target.T
        return model(target, source, **made) if reversed_order else model(source, target, **made)

    order = f"{src}, {trg}" if not reversed_order else f"{trg}=source, {src}=target"
    layout = "" if batch_first else ", length first"
    filled = "".join(f", {name}" for name in masks)
    return Form(f"model({order}{filled}){layout}", call, batch_first, ", ".join(left_out))


def torch_masks(
    src: Tensor, trg: Tensor, src_pad: int | None, trg_pad: int | None, wanted: list[str]
) -> dict[str, Tensor]:
    """nn.Transformer's masks: True = blocked."""
    made: dict[str, Tensor] = {}
    for name in wanted:
        if name == "tgt_mask":
            t = trg.size(1)
            made[name] = torch.ones(t, t, dtype=torch.bool, device=trg.device).triu(1)
        elif name == "tgt_key_padding_mask" and trg_pad is not None:
            made[name] = trg == trg_pad
        elif name != "tgt_key_padding_mask" and src_pad is not None:
            made[name] = src == src_pad
    return made


def hugging_face(model: nn.Module, facts: Facts, names: set[str]) -> Form:
    """`model(input_ids, attention_mask, decoder_input_ids).logits`, without its cache."""

    def call(src: Tensor, trg: Tensor) -> Any:
        options: dict[str, Any] = {}
        if "attention_mask" in names and facts.src_pad_idx is not None:
            options["attention_mask"] = (src != facts.src_pad_idx).long()
        if "use_cache" in names:
            options["use_cache"] = False
        return model(input_ids=src, decoder_input_ids=trg, **options)

    return Form("model(input_ids, attention_mask, decoder_input_ids).logits", call)


def floats(model: nn.Module, names: set[str]) -> Form:
    """`nn.Transformer`-like: vectors in, vectors out. Embeddings, positions and an output layer are lent to it."""
    width = getattr(model, "d_model", None) or getattr(model, "embed_size", None)
    if not isinstance(width, int):
        raise CannotCall(f"the model takes vectors, but has no attribute d_model that tells their size. {HOW_TO_TELL}")
    generator = torch.Generator().manual_seed(0)
    batch_first = bool(getattr(model, "batch_first", False))
    device = next(model.parameters()).device
    sizes = {"src": (13, width), "trg": (11, width), "positions": (64, width), "out": (width, 11)}
    tables = {
        name: torch.randn(size, generator=generator, dtype=torch.float64).to(device) for name, size in sizes.items()
    }
    tables["out"] /= width**0.5
    masks = [name for name in (*NN_PADDING, "tgt_mask") if name in names]

    def call(src: Tensor, trg: Tensor) -> Any:
        dtype = next(model.parameters()).dtype
        read = [
            (tables[side][ids] + tables["positions"][: ids.size(1)]).to(dtype)
            for side, ids in (("src", src), ("trg", trg))
        ]
        source, target = read if batch_first else [vectors.transpose(0, 1) for vectors in read]
        out = model(source, target, **torch_masks(src, trg, 0, 0, masks))
        return (out if batch_first else out.transpose(0, 1)) @ tables["out"].to(dtype)

    layout = "batch first" if batch_first else "length first"
    name = f"model(src, tgt, {', '.join(masks)}) on vectors, {layout}, with embeddings lent to it"
    return Form(name, call, True, own_tables=tables, own_pads=True)


def pick(answer: Any, n: int, t: int, form: Form) -> Tensor | None:
    """The scores (n, t, v) in what a model gave; None where there are none. A model may drop the last target itself."""
    batch_first = form.batch_first
    for candidate in candidates(answer):
        if not candidate.is_floating_point():
            continue
        scores = candidate if batch_first or candidate.dim() != 3 else candidate.transpose(0, 1)
        if form.flat and scores.dim() == 2 and scores.size(0) == n * t:
            return scores.reshape(n, t, scores.size(1))
        if scores.dim() != 3 or scores.size(0) != n:
            continue
        if scores.size(1) in (t, t - 1):
            return scores
        if scores.size(2) in (t, t - 1):
            return scores.transpose(1, 2)  # (n, v, t), as cross-entropy takes it
    return None


def candidates(answer: Any) -> list[Tensor]:
    if isinstance(answer, Tensor):
        return [answer]
    logits = answer.get("logits") if isinstance(answer, dict) else getattr(answer, "logits", None)
    if isinstance(logits, Tensor):
        return [logits]
    parts = answer.values() if isinstance(answer, dict) else answer if isinstance(answer, tuple | list) else []
    return [part for part in parts if isinstance(part, Tensor)]
