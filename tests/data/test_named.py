"""The named data sets: what they hold, that nothing leaks from training into the test, and where they come from."""

import gzip
import hashlib
import io
import json
import zipfile
from functools import cache
from itertools import islice
from pathlib import Path

import pytest

from glassformer.data import multi30k, tatoeba
from glassformer.data.dataset import DataSet
from glassformer.data.named import DATASETS, open_dataset
from glassformer.data.pronounce import read_dictionary
from glassformer.data.synthetic import TASKS
from glassformer.errors import UserError
from tests.data.local_server import Server


@cache
def opened(name: str, folder: Path) -> DataSet:
    """Each data set from the shared folder, read once for all tests."""
    return open_dataset(name, data_dir=folder)


def test_the_names_are_these() -> None:
    languages = ["tatoeba-en-fr", "tatoeba-fr-en", "tatoeba-en-de", "tatoeba-de-en"]
    benchmarks = ["multi30k-en-de", "multi30k-de-en", "multi30k-en-fr"]
    assert sorted(DATASETS) == sorted(["pronounce", "pronasyl", "copy", "reverse", "sort", *languages, *benchmarks])


def test_an_unknown_name_gets_suggestions() -> None:
    with pytest.raises(UserError, match=r"unknown data set 'multi30k-de'\. Did you mean .*multi30k-de-en"):
        open_dataset("multi30k-de")


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_has_three_parts_that_can_be_read_twice(name: str, shared_data: Path) -> None:
    data = opened(name, shared_data)
    assert data.name == data.identity["name"] == name
    for part, pairs in (("train", data.train), ("valid", data.valid), ("test", data.test)):
        count = sum(1 for _ in pairs())
        assert count == sum(1 for _ in pairs()) == data.identity["counts"][part]
        assert count >= 500
        assert all(source.strip() and target.strip() for source, target in islice(pairs(), 1000))
    json.dumps(data.identity)
    assert len({data.key("train"), data.key("valid"), open_dataset("copy").key("test")}) == 3


@pytest.mark.parametrize("name", [name for name in DATASETS if not name.startswith("multi30k")])
def test_no_test_or_validation_source_is_in_training(name: str, shared_data: Path) -> None:
    data = opened(name, shared_data)
    learned = {source for source, _ in data.train()}
    held_out = [{source for source, _ in part()} for part in (data.valid, data.test)]
    assert all(learned.isdisjoint(part) for part in held_out)
    if not name.startswith("tatoeba"):  # there, one translation may have two originals, one in each
        assert held_out[0].isdisjoint(held_out[1])


DICTIONARY = """\
# a comment line

hello HH AH0 L OW1
hello(2) HH EH0 L OW1
hello(3) HH AH1 L OW0
aalborg AO1 L B AO0 R G # place, danish
a.m. EY2 EH1 M
ad-hoc AE1 D HH AA1 K
d'artagnan D AH0 R T AE1 NG Y AH0 N # foreign french
"""


def test_the_dictionary_loses_stress_comments_marks_and_repetitions() -> None:
    assert list(read_dictionary(DICTIONARY.split("\n"))) == [
        ("hello", "HH AH L OW"),
        ("hello", "HH EH L OW"),
        ("aalborg", "AO L B AO R G"),
        ("d'artagnan", "D AH R T AE NG Y AH N"),
    ]


def test_pronounce_has_39_phones_27_letters_and_leaves_out_few_words() -> None:
    data = open_dataset("pronounce")
    pairs = [*data.train(), *data.valid(), *data.test()]
    assert len({phone for _, phones in pairs for phone in phones.split(" ")}) == 39
    assert set("".join(word for word, _ in pairs)) == set("abcdefghijklmnopqrstuvwxyz'")
    assert len({word for word, _ in pairs}) > 0.99 * 126_052


def test_pronounce_is_the_same_split_everywhere() -> None:
    data = open_dataset("pronounce")
    for word, part in (("abandonments", data.test), ("hello", data.train), ("transformer", data.train)):
        head = int(hashlib.sha256(word.encode()).hexdigest()[:8], 16) / 16**8
        assert any(word == each for each, _ in part()) == ((head < 0.03) == (part is data.test))
    assert data.identity["sha256"] == "81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22"


