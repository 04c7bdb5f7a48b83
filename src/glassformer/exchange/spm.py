"""SentencePiece's `.spm` files as tokenizers of ours: the same pieces, with the ids of somebody else's list.

The file is a list of pieces with scores and a table that normalizes characters, in Protocol Buffers' format; the few
fields that matter are read here. A sentence is cut into the pieces with the largest sum of scores, as there; where two
cuts have the same (--- as -- - or - --), here and there may take another.

Marian keeps one list of ids for two such files, so that a side's list also holds pieces of the other side. There, each
run of characters that no piece covers is looked up in the list; here such a token is a piece of last resort.
"""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers

from glassformer.errors import UserError

SPACE = "▁"
NORMAL, UNKNOWN, CONTROL, UNUSED = 1, 2, 3, 5  # kinds of pieces; there are words set by hand (4) and bytes (6)
UNIGRAM = 1
LAST_RESORT = -1e6  # the score of what is taken only where nothing else fits
NEVER = "\ufffe"  # no character, so that no text holds a token that begins with it


class Spm(NamedTuple):
    """What a file says about cutting text."""

    scores: dict[str, float]
    charsmap: bytes  # how characters are normalized; empty: not at all
    add_dummy_prefix: bool
    remove_extra_whitespaces: bool


def read_spm(path: Path) -> Spm:
    """Raises UserError for a file that is none, and for kinds of models that our tokenizers do not cut alike."""
    try:
        return _parse(path.read_bytes(), path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}. Copy the whole folder.") from error
    except UserError:
        raise
    except (ValueError, LookupError, struct.error) as error:
        raise UserError(f"{path} is no model of SentencePiece that can be read: {error}. Copy it again.") from error


def unigram_tokenizer(spm: Spm, ids: Mapping[str, int], unknown: str, specials: list[str]) -> Tokenizer:
    """Text -> the pieces of `spm`, with these ids; ids -> text. Every id from 0 on must have a token.

    A token `>>xx<<`, which names a language, is one piece wherever a text has it. Raises UserError where the table
    that normalizes characters is none.
    """
    languages = [token for token in ids if token.startswith(">>") and token.endswith("<<")]
    known = {piece for piece in spm.scores if len(piece) == 1}
    entries, foreign = [], []
    for token in sorted(ids, key=ids.__getitem__):
        covered = sum(character in known for character in token)
        if token in spm.scores or token in (*specials, *languages) or covered == len(token):
            entries.append((token, spm.scores.get(token, LAST_RESORT)))
        else:
            entries.append((NEVER + token if covered else token, LAST_RESORT))
            foreign += [] if covered else [token]
    tokenizer = Tokenizer(models.Unigram(entries, ids[unknown], byte_fallback=False))
    try:
        tokenizer.normalizer = normalizers.Sequence(list(_normalizers(spm, known, foreign)))
    except Exception as error:  # tokenizers raises a bare Exception
        raise UserError(
            f"the .spm file has a table of characters that cannot be read: {error}. Copy it again."
        ) from error
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace(NEVER, ""),
            decoders.Replace(SPACE, " "),
            decoders.Fuse(),
            decoders.Replace(Regex("^ +| +$"), ""),  # not Strip: it panics where all is to be stripped
        ]
    )
    tokenizer.add_special_tokens(specials)
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in languages])
    return tokenizer


def _normalizers(spm: Spm, known: set[str], foreign: list[str]) -> Iterator[normalizers.Normalizer]:
    """What becomes of a text before it is cut. `foreign` are the tokens of characters none of which is known."""
    if spm.charsmap:
        yield normalizers.Precompiled(spm.charsmap)
    if spm.remove_extra_whitespaces:
        yield normalizers.Replace(Regex("^ +| +$| +(?= )"), "")
    if spm.add_dummy_prefix:
        yield normalizers.Prepend(SPACE)
    yield normalizers.Replace(" ", SPACE)
    if known:
        # Several unknown characters in a row are looked up together, not one by one.
        strange = f"[^{_literal(''.join(sorted(known)))}]"
        listed = "|".join(_literal(token) for token in foreign if len(token) > 1)
        but = f"(?!(?:{listed})(?!{strange}))" if listed else ""
        yield normalizers.Replace(Regex(f"(?<!{strange}){but}{strange}{{2,}}"), NEVER)


def _literal(text: str) -> str:
    """For a regular expression."""
    return "".join(f"\\x{{{ord(character):X}}}" for character in text)


def _parse(content: bytes, path: Path) -> Spm:
    scores: dict[str, float] = {}
    trainer: dict[int, int | bytes] = {}
    normalizer: dict[int, int | bytes] = {}
    for field, value in _fields(content):
        if field == 1:
            piece = dict(_fields(_message(value)))
            kind = piece.get(3, NORMAL)
            if kind == NORMAL:
                (score,) = struct.unpack("<f", _message(piece.get(2, bytes(4))))
                scores[_message(piece[1]).decode("utf-8")] = score
            elif kind not in (UNKNOWN, CONTROL, UNUSED):
                raise UserError(
                    f"{path} has pieces of kind {kind!r} (words set by hand, or bytes), which are not cut alike here. "
                    "Such a tokenizer cannot be read."
                )
        elif field == 2:
            trainer = dict(_fields(_message(value)))
        elif field == 3:
            normalizer = dict(_fields(_message(value)))
    if trainer.get(3, UNIGRAM) != UNIGRAM or trainer.get(24, 0) or not normalizer.get(5, 1):
        raise UserError(f"{path} is no unigram model with ▁ before words (BPE, say). Such a tokenizer cannot be read.")
    if not scores or not all(score > LAST_RESORT / 100 for score in scores.values()):
        raise UserError(f"{path} holds no pieces, or scores that are none. Copy it again.")
    return Spm(scores, _message(normalizer.get(2, b"")), bool(normalizer.get(3, 1)), bool(normalizer.get(4, 1)))


def _message(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number stands where text must be")
    return value


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The numbered fields of a message, in order."""
    place = 0
    while place < len(content):
        key, place = _varint(content, place)
        kind = key & 7
        if kind == 0:
            value, place = _varint(content, place)
            yield key >> 3, value
            continue
        if kind == 2:
            size, place = _varint(content, place)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"byte {place} begins no field")
        if place + size > len(content):
            raise ValueError("it ends in the middle of a field")
        yield key >> 3, content[place : place + size]
        place += size


def _varint(content: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = content[place]
        number |= (byte & 127) << shift
        shift, place = shift + 7, place + 1
        if byte < 128:
            return number, place
