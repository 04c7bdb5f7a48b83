"""Vocabularies: every text comes back, no text becomes a command, and one file says it all."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from glassformer.data import tokenizer
from glassformer.data.vocabulary import END, PAD, START, UNKNOWN, Vocabularies, Vocabulary
from glassformer.errors import UserError

TEXTS = [
    "Two dogs run on the green grass.",
    "A dog jumps over the small dog, and the dogs run.",
    "Deux chiens courent sur l'herbe verte.",
    "they wrote <s> and </s> and <pad> and <0x41> <0x41> again, <s> and </s> and <pad> and <0x41>",
]
BPE = Vocabulary.train(TEXTS * 5, kind="bpe", size=400)
CHARACTERS = Vocabulary.train(["hello world", "a b"], kind="characters")
SYMBOLS = Vocabulary.train(["HH AH L OW", "W ER L D"], kind="symbols")

AWKWARD = st.sampled_from(
    [" ", "  ", "▁", "␛", "␛0", "␛1", "<s>", "</s>", "<pad>", "<unk>", "<0x41>", "\n", "\r", "é", "😀"]
)
ANY_TEXT = st.text() | st.lists(AWKWARD | st.text(max_size=4), max_size=8).map("".join)


@settings(max_examples=10_000, deadline=None)
@given(ANY_TEXT)
@example(" ")
@example("▁ ▁")
@example("  two  spaces  ")
@example("\ufeffa\u0000b\u2028c\ufffd\ud7ff\U0010ffff")
def test_any_text_comes_back_from_bpe_and_holds_no_special_id(text: str) -> None:
    ids = BPE.encode(text)
    assert BPE.decode(ids) == text
    assert BPE.special_ids.isdisjoint(ids)


@pytest.mark.parametrize(("vocabulary", "text"), [(CHARACTERS, "low held d"), (SYMBOLS, "OW L AH")])
def test_known_characters_and_symbols_come_back(vocabulary: Vocabulary, text: str) -> None:
    assert vocabulary.decode(vocabulary.encode(text)) == text


def test_unknown_characters_and_symbols_become_the_unknown_id() -> None:
    assert CHARACTERS.encode("hé") == [*CHARACTERS.encode("h"), CHARACTERS.unknown_id]
    assert SYMBOLS.encode("L <s> </s> XX") == [*SYMBOLS.encode("L"), *[SYMBOLS.unknown_id] * 3]


def test_the_special_tokens_have_ids_0_to_3_in_every_kind() -> None:
    for vocabulary in (BPE, CHARACTERS, SYMBOLS):
        ids = (vocabulary.pad_id, vocabulary.start_id, vocabulary.end_id, vocabulary.unknown_id)
        assert ids == (0, 1, 2, 3)
        assert [vocabulary.piece(number) for number in ids] == [PAD, START, END, UNKNOWN]


def test_special_ids_leave_no_trace_in_the_text() -> None:
    ids = BPE.encode("a dog")
    assert BPE.decode([BPE.start_id, *ids, BPE.end_id, BPE.pad_id, BPE.pad_id]) == "a dog"


def test_symbols_are_split_by_any_number_of_spaces_and_joined_by_one() -> None:
    assert SYMBOLS.decode(SYMBOLS.encode(" HH  AH ")) == "HH AH"


def test_merges_cannot_build_special_tokens_or_bytes_however_often_the_text_says_them() -> None:
    vocabulary = Vocabulary.train(["<s></s><pad><unk><0x41>"] * 100, kind="bpe", size=600)
    ids = vocabulary.encode("<s></s><pad><unk><0x41>")
    assert vocabulary.special_ids.isdisjoint(ids)
    assert vocabulary.decode(ids) == "<s></s><pad><unk><0x41>"


def test_pieces_label_each_id_readably() -> None:
    assert CHARACTERS.pieces("a b") == ["a", "▁", "b"]
    assert SYMBOLS.pieces("HH OW") == ["HH", "OW"]
    assert BPE.pieces("the dog")[0].startswith("▁")
    assert BPE.pieces("é\t~") == ["▁", "<0xC3>", "<0xA9>", "<0x09>", "~"]
    assert all(label.isprintable() for label in BPE.pieces("\x00\n▁ é😀"))


def test_the_same_text_gives_the_same_vocabulary() -> None:
    for kind in ("bpe", "characters", "symbols"):
        first, second = (Vocabulary.train(iter(TEXTS), kind=kind, size=400) for _ in range(2))  # type: ignore[arg-type]
        assert first.to_json() == second.to_json()


def test_a_long_text_is_sampled_evenly_and_always_in_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer, "BPE_TEXTS", 100)
    sorted_text = [*["short"] * 1000, *["considerably longer"] * 1000]
    first, second = (Vocabulary.train(iter(sorted_text), kind="bpe", size=400) for _ in range(2))
    assert first.to_json() == second.to_json()
    assert first.pieces("short longer") == ["▁short", "▁longer"]


def test_size_is_kept_and_the_rarest_go_first() -> None:
    assert len(BPE) <= 400
    small = Vocabulary.train(["a a a b b c"], kind="symbols", size=6)
    assert small.decode(small.encode("a b")) == "a b"
    assert small.encode("c") == [small.unknown_id]


def test_rare_characters_do_not_crowd_out_the_merges() -> None:
    many = "".join(map(chr, range(0x4E00, 0x4E00 + 500)))
    vocabulary = Vocabulary.train([many, *["the dog"] * 50], kind="bpe", size=400)
    assert len(vocabulary) <= 400
    assert vocabulary.pieces("the dog") == ["▁the", "▁dog"]
    assert vocabulary.decode(vocabulary.encode(many)) == many


@pytest.mark.parametrize("vocabulary", [BPE, CHARACTERS, SYMBOLS])
def test_a_saved_vocabulary_is_the_same_when_loaded(vocabulary: Vocabulary, tmp_path: Path) -> None:
    vocabulary.save(tmp_path / "tokenizer.json")
    loaded = Vocabulary.load(tmp_path / "tokenizer.json")
    assert loaded.to_json() == vocabulary.to_json()
    assert loaded.encode("HH the  dog <s> ▁") == vocabulary.encode("HH the  dog <s> ▁")


def test_a_stored_padding_or_template_never_reaches_encoded_text(tmp_path: Path) -> None:
    BPE.save(tmp_path / "tokenizer.json")
    loaded = Vocabulary.load(tmp_path / "tokenizer.json")
    assert loaded.encode_batch(["a", "a dog runs"])[0] == BPE.encode("a")


def other_peoples(*tokens: str) -> str:
    words = Tokenizer(models.WordLevel({token: number for number, token in enumerate(tokens)}))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return str(words.to_str())


def test_another_librarys_names_are_found_and_kept() -> None:
    vocabulary = Vocabulary.from_json(other_peoples("[PAD]", "[UNK]", "[CLS]", "[SEP]", "dog"))
    assert (vocabulary.pad_id, vocabulary.unknown_id, vocabulary.start_id, vocabulary.end_id) == (0, 1, 2, 3)


def test_names_given_once_are_remembered_in_the_file() -> None:
    given_names = Vocabulary.from_json(
        other_peoples("dog", "fill", "stop", "what"), pad="fill", start="fill", end="stop"
    )
    again = Vocabulary.from_json(given_names.to_json())
    assert (again.pad_id, again.start_id, again.end_id) == (1, 1, 2)


def test_text_that_another_tokenizer_cannot_encode_is_a_clear_error() -> None:
    vocabulary = Vocabulary.from_json(other_peoples("<pad>", "<s>", "</s>", "dog"))
    assert vocabulary.encode("dog") == [3]
    with pytest.raises(UserError, match="the tokenizer cannot encode this text"):
        vocabulary.encode("cat")


def test_a_missing_part_says_which_and_how_to_name_it() -> None:
    with pytest.raises(UserError, match=r"no start token .* Say which one it is with start="):
        Vocabulary.from_json(other_peoples("<pad>", "</s>", "dog"))


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text('{"version": "1.0", "model": 3', encoding="utf-8")
    with pytest.raises(UserError, match=r"tokenizer\.json: this is not the JSON of a tokenizer"):
        Vocabulary.load(path)
    with pytest.raises(UserError, match="cannot read the vocabulary"):
        Vocabulary.load(tmp_path / "absent.json")


def test_an_id_far_beyond_the_others_is_refused() -> None:
    content = json.loads(BPE.to_json())
    content["model"]["vocab"]["far"] = 10**9
    with pytest.raises(UserError, match="without gaps"):
        Vocabulary.from_json(json.dumps(content))


def test_half_a_surrogate_pair_is_refused_where_it_comes_in() -> None:
    for attempt in (
        lambda: BPE.encode("a\ud800"),
        lambda: BPE.encode_batch(["fine", "a\ud800"]),
        lambda: Vocabulary.train(["a\ud800"], kind="characters"),
        lambda: Vocabulary.train(["a\ud800"], kind="bpe"),
    ):
        with pytest.raises(UserError, match="character 2 is half of a surrogate pair"):
            attempt()


@pytest.mark.parametrize(
    ("texts", "kind", "size", "message"),
    [
        (["a"], "words", 10, "unknown kind of vocabulary 'words'"),
        (["a"], "bpe", 200, "size=200 is too small for bpe"),
        (["a"], "symbols", 4, "size=4 leaves no room"),
        ([""], "symbols", 10, "no text"),
        ([], "bpe", 400, "no text"),
    ],
)
def test_a_vocabulary_that_cannot_be_made_says_why(texts: list[str], kind: str, size: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Vocabulary.train(texts, kind=kind, size=size)  # type: ignore[arg-type]


def test_a_piece_out_of_range_is_refused() -> None:
    with pytest.raises(UserError, match="not in this vocabulary"):
        BPE.piece(len(BPE))


@pytest.mark.parametrize("joint", [True, False])
def test_both_vocabularies_are_saved_and_loaded_together(joint: bool, tmp_path: Path) -> None:
    both = Vocabularies(BPE, BPE if joint else SYMBOLS)
    both.save(tmp_path)
    loaded = Vocabularies.load(tmp_path)
    assert loaded.joint == joint
    assert [vocabulary.to_json() for vocabulary in loaded] == [vocabulary.to_json() for vocabulary in both]


def test_ids_without_a_row_in_the_models_table_are_refused() -> None:
    both = Vocabularies(BPE, SYMBOLS)
    both.check(len(BPE), len(SYMBOLS))
    both.check(len(BPE) + 5, len(SYMBOLS))
    with pytest.raises(UserError, match=rf"target vocabulary has {len(SYMBOLS)} pieces .* table 3 rows"):
        both.check(len(BPE), 3)


def test_a_list_of_tokens_gives_each_the_id_of_its_place() -> None:
    tokens = ["<unk>", "<pad>", "<bos>", "<eos>", "b", "a", " "]
    vocabulary = Vocabulary.from_tokens(tokens, kind="characters")
    assert vocabulary.encode("ab b?") == [5, 4, 6, 4, 0]
    assert (vocabulary.pad_id, vocabulary.start_id, vocabulary.end_id, vocabulary.unknown_id) == (1, 2, 3, 0)
    assert vocabulary.decode([2, 5, 4, 3, 1]) == "ab"
    symbols = Vocabulary.from_tokens(
        ["go", "AH", "stop", "B", "fill"], kind="symbols", pad="fill", start="go", end="stop"
    )
    assert symbols.encode("B AH") == [3, 1]
    with pytest.raises(UserError, match="cannot encode"):
        symbols.encode("B XX")  # no token is unknown


@pytest.mark.parametrize("kind", ["characters", "symbols"])
def test_a_vocabulary_that_opens_begins_each_text_with_its_start(kind: tokenizer.Kind) -> None:
    tokens = ["<pad>", "<s>", "</s>", "<unk>", "a", "b"]
    vocabulary = Vocabulary.from_tokens(tokens, kind=kind, opens=True)
    text = "a b" if kind == "symbols" else "ab"
    for again in (vocabulary, Vocabulary.from_json(vocabulary.to_json())):
        assert again.encode(text) == [1, 4, 5]
        assert again.encode("") == []
        assert again.decode([1, 4, 5, 2]) == text
        assert again.pieces(text) == ["<s>", "a", "b"]
        written = again.encode(f"<s> {text}" if kind == "symbols" else f"<s>{text}")
        assert written[0] == 1
        assert 1 not in written[1:], "no text spells the start"
        assert again.opens
    assert not CHARACTERS.opens
    assert not BPE.opens


def test_a_list_that_cannot_be_a_vocabulary_is_refused() -> None:
    with pytest.raises(UserError, match="'a' stands twice"):
        Vocabulary.from_tokens(["<pad>", "a", "<s>", "a", "</s>"], kind="characters")
    with pytest.raises(UserError, match="how bpe merges"):
        Vocabulary.from_tokens(["<pad>", "<s>", "</s>"], kind="bpe")
    with pytest.raises(UserError, match="no end token"):
        Vocabulary.from_tokens(["<pad>", "<s>", "a"], kind="characters")