def test_a_word_with_several_pronunciations_is_one_test_entry_with_all_of_them() -> None:
    references = dict(open_dataset("pronounce").test_references())
    assert references["abbe"] == ["AE B IY", "AE B EY"]


def test_the_dictionary_is_the_shared_one_with_its_notice(shared_data: Path) -> None:
    ours = Path(multi30k.__file__).parent / "cmudict"
    for name in ("cmudict.dict.gz", "LICENSE"):
        assert (ours / name).read_bytes() == (shared_data / "cmudict" / name).read_bytes()


def test_pronasyl_has_the_papers_counts_and_cannot_be_downloaded(shared_data: Path) -> None:
    data = opened("pronasyl", shared_data)
    assert len(data.test_references()) == 12_000
    assert len({word for part in (data.train, data.valid) for word, _ in part()}) == 106_837
    with pytest.raises(UserError, match="pronasyl cannot be downloaded"):
        open_dataset("pronasyl")


@pytest.mark.parametrize("name", TASKS)
def test_synthetic_targets_are_the_right_answers(name: str) -> None:
    right = {"copy": lambda s: s, "reverse": lambda s: s[::-1], "sort": sorted}[name]
    for source, target in open_dataset(name).test():
        assert target.split(" ") == list(right(source.split(" ")))


# Multi30k


@pytest.mark.parametrize("direction", ["en-de", "de-en", "en-fr"])
def test_multi30k_keeps_every_line_in_order(direction: str, shared_data: Path) -> None:
    data = opened(f"multi30k-{direction}", shared_data)
    assert [sum(1 for _ in part()) for part in (data.train, data.valid, data.test)] == [29_000, 1_014, 1_000]
    source = direction.split("-")[0]
    lines = gzip.decompress((shared_data / "multi30k" / f"test_2016_flickr.{source}.gz").read_bytes()).decode()
    assert [text for text, _ in data.test_references()] == lines.rstrip("\n").split("\n")


