"""How to call a model and which of its ids are special: told by the user, or read from the model's own attributes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from torch import Tensor, nn

from glassformer.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """What cannot be read from a model. Everything may stay None: then it is looked for, and what was found is printed.

    `build()` may return `(model, Adapter(...))`.
    """

    call: Callable[[nn.Module, Tensor, Tensor], Any] | None = None  # (model, src (n, s), trg (n, t)) -> scores
    src_vocab_size: int | None = None
    trg_vocab_size: int | None = None
    src_pad_idx: int | None = None
    trg_pad_idx: int | None = None
    start_idx: int | None = None
    end_idx: int | None = None
    batch_first: bool | None = None  # False: the model takes (s, n) and (t, n) and answers (t, n, v)
    max_length: int | None = None  # the longest sentence it can take
    generate: Callable[[nn.Module, Tensor], Tensor] | None = None  # (model, src) -> ids (n, t), greedy, start first

    def __post_init__(self) -> None:
        for name in ("src_vocab_size", "trg_vocab_size", "max_length"):
            value = getattr(self, name)
            if value is not None and value < 2:
                raise UserError(f"Adapter: {name}={value} is too small: it must be at least 2.")

    def updated(self, **given: Any) -> "Adapter":
        """With these values where they are not None."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})


NAMES: dict[str, tuple[str, ...]] = {
    "src_vocab_size": ("src_vocab_size", "n_src_vocab", "input_dim", "src_vocab"),
    "trg_vocab_size": ("trg_vocab_size", "tgt_vocab_size", "n_trg_vocab", "output_dim", "trg_vocab", "tgt_vocab"),
    "src_pad_idx": ("src_pad_idx", "src_pad_id", "src_pad", "pad_idx", "pad_id", "pad_token_id", "pad"),
    "trg_pad_idx": (
        "trg_pad_idx",
        "tgt_pad_idx",
        "trg_pad_id",
        "tgt_pad_id",
        "trg_pad",
        "tgt_pad",
        "pad_idx",
        "pad_id",
        "pad_token_id",
        "pad",
    ),
    "start_idx": (
        "decoder_start_token_id",
        "trg_sos_idx",
        "trg_bos_idx",
        "start_idx",
        "start_id",
        "sos_idx",
        "bos_idx",
        "sos_id",
        "bos_id",
        "bos_token_id",
    ),
    "end_idx": ("end_idx", "end_id", "eos_idx", "eos_id", "trg_eos_idx", "eos_token_id"),
    "max_length": ("max_length", "max_len", "max_position_embeddings", "max_seq_len", "max_seq_length"),
}


@dataclass(frozen=True)
class Facts:
    """What is known of a model before it is called; None where nobody said."""

    src_vocab_size: int | None
    trg_vocab_size: int | None
    src_pad_idx: int | None
    trg_pad_idx: int | None
    start_idx: int | None
    end_idx: int | None
    max_length: int | None
    limit_declared: bool  # a caller can read the greatest length somewhere
    where: dict[str, str]  # field: where it was read


def read_facts(model: nn.Module, adapter: Adapter) -> Facts:
    """The adapter's values, then those of the model's attributes and of its `config`, then of the modules inside."""
    values: dict[str, int | None] = {}
    where: dict[str, str] = {}
    for field in (f.name for f in fields(Facts) if f.name in NAMES):
        values[field] = getattr(adapter, field)
        if values[field] is not None:
            where[field] = "given"
            continue
        for place, holder in holders(model):
            if other_side(field, place):
                continue
            name = next((name for name in NAMES[field] if is_id(holder, name)), None)
            if name is not None:
                values[field] = getattr(holder, name)
                where[field] = f"{place}.{name}"
                break
    return Facts(**values, limit_declared=values["max_length"] is not None, where=where)


def other_side(field: str, place: str) -> bool:
    """Whether this place belongs to the decoder while a source's value is looked for, or the other way round."""
    inner = place.lower()
    return (field.startswith("src") and ".dec" in inner) or (field.startswith("trg") and ".enc" in inner)


def is_id(holder: Any, name: str) -> bool:
    """A whole number, or None where somebody wrote None on purpose (such as `config.trg_pad_idx`)."""
    attributes = getattr(holder, "__dict__", {})
    if name not in attributes:
        return False
    value = attributes[name]
    return (isinstance(value, int) and not isinstance(value, bool)) or (value is None and name == "trg_pad_idx")


def holders(model: nn.Module) -> Iterable[tuple[str, Any]]:
    """Where a model may keep its ids and sizes, the outermost first. Embeddings and layers' own numbers are no ids."""
    for name, module in model.named_modules():
        place = f"model.{name}" if name else "model"
        if not type(module).__module__.startswith("torch.nn"):
            yield place, module
            if "config" in module.__dict__ and not isinstance(module.__dict__["config"], dict):
                yield f"{place}.config", module.__dict__["config"]
