"""What the page shows, as data: a payload of plain JSON values, and blobs of weights that its entries name.

Models travel in float16. While all of them together stay within the budget the page computes live; a model that is
over it alone is shown as a recording of one pass.
"""

import hashlib
import math
import unicodedata
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from glassformer.checkpoint import Loaded
from glassformer.checkpoint.tensors import weights_of
from glassformer.data import Vocabularies
from glassformer.decode import DecodingConfig, greedy
from glassformer.errors import UserError
from glassformer.look.seen import Seen
from glassformer.look.shapes import watch_pair
from glassformer.look.words import vocabulary_entry
from glassformer.model.transformer import Transformer

BUDGET = 16_000_000  # bytes of float16 weights in one page
REFERENCE = ("memory", "decoded", "logits")

TensorTable = list[tuple[str, list[int], int]]  # name, shape, and where it begins in the blob, counted in numbers
FLOAT32 = torch.finfo(torch.float32)
KINDS = {torch.bool: "Uint8Array", torch.int64: "Int32Array"}  # of a recording's taps; all others: "Float32Array"


class Shown(NamedTuple):
    """A model for the page, and what is known of it beside its numbers, such as {"scores": {...}, "cheats": True}."""

    loaded: Loaded
    facts: Mapping[str, Any]


class Pair(NamedTuple):
    """One sentence as ids: the source with its </s>, and what the decoder reads, <s> first."""

    src: list[int]
    trg: list[int]


