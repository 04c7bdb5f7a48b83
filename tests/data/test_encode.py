"""Encoding: one pass gives the same arrays in memory and on disk, and an interrupted one leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from glassformer.data import encode
from glassformer.data.encode import EncodedPairs, encode_in_memory, encode_pairs
from glassformer.data.text import Pair
from glassformer.data.vocabulary import Vocabularies, Vocabulary
from glassformer.errors import UserError

PAIRS = [("a b c", "x y"), ("", "x"), ("a", "x y x y x"), ("c b a", "y"), ("b", " ")]
SRC = Vocabulary.train(["a b c"], kind="symbols")
TRG = Vocabulary.train(["x y"], kind="symbols")
BOTH = Vocabularies(SRC, TRG)


def on_disk(folder: Path, key: str = "k", pairs: list[Pair] = PAIRS, max_length: int = 5) -> EncodedPairs:
    return encode_pairs(lambda: pairs, BOTH, cache_folder=folder, key=key, max_length=max_length)


def test_sources_end_with_the_end_token_and_targets_have_both() -> None:
    encoded = encode_in_memory(PAIRS, BOTH, max_length=5)
    assert encoded.pair(0) == ([*SRC.encode("a b c"), SRC.end_id], [TRG.start_id, *TRG.encode("x y"), TRG.end_id])
    assert encoded.src_lengths.tolist() == [4, 4]
    assert encoded.trg_lengths.tolist() == [3, 2]


def test_empty_and_over_long_pairs_are_dropped_and_counted() -> None:
    counts = encode_in_memory(PAIRS, BOTH, max_length=5).counts
    assert (counts.kept, counts.dropped_empty, counts.dropped_long) == (2, 2, 1)
    assert (counts.src_tokens, counts.trg_tokens, counts.longest) == (8, 5, 4)


def test_max_length_counts_the_tokens_of_a_side_as_the_model_sees_them() -> None:
    assert len(encode_in_memory(PAIRS, BOTH, max_length=6)) == 3
    assert len(encode_in_memory(PAIRS, BOTH, max_length=4)) == 2
    with pytest.raises(UserError, match="no sentence pair is left: 2 have an empty side and 3 are longer than"):
        encode_in_memory(PAIRS, BOTH, max_length=2)


def test_disk_and_memory_hold_the_same(tmp_path: Path) -> None:
    written, kept = on_disk(tmp_path), encode_in_memory(PAIRS, BOTH, max_length=5)
    assert written.counts == kept.counts
    for name in encode.ARRAYS:
        assert np.array_equal(written._read(name), kept._read(name))
    assert isinstance(written.src_tokens, np.memmap)
    assert written.src_tokens.dtype == np.uint16


def test_many_chunks_give_what_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = encode_in_memory(PAIRS * 3, BOTH, max_length=6)
    monkeypatch.setattr(encode, "CHUNK", 2)
    chunked = encode_in_memory(PAIRS * 3, BOTH, max_length=6)
    assert chunked.counts == whole.counts
    assert [chunked.pair(i) for i in range(len(chunked))] == [whole.pair(i) for i in range(len(whole))]


def test_blocks_are_the_pairs_of_their_ranges() -> None:
    encoded = encode_in_memory([(" ".join("abc"[: 1 + i % 3]), "x") for i in range(10)], BOTH, max_length=9)
    chosen = encoded.blocks([(7, 10), (0, 2)])
    assert [chosen.pair(i) for i in range(5)] == [encoded.pair(i) for i in (7, 8, 9, 0, 1)]
    assert len(chosen) == 5


def test_a_second_call_opens_what_the_first_wrote(tmp_path: Path) -> None:
    on_disk(tmp_path)
    again = encode_pairs(lambda: pytest.fail("read again"), BOTH, cache_folder=tmp_path, key="k", max_length=5)
    assert len(again) == 2


def test_other_text_vocabulary_or_setting_is_another_folder(tmp_path: Path) -> None:
    on_disk(tmp_path)
    on_disk(tmp_path, key="other")
    on_disk(tmp_path, max_length=6)
    encode_pairs(lambda: PAIRS, Vocabularies(SRC, SRC), cache_folder=tmp_path, key="k", max_length=5)
    assert len(list(tmp_path.iterdir())) == 4


def test_an_exception_in_the_pass_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[Pair]:
        yield "a", "x"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_pairs(broken, BOTH, cache_folder=tmp_path, key="k", max_length=5)
    assert not list(tmp_path.iterdir())


SAME = """
import os, signal, sys
from glassformer.data import Vocabularies, Vocabulary, encode_pairs
v = Vocabulary.train(["a b c"], kind="symbols")
def pairs():
    yield from [("a", "b")] * 10_000
    # and here it ends
encode_pairs(pairs, Vocabularies(v, v), cache_folder=sys.argv[1], key="k", max_length=5)
"""
KILLED = SAME.replace("# and here it ends", "os.kill(os.getpid(), signal.SIGKILL)")


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
def test_what_a_killed_pass_leaves_is_not_taken_for_finished_and_is_swept(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [folder.name.startswith("tmp-") for folder in tmp_path.iterdir()] == [True]
    assert len(on_disk(tmp_path)) == 2
    assert [folder.name.startswith("tmp-") for folder in tmp_path.iterdir()] == [False]


def test_the_work_of_a_living_process_is_not_swept_until_it_is_a_day_old(tmp_path: Path) -> None:
    living = tmp_path / f"tmp-{socket.gethostname()}-{os.getppid()}-abc"
    elsewhere = tmp_path / "tmp-another-machine-1-abc"
    old = tmp_path / "tmp-another-machine-2-abc"
    for folder in (living, elsewhere, old):
        folder.mkdir()
    os.utime(old, (0, 0))
    on_disk(tmp_path)
    assert living.exists()
    assert elsewhere.exists()
    assert not old.exists()


def test_two_passes_at_once_agree_on_one_folder(tmp_path: Path) -> None:
    def overtaken() -> Iterator[Pair]:
        other = subprocess.run([sys.executable, "-c", SAME, str(tmp_path)], check=False)
        assert other.returncode == 0
        yield "a", "b"

    both = Vocabularies(SRC, SRC)
    assert len(encode_pairs(overtaken, both, cache_folder=tmp_path, key="k", max_length=5)) == 10_000
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("damage", ["truncated", "without its description", "with a broken description"])
def test_a_damaged_folder_is_written_anew(damage: str, tmp_path: Path) -> None:
    on_disk(tmp_path)
    (folder,) = tmp_path.iterdir()
    if damage == "truncated":
        (folder / "src.tokens").write_bytes(b"")
    elif damage == "without its description":
        (folder / "about.json").unlink()
    else:
        (folder / "about.json").write_text("{}", encoding="utf-8")
    assert on_disk(tmp_path).pair(0) == encode_in_memory(PAIRS, BOTH, max_length=5).pair(0)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(UserError, match=r"cannot write encoded text to .*file"):
        on_disk(tmp_path / "file")


def peak_memory(folder: Path, pairs: int) -> int:
    script = Path(__file__).with_name("memory_use.py")
    command = [sys.executable, str(script), str(folder), str(pairs)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    kept, seen, peak = map(int, told.split())
    assert kept > 0.9 * pairs
    assert seen > 0.9 * kept
    return peak


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc, as Linux has it")
@pytest.mark.parametrize(
    "pairs", [200_000, pytest.param(10_000_000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]
)
def test_reading_encoding_and_batching_stay_below_500_mb(pairs: int, tmp_path: Path) -> None:
    assert peak_memory(tmp_path, pairs) < 500e6
