"""Text to numbers and back: a `Vocabulary` maps a sentence to a list of ids, one id a piece, and ids back to the text.

Three kinds, all kept in one `tokenizer.json` that Hugging Face `tokenizers` and `transformers` read as well:
"characters" (each character is a piece), "symbols" (text that is split on spaces already, such as phones) and "bpe"
(byte-pair encoding: frequent words are one piece, rare ones several, and anything else its UTF-8 bytes, so that
every text comes back exactly).
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from tokenizers import Tokenizer

from glassformer.data.tokenizer import BUILDERS, BYTES, END, PAD, START, UNKNOWN, Kind, listed
from glassformer.errors import UserError, unknown_name

__all__ = ["END", "PAD", "START", "UNKNOWN", "Kind", "Vocabularies", "Vocabulary"]

USUAL_NAMES = {  # what other people's tokenizers call the same four
    "pad": (PAD, "[PAD]", "<blank>"),
    "start": (START, "[CLS]", "<bos>", "[BOS]"),
    "end": (END, "[SEP]", "<eos>", "[EOS]", "<|endoftext|>"),
    "unknown": (UNKNOWN, "[UNK]"),
}


class Vocabulary:
    """One text vocabulary over a `tokenizers.Tokenizer`: encode, decode, and readable labels.

    The four special ids never come out of `encode`, whatever the text says, and never reach the text in `decode`
    (except `unknown_id`, which `encode` gives for a character or symbol that training never saw; `bpe` has none).
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        pad: str | None = None,
        start: str | None = None,
        end: str | None = None,
        unknown: str | None = None,
    ) -> None:
        tokenizer.encode_special_tokens = True  # "<s>" in a user's sentence is three characters, not a command
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        self._tokens = _tokens_by_id(tokenizer)
        self.pad_id = self._role("pad", pad)
        self.start_id = self._role("start", start)
        self.end_id = self._role("end", end)
        self.unknown_id = self._role("unknown", unknown)
        self.special_ids = frozenset({self.pad_id, self.start_id, self.end_id, self.unknown_id})
        self.opens = _puts_before(tokenizer) == self._tokens[self.start_id]  # `encode` begins with the start token

    @classmethod
    def train(cls, texts: Iterable[str], *, kind: Kind, size: int = 8000) -> Self:
        """Learn a vocabulary of at most `size` pieces from `texts`, the same one each time.

        Raises UserError for an unknown kind, a size too small, or texts with nothing in them.
        """
        if kind not in BUILDERS:
            raise unknown_name("kind of vocabulary", kind, BUILDERS)
        return cls(BUILDERS[kind](_valid(texts), size), pad=PAD, start=START, end=END, unknown=UNKNOWN)

    @classmethod
    def from_tokens(
        cls,
        tokens: Sequence[str],
        *,
        kind: Kind,
        pad: str | None = None,
        start: str | None = None,
        end: str | None = None,
        unknown: str | None = None,
        opens: bool = False,
    ) -> Self:
        """Characters or symbols whose ids are their places in `tokens`, as other people's models list them.

        The four names say which token plays which part, where it has not one of the usual names; a list without an
        unknown token refuses what is not in it. With `opens`, each text begins with the start token: some models
        read such sources. Raises UserError for another kind, a token that stands there twice, a part without a token.
        """
        if kind == "bpe":
            raise UserError("a list of tokens does not say how bpe merges them. Give the tokenizer.json instead.")
        ids = {token: number for number, token in enumerate(tokens)}
        if len(ids) < len(tokens):
            twice = next(token for number, token in enumerate(tokens) if ids[token] != number)
            raise UserError(f"{twice!r} stands twice in the list of tokens: each must have one id. Rename one of them.")
        given = {"pad": pad, "start": start, "end": end, "unknown": unknown}
        names = {
            role: name or next((usual for usual in USUAL_NAMES[role] if usual in ids), None)
            for role, name in given.items()
        }
        specials = [name for name in names.values() if name in ids]
        opening = names["start"] if opens else None
        return cls(listed(kind, ids, specials, names["unknown"] or UNKNOWN, opening), **names)

    @classmethod
    def from_json(cls, text: str, **roles: str | None) -> Self:
        """A vocabulary from the text of a `tokenizer.json`; `roles` as in `load`."""
        try:
            content = json.loads(text)
            tokenizer = Tokenizer.from_str(text)
        except Exception as error:  # tokenizers raises a bare Exception
            raise UserError(
                f"this is not the JSON of a tokenizer: {error}. It should come from `Vocabulary.to_json`."
            ) from error
        stored = {
            role: name for role, name in _stored_roles(content).items() if tokenizer.token_to_id(name) is not None
        }
        return cls(tokenizer, **(stored | {role: name for role, name in roles.items() if name}))

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        pad: str | None = None,
        start: str | None = None,
        end: str | None = None,
        unknown: str | None = None,
    ) -> Self:
        """Read a `tokenizer.json`, ours or anybody's; the four names say which of its tokens plays which part.

        Without them, they are taken from the file (padding, post-processor, unknown token), then from usual names.
        Raises UserError when the file is no tokenizer, or a part has no token.
        """
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"cannot read the vocabulary {path}: {error}. Give the path of a tokenizer.json."
            ) from error
        try:
            return cls.from_json(text, pad=pad, start=start, end=end, unknown=unknown)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error

    def to_json(self) -> str:
        """The `tokenizer.json`, with the four parts where other libraries look for them."""
        # A copy, because padding and the post-processor must stay out of the tokenizer that `encode` uses.
        tokenizer = Tokenizer.from_str(self._tokenizer.to_str())
        content: dict[str, Any] = json.loads(tokenizer.to_str())
        start, end = self._tokens[self.start_id], self._tokens[self.end_id]
        tokenizer.enable_padding(pad_id=self.pad_id, pad_token=self._tokens[self.pad_id])
        content["padding"] = json.loads(tokenizer.to_str())["padding"]
        content["post_processor"] = {
            "type": "TemplateProcessing",
            "single": [_special_item(start), {"Sequence": {"id": "A", "type_id": 0}}, _special_item(end)],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {
                name: {"id": name, "ids": [number], "tokens": [name]}
                for name, number in ((start, self.start_id), (end, self.end_id))
            },
        }
        return json.dumps(content, ensure_ascii=False, indent=1)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the `tokenizer.json`."""
        Path(path).write_text(self.to_json(), encoding="utf-8", newline="\n")

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, none added after, and before only where the vocabulary `opens`.

        Raises UserError for text that is not valid Unicode.
        """
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text; many at once are several times faster than one by one."""
        try:
            encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        except Exception as error:  # a bare one, or TypeError for half a surrogate pair
            list(_valid(texts))
            raise UserError(f"the tokenizer cannot encode this text: {error}.") from error
        return [self._only_unknown(encoding.ids) for encoding in encodings]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; special ids are left out. For bpe the exact inverse of `encode`."""
        kept = [number for number in ids if number not in self.special_ids]
        text: str = self._tokenizer.decode(kept, skip_special_tokens=False)
        return text

    def pieces(self, text: str) -> list[str]:
        """A readable label for each id of `text`: what an axis of a picture shows."""
        return [self.piece(number) for number in self.encode(text)]

    def piece(self, number: int) -> str:
        """A readable label for one id: spaces shown as "▁", a byte as its character where that can be printed."""
        if not 0 <= number < len(self._tokens):
            raise UserError(f"id {number} is not in this vocabulary of {len(self)} pieces, 0 to {len(self) - 1}.")
        token = self._tokens[number]
        if token in BYTES:
            character = chr(BYTES.index(token))
            return character if character.isascii() and character.isprintable() else token
        return "".join(_visible(character) for character in token)

    def __len__(self) -> int:
        return len(self._tokens)

    def _role(self, role: str, name: str | None) -> int:
        names = (name,) if name else USUAL_NAMES[role]
        found = [number for candidate in names if (number := self._tokenizer.token_to_id(candidate)) is not None]
        if found:
            return int(found[0])
        if role == "unknown" and name is None:
            return self.pad_id  # a tokenizer that can spell every text in bytes needs none; nothing produces this id
        added = self._tokenizer.get_added_tokens_decoder().values()
        specials = ", ".join(repr(token.content) for token in added if token.special) or "none"
        raise UserError(
            f"the vocabulary has no {role} token {' or '.join(map(repr, names))}. "
            f"Its special tokens are: {specials}. Say which one it is with {role}=..."
        )

    def _only_unknown(self, ids: list[int]) -> list[int]:
        """Whitespace symbols could spell a special token; they are unknown symbols like any other."""
        if self.special_ids.isdisjoint(ids):
            return ids
        written = ids[self.opens :]
        return [*ids[: self.opens], *(self.unknown_id if number in self.special_ids else number for number in written)]


