"""Your own files: read, counted, known again, and with text held out where none is given."""

from pathlib import Path

import pytest

from glassformer.data.own import from_files, from_sources
from glassformer.data.text import Jsonl, Tsv
from glassformer.errors import UserError


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def numbers(folder: Path, count: int, name: str = "train") -> tuple[Path, Path]:
    return (
        write(folder / f"{name}.en", [f"number {i}" for i in range(count)]),
        write(folder / f"{name}.fr", [f"nombre {i}" for i in range(count)]),
    )


@pytest.mark.parametrize("count", [20, 500, 5000])
def test_without_validation_text_a_part_is_held_out_by_hash(count: int, tmp_path: Path) -> None:
    data = from_files(*numbers(tmp_path, count))
    train, valid = list(data.train()), list(data.valid())
    assert sorted(train + valid) == sorted((f"number {i}", f"nombre {i}") for i in range(count))
    assert valid
    assert len(valid) < count / 2
    assert not list(data.test())
    assert data.identity["split"].startswith("by SHA-256 of the source")


def test_a_source_that_occurs_twice_is_on_one_side_of_the_split(tmp_path: Path) -> None:
    table = write(tmp_path / "a.tsv", [f"number {i % 300}\tnombre {i}" for i in range(600)])
    data = from_sources(Tsv(table))
    assert {source for source, _ in data.train()}.isdisjoint(source for source, _ in data.valid())


def test_given_parts_are_used_as_they_are(tmp_path: Path) -> None:
    data = from_files(*numbers(tmp_path, 30), *numbers(tmp_path, 5, "valid"), *numbers(tmp_path, 7, "test"))
    assert [len(list(part())) for part in (data.train, data.valid, data.test)] == [30, 5, 7]
    assert len(data.test_references()) == 7
    assert data.identity["split"] == "given"
    assert data.identity["texts"]["valid"]["pairs"] == 5


def test_the_identity_follows_the_text_not_the_file(tmp_path: Path) -> None:
    source, target = numbers(tmp_path, 30)
    table = write(tmp_path / "a.tsv", [f"number {i}\tnombre {i}" for i in range(30)])
    objects = write(tmp_path / "a.jsonl", [f'{{"en": "number {i}", "fr": "nombre {i}"}}' for i in range(30)])
    first = from_files(source, target)
    assert first.identity == from_sources(Tsv(table)).identity == from_sources(Jsonl(objects, "en", "fr")).identity
    write(target, [f"autre nombre {i}" for i in range(30)])
    assert from_files(source, target).identity["data"] != first.identity["data"]
    assert from_files(source, target).key("train") != first.key("train")


def test_empty_pairs_are_dropped_and_counted(tmp_path: Path) -> None:
    table = write(tmp_path / "a.tsv", [*[f"number {i}\tnombre {i}" for i in range(50)], "\tnombre", "number\t "])
    assert from_sources(Tsv(table)).identity["texts"]["train"]["dropped_empty"] == 2


def test_one_file_of_two_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="valid_src was given without valid_trg"):
        from_files(*numbers(tmp_path, 30), valid_src=tmp_path / "train.en")


def test_a_text_too_small_to_hold_out_from_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="too small to hold out"):
        from_files(*numbers(tmp_path, 0))
