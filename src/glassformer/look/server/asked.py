"""What the served page may ask: the form of its questions, checked before the model sees them, and the answers' bytes.

Every text, id and list is bounded here. A refusal says what is wrong with which part, and repeats nothing of it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple
from unicodedata import normalize

from pydantic import BaseModel, ConfigDict, Field

from glassformer.checkpoint import Loaded
from glassformer.data import Vocabulary
from glassformer.decode import DecodingConfig
from glassformer.errors import UserError
from glassformer.look.pack import Pair, recording
from glassformer.look.server.answers import (
    Changes,
    Cut,
    Writing,
    beam_tree,
    by_chance,
    likeliest,
    reader_of,
    seen_in_pass,
    write_steps,
)

MOST_TOKENS = 256  # of a sentence: every attention is this number squared, and each of them is sent

Number = Annotated[int, Field(ge=0, le=2**31)]
Words = Annotated[str, Field(max_length=4096)] | Annotated[list[Number], Field(max_length=4096)]
Cells = Annotated[list[Annotated[str, Field(pattern=r"^\d{1,4}\.\d{1,4}$")]], Field(max_length=65536)]


class Refused(Exception):
    """A request that is not answered: its HTTP status, and a message that says why and repeats nothing of it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class SentEdit(Sent):
    name: Annotated[str, Field(max_length=200)]
    kind: Literal["zero", "uniform", "swap"]
    head: Number | None = None
    channel: Number | None = None


class SentMasks(Sent):
    encoder: Cells = []
    decoder: Cells = []
    cross: Cells = []


class Asked(Sent):
    """POST /weights, and a part of every question."""

    model: str = "main"


class AskedPass(Asked):
    """POST /pass. Texts, or ids: the source's with </s>, the target's as the decoder reads them."""

    src: Words
    trg: Words | None = None  # None: the model's own greedy answer
    edits: Annotated[list[SentEdit], Field(max_length=64)] = []
    other: Words | None = None  # the source sentence that swapped values come from
    masks: SentMasks = SentMasks()  # cells "row.column" clicked open or shut


class AskedAnswer(AskedPass):
    """POST /write; `trg` plays no part."""

    choose: Literal["greedy", "sample", "beam"] = "greedy"
    limit: Annotated[int, Field(ge=1)]
    prefix: Annotated[list[Number], Field(max_length=MOST_TOKENS)] = []
    forced_end: bool = True
    temperature: Annotated[float, Field(gt=0)] = 1.0
    top_k: Number = 0
    noise: Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(max_length=4096)] = []
    beam: Annotated[int, Field(ge=1, le=16)] = 4
    alpha: Annotated[float, Field(ge=0, le=10)] = 0.6