class Vocabularies(NamedTuple):
    """The source's and the target's vocabulary; the same object twice when both sides share one."""

    src: Vocabulary
    trg: Vocabulary

    @property
    def joint(self) -> bool:
        return self.src is self.trg

    def files(self) -> dict[str, str]:
        """File name -> content, as a model's folder keeps them."""
        if self.joint:
            return {"tokenizer.json": self.src.to_json()}
        return {"tokenizer.src.json": self.src.to_json(), "tokenizer.trg.json": self.trg.to_json()}

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write `tokenizer.json`, or `tokenizer.src.json` and `tokenizer.trg.json` when the sides differ."""
        for name, content in self.files().items():
            (Path(folder) / name).write_text(content, encoding="utf-8", newline="\n")

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Vocabularies":
        """Read what `save` wrote. Raises UserError when a file is absent or broken."""
        joint = Path(folder) / "tokenizer.json"
        if joint.exists():
            both = Vocabulary.load(joint)
            return cls(both, both)
        return cls(
            Vocabulary.load(Path(folder) / "tokenizer.src.json"), Vocabulary.load(Path(folder) / "tokenizer.trg.json")
        )

    def check(self, src_vocab_size: int, trg_vocab_size: int) -> None:
        """Raise UserError unless every id has a row in the model's tables."""
        for side, vocabulary, rows in (("source", self.src, src_vocab_size), ("target", self.trg, trg_vocab_size)):
            if len(vocabulary) > rows:
                raise UserError(
                    f"the {side} vocabulary has {len(vocabulary)} pieces and the model's {side} table {rows} rows: "
                    f"id {len(vocabulary) - 1} would have none. Use the tokenizer the model was trained with."
                )