def pack(
    main: Shown,
    sentence: str,
    *,
    title: str,
    sisters: Mapping[str, Shown] | None = None,
    checkpoints: Sequence[tuple[int, Loaded]] = (),
    curve: Sequence[tuple[int, float]] = (),
    examples: Sequence[str] = (),
    budget: int = BUDGET,
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """(payload, blobs) for `page_html`.

    The page opens with `sentence`; `examples` are further ones to choose from. `sisters` and `checkpoints`, (step,
    model) from first to last, are shown beside the main model as far as the budget reaches: sisters first, then
    checkpoints evenly chosen, the first and the last among them.
    Raises UserError for a sentence without a word or too long for the model, and for weights that are no numbers or
    too large for float16.
    """
    model, vocabularies, config = main.loaded
    decoding = DecodingConfig.from_dict(config.decoding)
    pair = read(main.loaded, sentence, decoding)
    seen = watch_pair(model, pair.src, [*pair.trg, vocabularies.trg.end_id])
    live = size_of(model) <= budget
    shelf = Shelf()
    losses = {step: loss for step, loss in curve if math.isfinite(loss)}  # JSON has no NaN
    shelf.add("main", "model", title, *main, with_weights=live)
    if live:
        for name, (loaded, facts) in (sisters or {}).items():
            if size_of(loaded.model) <= budget - shelf.size:
                shelf.add(name, "sister", f"the {name} sister", loaded, facts)
        for step, loaded in thinned(checkpoints, budget - shelf.size):
            known = {"step": step} | ({"loss": losses[step]} if step in losses else {})
            shelf.add(f"step-{step:08}", "checkpoint", f"step {step:,}", loaded, known)
    payload = {
        "format": 1,
        "title": title,
        "models": shelf.models,
        "vocabularies": shelf.vocabularies,
        "decoding": asdict(decoding),
        "taps": table_of(seen),
        "start": {"src": sentence},
        "examples": list(dict.fromkeys([sentence, *examples])),
        "reference": reference(model, pair, shelf.blobs) if live else None,
        "curve": [[step, loss] for step, loss in losses.items()],
        "live": live,
        "recording": None if live else recording(seen, pair, shelf.blobs),
    }
    return payload, shelf.blobs


class Shelf:
    """The models of one page with their weights, and each vocabulary once."""

    def __init__(self) -> None:
        self.models: list[dict[str, Any]] = []
        self.vocabularies: list[dict[str, Any]] = []
        self.blobs: dict[str, bytes] = {}

    @property
    def size(self) -> int:
        return sum(map(len, self.blobs.values()))

    def add(
        self, name: str, role: str, label: str, loaded: Loaded, facts: Mapping[str, Any], *, with_weights: bool = True
    ) -> None:
        model, vocabularies, config = loaded
        blob = f"weights-{len(self.models)}" if with_weights else None
        if blob:
            _, self.blobs[blob] = packed_weights(model)
        own_facts = {"parameters": sum(parameter.numel() for parameter in model.parameters())}
        seed = config.run.get("training", {}).get("seed")
        src, trg = self.vocabulary_places(vocabularies)
        self.models.append(
            {
                "id": name,
                "role": role,
                "label": label,
                "config": asdict(model.config),
                "src": src,
                "trg": trg,
                "blob": blob,
                "tensors": weights_table(model),
                "hash": weights_hash(model),
                "facts": own_facts | ({} if seed is None else {"seed": seed}) | dict(facts),
            }
        )

    def vocabulary_places(self, vocabularies: Vocabularies) -> list[int]:
        """Where the two stand in `self.vocabularies`, which holds equal ones once."""
        places = []
        for entry in map(vocabulary_entry, vocabularies):
            if entry not in self.vocabularies:
                self.vocabularies.append(entry)
            places.append(self.vocabularies.index(entry))
        return places


def read(loaded: Loaded, sentence: str, decoding: DecodingConfig) -> Pair:
    """The sentence as ids, and the model's own greedy answer. Raises UserError where there is no word, or too many."""
    model, (src_vocabulary, trg_vocabulary), _ = loaded
    for name, tensor in weights_of(model).items():
        if not tensor.isfinite().all():
            raise UserError(f"{name} holds what is no number: the model is broken. Take another checkpoint.")
    words = src_vocabulary.encode(unicodedata.normalize("NFC", sentence).strip())
    if not words:
        raise UserError(f"the sentence {sentence!r} has no word to look at. Give one that the model can read.")
    src, most = [*words, src_vocabulary.end_id], model.config.max_length
    if len(src) > most:
        raise UserError(
            f"the sentence {sentence[:40]!r} has {len(src)} tokens with its </s>, but the model reads at most "
            f"max_length={most}. Shorten it."
        )
    ends = trg_vocabulary.start_id, trg_vocabulary.end_id
    (answer,) = greedy(model, torch.tensor([src]), *ends, decoding)
    return Pair(src, [trg_vocabulary.start_id, *answer.ids][:most])


def weights_table(model: Transformer) -> TensorTable:
    """Where each weight lies in the packed ones; a tied table once."""
    table: TensorTable = []
    offset = 0
    for name, tensor in weights_of(model).items():
        table.append((name, list(tensor.shape), offset))
        offset += tensor.numel()
    return table


def packed_weights(model: Transformer) -> tuple[TensorTable, bytes]:
    """The model's weights in little-endian float16, and where each of them lies.

    Raises UserError for a weight that is too large for it.
    """
    parts: list[bytes] = []
    for name, tensor in weights_of(model).items():
        half = tensor.detach().cpu().to(torch.float16)
        if not half.isfinite().all():
            raise UserError(
                f"{name} holds {tensor.abs().max().item():g}, and the page's float16 ends at 65504: this model cannot "
                "be shown there. Take another checkpoint."
            )
        parts.append(half.numpy().astype("<f2").tobytes())
    return weights_table(model), b"".join(parts)


def size_of(model: Transformer) -> int:
    """Bytes of its weights in float16."""
    return 2 * sum(tensor.numel() for tensor in weights_of(model).values())


def weights_hash(model: Transformer) -> str:
    """The SHA-256 of its model.safetensors, as `save` writes it and its manifest.json states it."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights_of(model).items()}
    return hashlib.sha256(safetensors.torch.save(tensors)).hexdigest()


def rounded(model: Transformer) -> Transformer:
    """The same model in float64 on the CPU, its weights as the page has them."""
    copy = deepcopy(model).to("cpu", torch.float64).eval()
    with torch.no_grad():
        for weight in weights_of(copy).values():
            weight.copy_(weight.to(torch.float16))
    return copy


def table_of(seen: Seen) -> dict[str, dict[str, str]]:
    """What the source says about each tap; of a stack's layers, which are alike, the first alone."""
    return {
        name: {"axes": " ".join(tap.axes), "where": tap.where, "source": tap.source, "operation": tap.operation}
        for name, tap in seen.items()
        if ".layers." not in name or ".layers.0." in name
    }


def reference(model: Transformer, pair: Pair, blobs: dict[str, bytes]) -> dict[str, Any]:
    """PyTorch's own numbers for one pass, in float64 with the page's weights, and what rounding these changed."""
    trg_ids = [*pair.trg, pair.trg[0]]  # the last one is asked for, not read
    seen = watch_pair(rounded(model), pair.src, trg_ids, REFERENCE)
    exact = watch_pair(deepcopy(model).to("cpu", torch.float64), pair.src, trg_ids, "logits")["logits"].value
    taps = {}
    for name in REFERENCE:
        taps[name] = {"shape": list(seen[name].shape), "blob": f"reference-{name}"}
        blobs[f"reference-{name}"] = as_bytes(seen[name].value, "<f8")
    rounding = float((seen["logits"].value - exact).abs().max())
    return {"src": pair.src, "trg": pair.trg, "taps": taps, "rounding": rounding}


def recording(seen: Seen, pair: Pair, blobs: dict[str, bytes]) -> dict[str, Any]:
    """Every tap of one pass in one blob of float32, with a table of name, shape, place and class of its numbers."""
    table: list[tuple[str, list[int], int, str]] = []
    parts: list[bytes] = []
    offset = 0
    for name, tap in seen.items():
        table.append((name, list(tap.shape), offset, KINDS.get(tap.value.dtype, "Float32Array")))
        parts.append(as_bytes(tap.value.to(torch.float64).clamp(FLOAT32.min, FLOAT32.max), "<f4"))
        offset += tap.value.numel()
    blobs["recording"] = b"".join(parts)
    return {"src": pair.src, "trg": pair.trg, "blob": "recording", "taps": table}


def as_bytes(value: Tensor, dtype: str) -> bytes:
    return np.ascontiguousarray(value.cpu().to(torch.float64).numpy().astype(dtype)).tobytes()


def thinned(checkpoints: Sequence[tuple[int, Loaded]], room: int) -> list[tuple[int, Loaded]]:
    """As many as there is room for, evenly chosen, the first and the last among them; of one, the last."""
    number = min(len(checkpoints), room // size_of(checkpoints[0][1].model)) if checkpoints else 0
    if number <= 1:
        return list(checkpoints[len(checkpoints) - number :])
    return [checkpoints[round(i * (len(checkpoints) - 1) / (number - 1))] for i in range(number)]