class Served(NamedTuple):
    """A model behind the page, and the names of all its values."""

    loaded: Loaded
    names: frozenset[str]

    @classmethod
    def of(cls, loaded: Loaded) -> "Served":
        src, trg = loaded.vocabularies
        return cls(loaded, frozenset(seen_in_pass(loaded.model, [src.end_id], [trg.start_id])))

    def weights(self, asked: Asked) -> bytes:
        """Every weight under each of its names, for what the page computes by itself: a tied one's numbers once."""
        places: dict[int, int] = {}  # address of a weight's numbers -> where they begin
        table: list[tuple[str, list[int], int]] = []
        parts: list[bytes] = []
        offset = 0
        for name, weight in self.loaded.model.named_parameters(remove_duplicate=False):
            if weight.data_ptr() not in places:
                places[weight.data_ptr()] = offset
                parts.append(weight.detach().cpu().float().numpy().astype("<f4").tobytes())
                offset += weight.numel()
            table.append((name, list(weight.shape), places[weight.data_ptr()]))
        return framed({"tensors": table}, b"".join(parts))

    def answer_pass(self, asked: AskedPass) -> bytes:
        """A pass with every value: {src, trg, taps}, and their numbers."""
        src, changes = self.source(asked.src), self.changes(asked)
        trg = self.greedy(src) if asked.trg is None else self.target(asked.trg)
        seen = seen_in_pass(self.loaded.model, src, trg, changes)
        blobs: dict[str, bytes] = {}
        return framed(recording(seen, Pair(src, trg), blobs), blobs["recording"])

    def answer(self, asked: AskedAnswer) -> bytes:
        """An answer's steps with their log probabilities, or a beam's {nodes, finished}."""
        model, vocabularies, config = self.loaded
        ends = vocabularies.trg.start_id, vocabularies.trg.end_id
        decoding = DecodingConfig.from_dict(config.decoding)
        limit = min(asked.limit, model.config.max_length, MOST_TOKENS)
        prefix = checked_ids("prefix", asked.prefix, model.config.trg_vocab_size, limit)
        if {*ends, model.config.trg_pad_idx, *decoding.forbidden_ids} & {*prefix}:
            raise Refused(422, "prefix: padding, <s>, </s> and forbidden ids cannot be in it.")
        writing = Writing(start=ends[0], end=ends[1], limit=limit, prefix=prefix, forced_end=asked.forced_end)
        reader = reader_of(model, self.source(asked.src), writing, decoding, self.changes(asked))
        if asked.choose == "beam":
            return framed(beam_tree(reader, writing, beam=asked.beam, alpha=asked.alpha))
        if asked.choose == "sample" and len(asked.noise) < limit:
            raise Refused(422, "noise: sampling needs a number for each token that the limit allows.")
        choose = by_chance(asked.noise, asked.temperature, asked.top_k) if asked.choose == "sample" else likeliest
        steps, log_probs = write_steps(reader, writing, choose)
        return framed({"steps": steps, "size": log_probs.size(1)}, log_probs.numpy().astype("<f4").tobytes())

    def greedy(self, src: Sequence[int]) -> list[int]:
        """What the decoder reads while the model writes its own answer."""
        model, (_, trg), config = self.loaded
        writing = Writing(start=trg.start_id, end=trg.end_id, limit=min(MOST_TOKENS, model.config.max_length))
        decoding = DecodingConfig.from_dict(config.decoding)
        steps, _ = write_steps(reader_of(model, src, writing, decoding), writing, likeliest)
        return [trg.start_id, *(step["token"] for step in steps[:-1])]

    def source(self, words: str | Sequence[int], name: str = "src") -> list[int]:
        config, vocabulary = self.loaded.model.config, self.loaded.vocabularies.src
        ids = [*encoded(vocabulary, words), vocabulary.end_id] if isinstance(words, str) else words
        if not {*ids} - {config.src_pad_idx, vocabulary.end_id}:
            raise Refused(422, f"{name}: there is no word in it.")
        return checked_ids(name, ids, config.src_vocab_size, config.max_length)

    def target(self, words: str | Sequence[int]) -> list[int]:
        config, vocabulary = self.loaded.model.config, self.loaded.vocabularies.trg
        ids = [vocabulary.start_id, *encoded(vocabulary, words)] if isinstance(words, str) else words
        if not ids:
            raise Refused(422, "trg: the decoder reads at least <s>.")
        return checked_ids("trg", ids, config.trg_vocab_size, config.max_length)

    def changes(self, asked: AskedPass) -> Changes:
        if not {edit.name for edit in asked.edits} <= self.names:
            raise Refused(422, "edits: no value of this model has that name.")
        swaps = any(edit.kind == "swap" for edit in asked.edits)
        if swaps and asked.other is None:
            raise Refused(422, "other: a swap needs the sentence that the value comes from.")
        return Changes(
            edits=[Cut(**edit.model_dump()) for edit in asked.edits],
            other=self.source(asked.other, "other") if swaps and asked.other is not None else (),
            masks={kind: [place(cell) for cell in cells] for kind, cells in asked.masks.model_dump().items()},
        )


def place(cell: str) -> tuple[int, int]:
    row, column = cell.split(".")
    return int(row), int(column)


def encoded(vocabulary: Vocabulary, text: str) -> list[int]:
    try:
        return vocabulary.encode(normalize("NFC", text).strip())
    except UserError as error:
        raise Refused(422, "src, trg or other: the text is not valid Unicode.") from error


def checked_ids(name: str, ids: Sequence[int], vocabulary_size: int, longest: int) -> list[int]:
    most = min(longest, MOST_TOKENS)
    if len(ids) > most:
        raise Refused(422, f"{name}: it has more than {most} tokens, with <s> or </s>. Shorten it.")
    if any(number >= vocabulary_size for number in ids):
        raise Refused(422, f"{name}: the largest id of the vocabulary is {vocabulary_size - 1}.")
    return list(ids)


def framed(header: Mapping[str, Any], numbers: bytes = b"") -> bytes:
    """The JSON's length (4 bytes, little-endian), the JSON with spaces up to a multiple of 4, and float32 numbers."""
    text = json.dumps(header, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return len(text).to_bytes(4, "little") + text + numbers
