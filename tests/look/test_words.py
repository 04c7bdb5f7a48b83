"""What the page is told of a vocabulary, and that it can tell our kinds from other people's tokenizers."""

import json
from collections.abc import Callable
from typing import Any, get_args

import pytest

from glassformer.data import Vocabulary
from glassformer.data.vocabulary import Kind
from glassformer.look.words import vocabulary_entry

TEXTS = ["two small\u00a0dogs", "a dog's ball, and 'a' cat"]
KINDS = get_args(Kind)


def changed(kind: Kind, change: Callable[[dict[str, Any]], object]) -> Vocabulary:
    """A vocabulary whose tokenizer.json somebody edited."""
    content = json.loads(Vocabulary.train(TEXTS, kind=kind, size=330).to_json())
    change(content)
    return Vocabulary.from_json(json.dumps(content))


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_is_worked_out_from_the_tokenizer_itself(kind: Kind) -> None:
    vocabulary = Vocabulary.train(TEXTS, kind=kind, size=330)
    assert vocabulary_entry(vocabulary)["kind"] == kind
    assert vocabulary_entry(Vocabulary.from_json(vocabulary.to_json())) == vocabulary_entry(vocabulary)


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_stand_at_their_ids_and_labels_only_where_they_differ(kind: Kind) -> None:
    vocabulary = Vocabulary.train(TEXTS, kind=kind, size=330)
    entry = vocabulary_entry(vocabulary)
    shown = [entry["labels"].get(str(number), token) for number, token in enumerate(entry["tokens"])]
    assert shown == [vocabulary.piece(number) for number in range(len(vocabulary))]
    assert all(entry["tokens"][int(number)] != label for number, label in entry["labels"].items())
    roles = [entry[role] for role in ("pad", "start", "end", "unknown")]
    assert [entry["tokens"][number] for number in roles] == ["<pad>", "<s>", "</s>", "<unk>"]


def test_every_merge_joins_two_tokens_into_a_third() -> None:
    entry = vocabulary_entry(Vocabulary.train(TEXTS * 3, kind="bpe", size=330))
    assert entry["merges"]
    assert all({left, right, left + right} <= set(entry["tokens"]) for left, right in entry["merges"])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda content: content.update(normalizer={"type": "Lowercase"}), id="another normalizer"),
        pytest.param(lambda content: content["model"].update(byte_fallback=False), id="no bytes"),
        pytest.param(lambda content: content["added_tokens"][3].update(special=False), id="a token cut out first"),
    ],
)
def test_a_tokenizer_that_works_otherwise_is_shown_but_not_imitated(change: Callable[[dict[str, Any]], object]) -> None:
    vocabulary = changed("bpe", change)
    entry = vocabulary_entry(vocabulary)
    assert entry["kind"] == "other"
    assert len(entry["tokens"]) == len(vocabulary)
    assert entry["merges"] == []


def test_a_unigram_tokenizer_of_somebody_else_has_an_entry_too() -> None:
    pieces = [["[PAD]", 0.0], ["[CLS]", 0.0], ["[SEP]", 0.0], ["[UNK]", 0.0], ["a", -1.0]]
    content = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": None, "post_processor": None, "decoder": None,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": pieces, "byte_fallback": False},
    }  # fmt: skip
    entry = vocabulary_entry(Vocabulary.from_json(json.dumps(content)))
    assert (entry["kind"], entry["tokens"], entry["start"]) == ("other", [piece for piece, _ in pieces], 1)
