"""The three kinds of vocabulary, built from the parts of `tokenizers`: normalizer, splitter, model, decoder.

`Vocabulary` is the face; here is what stands behind "characters", "symbols" and "bpe".
"""

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from glassformer.errors import UserError

Kind = Literal["characters", "symbols", "bpe"]

PAD, START, END, UNKNOWN = "<pad>", "<s>", "</s>", "<unk>"
SPECIALS = (PAD, START, END, UNKNOWN)  # ids 0, 1, 2, 3 in the vocabularies we train
BPE_TEXTS = 250_000  # bpe learns its merges from at most so many sentences, which bounds its memory
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
# Metaspace writes a space as "▁", so a "▁" in the user's text must become something else first, and come back last.
# ESCAPE is always followed by 0 (it stood there itself) or 1 (it stands for "▁"), which makes the way back unique.
_ESCAPE = "␛"
# Punctuation is a piece of its own. So is every "<", or else the merges could build "<s>" or "<0x41>" from user text.
_APART = r"[\p{P}&&[^'’]]|<"


def _characters(texts: Iterable[str], size: int) -> Tokenizer:
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    return listed("characters", _ranked(counts, size), SPECIALS, UNKNOWN)


def _symbols(texts: Iterable[str], size: int) -> Tokenizer:
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(symbol for symbol in text.split(" ") if symbol)
    return listed("symbols", _ranked(counts, size), SPECIALS, UNKNOWN)


def listed(
    kind: Kind, ids: dict[str, int], specials: Sequence[str], unknown: str, opening: str | None = None
) -> Tokenizer:
    """Characters or symbols with the ids given; with `opening`, one of the tokens stands before each text."""
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=unknown))
    if kind == "characters":
        apart = r"[\s\S]" if opening is None else rf"\A{re.escape(opening)}|[\s\S]"
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(apart), "isolated")
        tokenizer.decoder = decoders.Fuse()
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "removed")  # without a decoder, joined by single spaces
    if opening is not None:
        tokenizer.normalizer = normalizers.Prepend(opening if kind == "characters" else f"{opening} ")
    return _with_specials(tokenizer, specials)


def _ranked(counts: Counter[str], size: int) -> dict[str, int]:
    """Special tokens, then the most frequent symbols; equal counts in alphabetical order, so that it is repeatable."""
    if size <= len(SPECIALS):
        raise UserError(f"size={size} leaves no room beside the {len(SPECIALS)} special tokens. Try size=8000.")
    symbols = sorted(
        (symbol for symbol in counts if symbol not in SPECIALS), key=lambda symbol: (-counts[symbol], symbol)
    )
    if not symbols:
        raise UserError("there is no text to make a vocabulary from: every line is empty.")
    return {symbol: number for number, symbol in enumerate([*SPECIALS, *symbols][:size])}


def _bpe(texts: Iterable[str], size: int) -> Tokenizer:
    room = size - len(SPECIALS) - len(BYTES)
    if room < 32:
        least = len(SPECIALS) + len(BYTES) + 32
        raise UserError(
            f"size={size} is too small for bpe: 4 special tokens and 256 bytes come first. Take {least} or more."
        )
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(_ESCAPE, _ESCAPE + "0"),
            normalizers.Replace("▁", _ESCAPE + "1"),
            normalizers.Prepend("▁"),  # the first word looks like every other word; the decoder takes it away
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(prepend_scheme="never"), pre_tokenizers.Split(Regex(_APART), "isolated")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.ByteFallback(),
            decoders.Metaspace(prepend_scheme="never"),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
            decoders.Replace(_ESCAPE + "1", "▁"),
            decoders.Replace(_ESCAPE + "0", _ESCAPE),
        ]
    )
    sample = _sample(texts, BPE_TEXTS)
    alphabet = _alphabet(sample, limit=room // 2)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=[*SPECIALS, *BYTES],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sample, trainer, length=len(sample))
    return _with_specials(tokenizer, SPECIALS)


def _sample(texts: Iterable[str], limit: int) -> list[str]:
    """All texts, or `limit` of them drawn evenly from the whole stream (files may be sorted), always the same ones."""
    draw = random.Random(0)
    kept: list[str] = []
    for number, text in enumerate(texts):
        if number < limit:
            kept.append(text)
        elif (place := draw.randrange(number + 1)) < limit:
            kept[place] = text
    return kept


def _alphabet(texts: Iterable[str], limit: int) -> list[str]:
    """The most frequent characters, the rest are spelt in bytes; chosen here, as the library breaks ties by chance."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    if not counts:
        raise UserError("there is no text to make a vocabulary from: every line is empty.")
    frequent = sorted(counts.keys() - {" ", "▁", _ESCAPE}, key=lambda character: (-counts[character], character))
    return ["▁", *frequent[: limit - 1]]


def _with_specials(tokenizer: Tokenizer, specials: Sequence[str]) -> Tokenizer:
    """The special tokens, and only they, as added tokens: the byte tokens are ordinary pieces of the model."""
    content = json.loads(tokenizer.to_str())
    content["added_tokens"] = []
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.add_special_tokens(list(specials))  # they keep the ids they have in the model
    return tokenizer


BUILDERS: dict[str, Callable[[Iterable[str], int], Tokenizer]] = {
    "characters": _characters,
    "symbols": _symbols,
    "bpe": _bpe,
}
