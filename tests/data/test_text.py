"""Reading parallel text: the pairing survives whatever a file holds, and what breaks it is named with its line."""

import gzip
from pathlib import Path

import pytest

from glassformer.data.text import Dropped, Jsonl, Source, Tsv, TwoFiles, read_lines, read_pairs
from glassformer.errors import UserError


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_only_lf_ends_a_line_and_one_cr_before_it_goes(packed: bool, tmp_path: Path) -> None:
    content = "\ufeffone\r\ntwo\u2028still\x0btwo\x85too\nthree\rtoo\r\r\n\nfive".encode()
    path = write(tmp_path / "text", gzip.compress(content) if packed else content)
    assert list(read_lines(path)) == ["one", "two\u2028still\x0btwo\x85too", "three\rtoo\r", "", "five"]


def test_a_byte_order_mark_is_only_one_at_the_start_of_the_file(tmp_path: Path) -> None:
    assert list(read_lines(write(tmp_path / "a", "\ufeffa\n\ufeffb\n"))) == ["a", "\ufeffb"]


def test_characters_are_composed(tmp_path: Path) -> None:
    assert list(read_lines(write(tmp_path / "a", "cafe\u0301\n"))) == ["café"]


def test_invalid_utf8_is_named_with_file_line_and_byte(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", b"fine\nna\xefve\n")
    with pytest.raises(UserError, match=r"a\.txt:2: byte 3 of the line \(0xEF\) is not UTF-8"):
        list(read_lines(path))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    whole = gzip.compress(b"text\n" * 1000)
    for path in (tmp_path / "absent", tmp_path, write(tmp_path / "cut.gz", whole[:-12])):
        with pytest.raises(UserError, match="cannot read"):
            list(read_lines(path))
    with pytest.raises(UserError, match="cannot read"):
        list(read_lines(write(tmp_path / "flipped.gz", whole[:15] + bytes([whole[15] ^ 255]) + whole[16:])))


def test_two_files_give_pairs_and_empty_ones_are_dropped_and_counted(tmp_path: Path) -> None:
    source, target = write(tmp_path / "a", "one\n\n three\nfour\n"), write(tmp_path / "b", "un\ndeux\ntrois\n \t \n")
    dropped = Dropped()
    assert list(read_pairs(TwoFiles(source, target), dropped)) == [("one", "un"), (" three", "trois")]
    assert dropped.empty == 2


@pytest.mark.parametrize("lost", [0, 17, 199])
@pytest.mark.parametrize("side", ["source", "target"])
def test_different_line_counts_say_both_and_where_a_line_was_lost(lost: int, side: str, tmp_path: Path) -> None:
    lines = ["x" * (5 + number * 37 % 90) for number in range(200)]
    fewer = lines[:lost] + lines[lost + 1 :]
    files = {"train.en": lines if side == "target" else fewer, "train.de": fewer if side == "target" else lines}
    paths = [write(tmp_path / name, "".join(f"{line}\n" for line in text)) for name, text in files.items()]
    counts = (200, 199) if side == "target" else (199, 200)
    expected = (
        rf"train\.en has {counts[0]} lines and train\.de {counts[1]}: line i of each must be the same sentence\. "
        rf"First difference in length ratio: line {lost + 1}\."
    )
    with pytest.raises(UserError, match=expected):
        list(read_pairs(TwoFiles(*paths)))


def test_columns_of_a_table_are_chosen_by_number(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "1\tone\tun\r\n2\ttwo\tdeux\r\n")
    assert list(read_pairs(Tsv(path, source_column=2, target_column=3))) == [("one", "un"), ("two", "deux")]
    assert list(read_pairs(Tsv(path, source_column=3, target_column=1))) == [("un", "1"), ("deux", "2")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\na\tb\tc\n", r"a\.tsv:2: 3 columns, but line 1 has 2"),
        ("a\tb\n\na\tb\n", r"a\.tsv:2: 1 columns, but line 1 has 2"),
        ("a b\n", r"a\.tsv:1: 1 columns, but column 2 was asked for"),
    ],
)
def test_a_wrong_column_count_is_named_with_file_and_line(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        list(read_pairs(Tsv(write(tmp_path / "a.tsv", content))))


def test_columns_are_counted_from_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the first column is number 1"):
        list(read_pairs(Tsv(write(tmp_path / "a.tsv", "a\tb\n"), source_column=0)))


def test_keys_of_objects_are_chosen_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"en": "one\\ntwo", "fr": "cafe\\u0301", "id": 3}\n')
    assert list(read_pairs(Jsonl(path, "en", "fr"))) == [("one\ntwo", "café")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("", "not JSON"),
        ("[1]", "one JSON object"),
        ('{"source": "a"}', "key 'target' must hold a text; the keys are 'source'"),
        ('{"source": "a", "target": 1}', "key 'target' must hold a text"),
    ],
)
def test_a_line_that_is_no_such_object_is_named(line: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"source": "a", "target": "b"}\n' + line + "\n")
    with pytest.raises(UserError, match=rf"a\.jsonl:2: .*{message}"):
        list(read_pairs(Jsonl(path)))


@pytest.mark.parametrize("kind", ["two", "tsv", "jsonl"])
def test_packed_files_read_like_plain_ones(kind: str, tmp_path: Path) -> None:
    def packed(name: str, content: str) -> Path:
        return write(tmp_path / name, gzip.compress(content.encode()))

    sources: dict[str, Source] = {
        "two": TwoFiles(packed("a.gz", "a\n"), packed("b.gz", "b\n")),
        "tsv": Tsv(packed("c.gz", "a\tb\n")),
        "jsonl": Jsonl(packed("d.gz", '{"source": "a", "target": "b"}\n')),
    }
    assert list(read_pairs(sources[kind])) == [("a", "b")]
