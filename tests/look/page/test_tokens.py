"""page/tokens.js encodes, decodes and labels exactly as Python's Vocabulary does, in a real browser."""

import gzip
import json
import random
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from tokenizers import Regex, pre_tokenizers

from glassformer.data import Vocabulary
from glassformer.data.vocabulary import Kind
from glassformer.look.export import PAGE, data_address
from glassformer.look.words import vocabulary_entry

KINDS = get_args(Kind)
NASTY = [
    "<s>", "</s>", "<pad>", "<unk>", "<0x41>", "<0xFF>", "<", ">", "▁", "▁▁", "␛", "␛0", "␛1", "␛␛1▁", "\x1b[31m",
    "\0", "\t", "\r", "\n", "\r\n", "\x7f", "\x85", "\u00a0", "\u2028", "\u200b", "\u200d", "\ufeff", "\ufffd",
    "\ufffe", "e\u0301", "é", "a\u0308\u0323", "ñ", "ﬁ", "ß", "İ", "ǆ", "שלום", "العربية", "\u202eabc\u202c",
    "हिन्दी", "ไทย",
    "한국어", "日本語", "。", "、", "「x」", "…", "—", "¿", "¡", "'", "’", "‘", "“", "”", "don't", "l’eau", "a-b",
    "x_y",
    "$5", "50%", "#1", "@", "&amp;", "\\u0041", "\\", "/", "👍", "👍🏽", "👩‍👩‍👧", "🇫🇷", "😀", "𝔘𝔫𝔦", "𐍈", "\U000e0041",
    "\U0010ffff", "the", "dog", "two", "men", "a", "b", "aaaa", "ab", "in", "ing", "running", "QUICK", "007",
    " ", "  ", "   ",
]  # fmt: skip


def nasty_lines(count: int = 1500) -> list[str]:
    """Deterministic lines that mix words with everything that could be mistaken for something else."""
    draw = random.Random(7)
    lines = ["", " ", "  ", "\t", "▁", " ▁ ", "␛", *NASTY]
    while len(lines) < count:
        between = draw.choice(["", " ", " ", "  "])
        line = between.join(draw.choice(NASTY) for _ in range(draw.randrange(1, 14)))
        some = "".join(chr(draw.choice([draw.randrange(0xD800), draw.randrange(0xE000, 0x110000)])) for _ in range(3))
        lines.append(line + draw.choice(["", "", some]))
    return lines


