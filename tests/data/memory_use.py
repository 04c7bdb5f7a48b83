"""Reads, encodes and batches so many generated pairs in a fresh process, and prints its greatest resident memory."""

import re
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from glassformer.data import TokenBatches, Vocabularies, Vocabulary, encode_pairs, from_files

WORDS = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "is",
    "you",
    "that",
    "it",
    "he",
    "was",
    "for",
    "on",
    "are",
    "as",
    "with",
    "his",
]


def lines(count: int, step: int) -> Iterator[str]:
    for number in range(count):
        length = 2 + number * step % 5
        yield (
            " ".join(WORDS[(number * step + place * place) % len(WORDS)] for place in range(length))
            + f" {number % 5003}\n"
        )


def write(path: Path, count: int, step: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(lines(count, step))


def main(folder: Path, count: int) -> None:
    write(folder / "a.txt", count, 7)
    write(folder / "b.txt", count, 13)
    data = from_files(folder / "a.txt", folder / "b.txt")
    vocabulary = Vocabulary.train(
        (text for pair in islice(data.train(), 300_000) for text in pair), kind="bpe", size=1000
    )
    both = Vocabularies(vocabulary, vocabulary)
    pairs = encode_pairs(data.train, both, cache_folder=folder / "cache", key=data.key("train"), max_length=100)
    batches = TokenBatches(pairs, batch_tokens=8192, seed=1, src_pad_id=0, trg_pad_id=0)
    seen = sum(len(batch.src) for batch in islice(batches, batches.batches_per_epoch))
    print(len(pairs), seen, peak_memory())


def peak_memory() -> int:
    """Bytes, from /proc: getrusage's ru_maxrss would begin with the memory of the process that started this one."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
