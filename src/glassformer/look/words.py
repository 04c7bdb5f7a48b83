"""Vocabularies for the page: what page/tokens.js needs to encode, decode and label as Python does."""

import json
from functools import cache
from typing import Any, get_args

from tokenizers import Tokenizer

from glassformer.data import Vocabulary
from glassformer.data.vocabulary import Kind

SMALL = 320  # pieces; enough for any kind built from one letter
OF_THE_TEXT = ("vocab", "merges")  # what training learns; the rest of a tokenizer is how it works


def vocabulary_entry(vocabulary: Vocabulary) -> dict[str, Any]:
    """One of the payload's vocabularies: its kind, the tokens by id, merges, labels and the four special ids.

    `labels` holds `vocabulary.piece(id)` of those ids where it is not the token itself. A tokenizer that works
    otherwise than the three kinds of `Vocabulary.train` is of kind "other": the page shows its pieces, but encodes no
    text with it.
    """
    content = json.loads(vocabulary.to_json())
    ids: dict[str, int] = Tokenizer.from_str(json.dumps(content)).get_vocab(with_added_tokens=True)
    tokens = sorted(ids, key=ids.__getitem__)
    labels = {number: vocabulary.piece(number) for number in range(len(tokens))}
    kind = kind_of(content)
    return {
        "kind": kind,
        "tokens": tokens,
        "merges": content["model"].get("merges", []) if kind == "bpe" else [],
        "labels": {str(number): label for number, label in labels.items() if label != tokens[number]},
        "pad": vocabulary.pad_id,
        "start": vocabulary.start_id,
        "end": vocabulary.end_id,
        "unknown": vocabulary.unknown_id,
    }


def kind_of(content: dict[str, Any]) -> str:
    """Which of our kinds a tokenizer's JSON works like: "characters", "symbols", "bpe", or "other" for none."""
    if all(token["special"] for token in content["added_tokens"]):  # others would be cut out of the text first
        for kind in get_args(Kind):
            if works(content) == works(built(kind)):
                return str(kind)
    return "other"


@cache
def built(kind: Kind) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Vocabulary.train(["a"], kind=kind, size=SMALL).to_json())
    return content


def works(content: dict[str, Any]) -> dict[str, Any]:
    """How a tokenizer cuts text into pieces and puts them together again, whatever it has learnt."""
    parts: dict[str, Any] = {name: content[name] for name in ("normalizer", "pre_tokenizer", "decoder")}
    parts["model"] = {name: value for name, value in content["model"].items() if name not in OF_THE_TEXT}
    return parts
