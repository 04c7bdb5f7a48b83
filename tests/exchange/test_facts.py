"""What weights cannot say: vocabularies from files, or numbers, and the ids that are asked for."""

from pathlib import Path
from typing import Any

import pytest

from glassformer.data import Vocabularies, Vocabulary
from glassformer.errors import UserError
from glassformer.exchange.facts import Facts, vocabularies

IDS: dict[str, Any] = dict(src_pad=0, trg_pad=0, start=1, end=2)


def listed(folder: Path, name: str, *tokens: str) -> Path:
    (folder / name).write_text("\n".join(tokens) + "\n", encoding="utf-8")
    return folder / name


def test_without_files_words_are_numbers() -> None:
    src, trg = vocabularies(Facts(**IDS), 12, 9)
    assert src.encode("5 11 3") == [5, 11, 3]
    assert trg.decode([1, 5, 8, 2, 0]) == "5 8"
    assert (trg.pad_id, trg.start_id, trg.end_id) == (0, 1, 2)
    with pytest.raises(UserError, match="cannot encode"):
        src.encode("5 12")
    with pytest.raises(UserError, match="cannot encode"):
        trg.encode("1")  # no number spells a special token


def test_numbers_come_back_from_a_folder(tmp_path: Path) -> None:
    facts = Facts(**(IDS | dict(start=0)), src_start=4)
    vocabularies(facts, 12, 9).save(tmp_path)
    src, trg = Vocabularies.load(tmp_path)
    assert src.encode("5 6") == [4, 5, 6]
    assert (trg.pad_id, trg.start_id, trg.end_id) == (0, 0, 2)


def test_lists_of_characters_and_of_symbols_are_told_apart(tmp_path: Path) -> None:
    src = listed(tmp_path, "src", "<unk>", "<pad>", "<bos>", "<eos>", " ", "a", "b")
    trg = listed(tmp_path, "trg", "<s>", "</s>", "<pad>", "AH", "B")
    found = vocabularies(Facts(src_vocab=src, trg_vocab=trg), 7, 5)
    assert found.src.encode("ab a?") == [5, 6, 4, 5, 0]
    assert found.trg.decode([0, 3, 4, 1]) == "AH B"
    opened = vocabularies(Facts(src_vocab=src, trg_vocab=trg, src_start=2), 7, 5)
    assert opened.src.encode("ab") == [2, 5, 6]


def test_a_source_need_not_have_a_start(tmp_path: Path) -> None:
    src = listed(tmp_path, "src", "<pad>", "</s>", "<unk>", "a")
    trg = listed(tmp_path, "trg", "<pad>", "</s>", "<unk>", "a")
    found = vocabularies(Facts(src_vocab=src, trg_vocab=trg, start=0), 4, 4)
    assert found.src.end_id == 1
    with pytest.raises(UserError, match=r"no start token.*--start"):
        vocabularies(Facts(src_vocab=src, trg_vocab=trg), 4, 4)


def test_a_tokenizer_is_read_with_the_ids_told(tmp_path: Path) -> None:
    Vocabulary.train(["ab ba"], kind="characters").save(tmp_path / "both.json")
    both = dict(src_vocab=tmp_path / "both.json", trg_vocab=tmp_path / "both.json")
    found = vocabularies(Facts(**both), 9, 9)
    assert found.joint
    assert vocabularies(Facts(**both, start=0), 9, 9).trg.start_id == 0
    with pytest.raises(UserError, match="puts nothing before a text"):
        vocabularies(Facts(**both, src_start=1), 9, 9)
    with pytest.raises(UserError, match="7 pieces and the model's source table 6 rows"):
        vocabularies(Facts(**both), 6, 9)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({}, r"--src-pad .*--trg-pad .*--start .*--end"),
        (IDS | dict(src_pad=12), "the id of pad, 12, is not in a vocabulary of 12"),
        (IDS | dict(end=-1), "the id of end, -1, is not in a vocabulary of 9"),
        (dict(src_vocab=Path("none.txt"), **IDS), "none.txt: this is no vocabulary that can be read"),
        (dict(src_vocab=Path("none.json"), **IDS), "none.json: this is n"),
    ],
)
def test_what_is_wrong_is_said(facts: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        vocabularies(Facts(**facts), 12, 9)


def test_an_unknown_divisor_is_refused() -> None:
    with pytest.raises(UserError, match="Did you mean head_dim"):
        Facts(divide_by="head_dims")  # type: ignore[arg-type]