@pytest.fixture
def tiny_multi30k(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Multi30k's home on this machine, with other text."""
    for name in multi30k.SHA256:
        text = f"one line of {name}\n".encode()
        server.files[f"/{name}.gz"] = gzip.compress(text)
        monkeypatch.setitem(multi30k.SHA256, name, hashlib.sha256(text).hexdigest())
    monkeypatch.setattr(multi30k, "HOME", server.address)
    return server


def test_multi30k_is_downloaded_once(tiny_multi30k: Server, own_cache: Path) -> None:
    told: list[str] = []
    for _ in range(2):
        data = open_dataset("multi30k-de-en", progress=lambda name, done, total: told.append(name))
        assert list(data.train()) == [("one line of train.de", "one line of train.en")]
    assert len(tiny_multi30k.asked) == len(told) == 6
    assert len(list((own_cache / "multi30k").iterdir())) == 6


def test_multi30k_with_a_wrong_checksum_is_refused_and_not_kept(tiny_multi30k: Server, own_cache: Path) -> None:
    tiny_multi30k.files["/val.de.gz"] = gzip.compress(b"another line\n")
    with pytest.raises(UserError, match=r"is not Multi30k's val\.de: its text has SHA-256"):
        open_dataset("multi30k-de-en")
    tiny_multi30k.files["/val.de.gz"] = b"\x1f\x8bnonsense"
    with pytest.raises(UserError, match="is damaged"):
        open_dataset("multi30k-de-en")
    assert not (own_cache / "multi30k" / "val.de.gz").exists()


def test_multi30k_in_a_given_folder_may_be_unpacked_and_is_never_downloaded(
    tiny_multi30k: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data" / "multi30k"
    folder.mkdir(parents=True)
    for path, content in tiny_multi30k.files.items():
        (folder / path.removeprefix("/").removesuffix(".gz")).write_bytes(gzip.decompress(content))
    monkeypatch.setenv("GLASSFORMER_DATA", str(tmp_path / "data"))
    assert list(open_dataset("multi30k-en-fr").test()) == [
        ("one line of test_2016_flickr.en", "one line of test_2016_flickr.fr")
    ]
    (folder / "val.en").unlink()
    with pytest.raises(UserError, match=r"val\.en\.gz is absent"):
        open_dataset("multi30k-en-fr")
    assert not tiny_multi30k.asked


# Tatoeba


def test_tatoeba_never_trains_on_either_side_of_a_held_out_sentence(shared_data: Path) -> None:
    data = opened("tatoeba-en-fr", shared_data)
    held_out = {tatoeba.letters(text) for part in (data.valid, data.test) for pair in part() for text in pair}
    assert all(held_out.isdisjoint(map(tatoeba.letters, pair)) for pair in data.train())
    assert data.identity["counts"]["dropped_from_train"] > 0
    assert sum(data.identity["counts"].values()) == 167_130
    assert not any(space in text for pair in data.train() for text in pair for space in "\u00a0\u2009\u202f")


def test_both_directions_and_both_languages_hold_out_the_same_english_sentences(shared_data: Path) -> None:
    def english(name: str, side: int) -> set[str]:
        return {tatoeba.letters(pair[side]) for pair in opened(name, shared_data).test()}

    assert english("tatoeba-en-fr", 0) == english("tatoeba-fr-en", 1)
    learned = {tatoeba.letters(pair[0]) for pair in opened("tatoeba-en-de", shared_data).train()}
    assert learned.isdisjoint(english("tatoeba-en-fr", 0))


def test_tatoeba_has_several_right_answers(shared_data: Path) -> None:
    references = opened("tatoeba-en-de", shared_data).test_references()
    assert max(len(answers) for _, answers in references) > 3
    assert len({source for source, _ in references}) == len(references)


def archive(lines: list[str], member: str = "fra.txt") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr(member, "".join(f"{line}\tCC-BY 2.0 (France) by somebody\n" for line in lines))
        file.writestr("_about.txt", "Date of this file:\n  2024-05-01\n")
    return packed.getvalue()


SENTENCES = [
    f"Sentence {'abcdefghij'[i // 100]}{'abcdefghij'[i // 10 % 10]}{'abcdefghij'[i % 10]}.\tPhrase {i} !"
    for i in range(1000)
]


def test_tatoeba_is_downloaded_once_and_tells_its_date_and_checksum(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/fra-eng.zip"] = archive(SENTENCES)
    monkeypatch.setattr(tatoeba, "HOME", server.address)
    first, again = open_dataset("tatoeba-en-fr"), open_dataset("tatoeba-fr-en")
    assert len(server.asked) == 1
    assert first.identity["date"] == "2024-05-01"
    assert first.identity["sha256"] == again.identity["sha256"]
    assert [(target, source) for source, target in again.train()] == list(first.train())
    assert "somebody" not in str(list(first.train()))


@pytest.mark.parametrize("content", [b"<html>busy</html>", archive(SENTENCES)[:-30], archive(["a\tb"], "other.txt")])
def test_what_is_no_archive_of_sentences_is_refused_and_not_kept(
    content: bytes, server: Server, monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    server.files["/fra-eng.zip"] = content
    monkeypatch.setattr(tatoeba, "HOME", server.address)
    with pytest.raises(UserError, match=r"no whole (zip archive|fra\.txt)|holds no whole fra\.txt"):
        open_dataset("tatoeba-en-fr")
    assert not list((own_cache / "tatoeba-anki").iterdir())


def test_tatoeba_in_a_given_folder_is_never_downloaded(tmp_path: Path) -> None:
    folder = tmp_path / "tatoeba-anki"
    folder.mkdir()
    with pytest.raises(UserError, match=r"none of fra-eng\.tsv\.gz, fra-eng\.tsv and fra-eng\.zip is in"):
        open_dataset("tatoeba-en-fr", data_dir=tmp_path)
    (folder / "fra-eng.tsv").write_text("\n".join(SENTENCES) + "\nno tab\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"fra-eng\.tsv:1001: an English sentence, a tab"):
        open_dataset("tatoeba-en-fr", data_dir=tmp_path)
    (folder / "fra-eng.tsv").write_text("\n".join(SENTENCES), encoding="utf-8")
    assert open_dataset("tatoeba-en-fr", data_dir=tmp_path).identity["date"] == ""


def test_a_shared_translation_of_a_held_out_sentence_is_dropped_from_training() -> None:
    names = [f"{a}{b}{c}" for a in "abcdefghij" for b in "abcdefghij" for c in "abcdefghij"]
    parts, dropped = tatoeba.split_pairs((name, "the same") for name in names)
    assert parts["valid"]
    assert parts["test"]
    assert parts["train"] == []
    assert dropped == 1000 - len(parts["valid"]) - len(parts["test"])