def real_lines(folder: Path, count: int = 700) -> list[str]:
    """Sentences of several languages, spread over each file."""
    lines: list[str] = []
    for name in ("multi30k/train.en.gz", "multi30k/train.de.gz", "tatoeba-anki/fra-eng.tsv.gz"):
        with gzip.open(folder / name, "rt", encoding="utf-8", newline="\n") as file:
            whole = [line.rstrip("\n") for line in file]
        lines += whole[:: len(whole) // count][:count]
    return lines


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(offline=True)
    opened = context.new_page()
    opened.evaluate(
        "async (address) => { Object.assign(globalThis, await import(address)); }",
        data_address((PAGE / "tokens.js").read_bytes()),
    )
    yield opened
    context.close()


def trained(kind: Kind, lines: list[str]) -> Vocabulary:
    """Learnt from every other line, so that the rest holds what it never saw."""
    return Vocabulary.train(lines[::2], kind=kind, size=120 if kind == "characters" else 1200)


def assert_equal(page: Any, vocabulary: Vocabulary, lines: list[str]) -> None:
    """ids, the text that comes back, and labels."""
    script = """([entry, lines]) => {
      const vocabulary = new Vocabulary(entry);
      const ids = lines.map((line) => vocabulary.encode(line));
      return { ids, texts: ids.map((each) => vocabulary.decode(each)), size: vocabulary.size,
        pieces: vocabulary.tokens.map((_, id) => vocabulary.piece(id)) };
    }"""
    found = page.evaluate(script, [vocabulary_entry(vocabulary), lines])
    ids = vocabulary.encode_batch(lines)
    differing = [(line, a, b) for line, a, b in zip(lines, found["ids"], ids, strict=True) if a != b]
    assert differing == []
    assert found["texts"] == [vocabulary.decode(each) for each in ids]
    assert found["size"] == len(vocabulary)
    assert found["pieces"] == [vocabulary.piece(number) for number in range(len(vocabulary))]


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_nasty_lines_give_the_same_ids_texts_and_labels(page: Any, kind: Kind) -> None:
    lines = nasty_lines()
    assert_equal(page, trained(kind, lines), lines)


@pytest.mark.parametrize("kind", KINDS)
def test_real_sentences_give_the_same_ids_texts_and_labels(page: Any, kind: Kind, shared_data: Path) -> None:
    lines = real_lines(shared_data)
    assert len(lines) >= 1000
    vocabulary = Vocabulary.train(lines[::2], kind=kind, size=150 if kind == "characters" else 4000)
    assert_equal(page, vocabulary, lines + nasty_lines(300))


@pytest.mark.parametrize("kind", KINDS)
def test_any_ids_come_back_as_the_same_text(page: Any, kind: Kind) -> None:
    """Whatever a model writes: halves of characters, escapes without their partner, special ids."""
    vocabulary, draw = trained(kind, nasty_lines()), random.Random(3)
    likely = range(min(len(vocabulary), 300))  # for bpe the special tokens, the bytes and a few characters
    several = [[draw.choice(likely) for _ in range(draw.randrange(12))] for _ in range(1000)]
    if kind == "bpe":
        several += [[*vocabulary.encode(text)[::-1]] for text in nasty_lines(300)]
    script = "([entry, several]) => { const v = new Vocabulary(entry); return several.map((ids) => v.decode(ids)); }"
    assert page.evaluate(script, [vocabulary_entry(vocabulary), several]) == [vocabulary.decode(ids) for ids in several]


def test_punctuation_means_the_same_characters_on_both_sides(page: Any) -> None:
    """All that Unicode had when this Python was made; a newer browser knows of a few characters more."""
    tokenizer = json.loads(Vocabulary.train(["a"], kind="bpe", size=330).to_json())
    split = pre_tokenizers.Split(Regex(tokenizer["pre_tokenizer"]["pretokenizers"][1]["pattern"]["Regex"]), "isolated")
    known = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) not in ("Cn", "Co", "Cs")]
    for start in range(0, len(known), 4096):
        line = "".join(f"a{character}" for character in known[start : start + 4096])
        pieces = [piece for piece, _ in split.pre_tokenize_str(line)]
        assert page.evaluate("(line) => line.match(PARTS)", line) == pieces


def test_half_a_surrogate_pair_does_not_break_the_page(page: Any) -> None:
    for kind in KINDS:
        vocabulary = Vocabulary.train(["a b"], kind=kind, size=330)
        script = "(entry) => new Vocabulary(entry).encode('a\\ud800')"
        ids = page.evaluate(script, vocabulary_entry(vocabulary))
        assert all(0 <= number < len(vocabulary) for number in ids)


def test_a_foreign_vocabulary_shows_its_pieces_and_says_that_it_cannot_encode(page: Any) -> None:
    entry = vocabulary_entry(Vocabulary.train(["a b"], kind="symbols", size=330)) | {"kind": "other"}
    script = """(entry) => {
      const vocabulary = new Vocabulary(entry);
      try { vocabulary.encode("a"); } catch (error) {
        return [vocabulary.encodes, error.message, vocabulary.piece(4), vocabulary.decode([1, 4, 5])];
      }
    }"""
    encodes, message, piece, text = page.evaluate(script, entry)
    assert (encodes, piece, text) == (False, "a", "a b")
    assert "not one that the page can imitate" in message