def _tokens_by_id(tokenizer: Tokenizer) -> list[str]:
    vocabulary: dict[str, int] = tokenizer.get_vocab(with_added_tokens=True)
    largest = max(vocabulary.values(), default=-1)
    if largest != len(vocabulary) - 1 or len(set(vocabulary.values())) != len(vocabulary):
        raise UserError(
            f"the vocabulary has {len(vocabulary)} pieces but its largest id is {largest}: "
            "ids must be 0, 1, 2, ... without gaps or repetitions. Renumber them in the file."
        )
    return sorted(vocabulary, key=vocabulary.__getitem__)


def _puts_before(tokenizer: Tokenizer) -> str | None:
    """What the tokenizer itself writes before each text."""
    normalizer = json.loads(tokenizer.to_str())["normalizer"] or {}
    return str(normalizer["prepend"]).removesuffix(" ") if normalizer.get("type") == "Prepend" else None


def _stored_roles(content: dict[str, Any]) -> dict[str, str]:
    """The parts a `tokenizer.json` states itself: padding, the template around a sentence, the unknown token."""
    roles: dict[str, str] = {}
    if padding := content.get("padding"):
        roles["pad"] = padding["pad_token"]
    if (processor := content.get("post_processor")) and processor.get("type") == "TemplateProcessing":
        for role, item in (("start", processor["single"][:1]), ("end", processor["single"][-1:])):
            if item and "SpecialToken" in item[0]:
                roles[role] = item[0]["SpecialToken"]["id"]
    if unknown := content.get("model", {}).get("unk_token"):
        roles["unknown"] = unknown
    return roles


def _special_item(name: str) -> dict[str, Any]:
    return {"SpecialToken": {"id": name, "type_id": 0}}


def _visible(character: str) -> str:
    if character == " ":
        return "▁"
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def _valid(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise UserError(
                f"the text {text[:40]!r} is not valid Unicode: character {error.start + 1} is half of a surrogate "
                "pair. Read the file as UTF-8, without errors='surrogateescape'."
            ) from error
        yield text
