"""Cost as work grows: python -m benchmarks.growth   (make bench-growth)

Training time against sentence length, decoding time against answer length, memory of a training step against the
vocabulary, loading against the number of pairs. Prints the exponent k of cost ~ size^k, over all points and over the
last two; writes benchmarks/growth.json and the pictures docs/pictures/growth-*.svg.

Seconds are CPU time with one thread. Memory is the peak of a process that does nothing else.
"""

import argparse
import json
import platform
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from benchmarks.environments import ROOT
from benchmarks.machine import machine
from benchmarks.measuring import Work, exponent, interleaved, peak_memory

TOKENS = 1024  # target tokens of a training step
LENGTHS = (16, 32, 64, 128, 256, 512, 1024)
ANSWERS = (8, 16, 32, 64, 128, 256, 512)
WITHOUT_CACHE = 128  # the longest answer that is written without a cache: it costs much
VOCABULARIES = (1000, 2000, 4000, 8000, 16_000, 32_000, 64_000)
PAIRS = (1000, 10_000, 100_000, 1_000_000, 10_000_000)
WORDS = (
    "the", "of", "and", "to", "in", "is", "you", "that", "it", "he", "was", "for", "on", "are", "as", "with", "his",
)  # fmt: skip

Points = dict[str, list[float]]  # the curve's name: its costs, in the order of the sizes


class Figure(NamedTuple):
    """One picture: costs against sizes."""

    title: str
    across: str
    up: str
    sizes: tuple[int, ...]
    measure: Callable[[tuple[int, ...], int], Points]  # of the sizes and the rounds; a curve may end early


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figures", default=",".join(FIGURES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--max-pairs", type=int, default=1_000_000, help="up to 10,000,000, which takes long")
    parser.add_argument("--point", nargs=2, metavar=("NAME", "SIZE"), help="one point, alone in its process")
    options = parser.parse_args()
    if options.point:
        name, size = options.point
        print(json.dumps(ALONE[name](int(size))))
        return
    kept = ROOT / "benchmarks" / "growth.json"
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    for name in options.figures.split(","):
        figure = FIGURES[name]
        sizes = tuple(size for size in figure.sizes if name != "pairs" or size <= options.max_pairs)
        found[name] = {
            "machine": machine(), "python": platform.python_version(), "torch": torch_version(),
            "date": date.today().isoformat(), "sizes": sizes, "curves": figure.measure(sizes, options.rounds),
            "command": f"python -m benchmarks.growth {shlex.join(sys.argv[1:])}".strip(),
        }  # fmt: skip
        kept.write_text(a_line_each(found), encoding="utf-8")
        draw(figure, found[name], ROOT / "docs" / "pictures" / f"growth-{name}.svg")
        print("\n".join(table(figure, found[name])), flush=True)


def a_line_each(found: dict[str, Any]) -> str:
    """JSON with a line for each figure, so that a new measurement changes one line."""
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(figure)}" for name, figure in found.items()) + "\n}\n"


def table(figure: Figure, found: dict[str, Any]) -> Iterator[str]:
    """The exponents of a figure, and its points."""
    yield f"\n{figure.title} ({figure.up} against {figure.across})"
    for name, costs in found["curves"].items():
        sizes = found["sizes"][: len(costs)]
        last = exponent(sizes[-2:], costs[-2:])
        yield f"  {name}: cost ~ size^{exponent(sizes, costs):.2f}, at the end size^{last:.2f}"
        yield "    " + ", ".join(f"{size:,}: {cost:.4g}" for size, cost in zip(sizes, costs, strict=True))


def four_digits(cost: float) -> float:
    return float(f"{cost:.4g}")


def torch_version() -> str:
    import torch

    return str(torch.__version__)


def by_length(lengths: tuple[int, ...], rounds: int) -> Points:
    """Seconds of a training step for one sentence of each length; a step holds 1024 tokens of them."""
    import torch

    from benchmarks.peers.glassformer import Glassformer
    from benchmarks.sizes import RATE, sources, targets
    from glassformer.model.attention import attention
    from glassformer.model.fused import fused_attention, use_attention

    torch.set_num_threads(1)
    # A function of its own, so that training keeps it and does not choose by itself.
    attentions = {"written out": lambda *given: attention(*given), "fused": fused_attention}
    trainings = {name: Glassformer({"max_length": max(lengths)}).training(0.1, "float32") for name in attentions}
    for name, training in trainings.items():
        use_attention(training.model, attentions[name])
    found: Points = {name: [] for name in attentions}
    for length in lengths:
        sentences = TOKENS // length
        src, trg = sources(sentences, length), targets(sentences, length)
        works: dict[str, Work] = {
            name: lambda of=training, src=src, trg=trg: of.step(src, trg, RATE) for name, training in trainings.items()
        }
        for name, spent in interleaved(works, rounds, time.process_time).items():
            found[name].append(four_digits(statistics.median(spent) / sentences))
    return found


def by_answer(lengths: tuple[int, ...], rounds: int) -> Points:
    """Seconds for 8 answers of each length to sources of 16 tokens, with the cache and by the textbook loop."""
    import torch

    from benchmarks.peers.glassformer import Glassformer
    from benchmarks.sizes import END, START, sources
    from glassformer import DecodingConfig
    from glassformer.decode import greedy

    torch.set_num_threads(1)
    model = Glassformer({"max_length": max(lengths)}).decoder()
    src = sources(8, 16)

    def with_cache(length: int) -> None:
        config = DecodingConfig(max_ratio=0.0, max_extra=length, forced_end=False)
        assert {len(hypothesis.ids) for hypothesis in greedy(model, src, START, END, config)} == {length}

    @torch.inference_mode()
    def without_cache(length: int) -> None:
        trg, memory, src_mask = torch.full((8, 1), START), model.encode(src), model.make_src_mask(src)
        for _ in range(length):
            decoded = model.decode(trg, memory, src_mask)[:, -1:]
            trg = torch.cat([trg, model.fc_out(decoded).argmax(-1)], dim=1)

    found: Points = {"with the cache": [], "without": []}
    for length in lengths:
        works: dict[str, Work] = {"with the cache": lambda length=length: with_cache(length)}
        if length <= WITHOUT_CACHE:
            works["without"] = lambda length=length: without_cache(length)
        for name, spent in interleaved(works, rounds, time.process_time).items():
            found[name].append(four_digits(statistics.median(spent)))
    return found


def by_vocabulary(sizes: tuple[int, ...], rounds: int) -> Points:
    """MB of a training step of 128 pairs of 16 + 16 tokens, above those of a process that only imported us."""
    start = alone("nothing", 0)["bytes"]
    points = [alone("vocabulary", size) for size in sizes]
    return {
        "all of it": [four_digits((point["bytes"] - start) / 2**20) for point in points],
        "weights, their gradients and Adam's two": [four_digits(16 * point["parameters"] / 2**20) for point in points],
        "the logits in float32, were they kept": [four_digits(4 * 128 * 16 * size / 2**20) for size in sizes],
    }


def by_pairs(sizes: tuple[int, ...], rounds: int) -> Points:
    """Loading so many generated pairs: seconds to encode them, seconds to open them and get a batch, MB."""
    points = [alone("pairs", size) for size in sizes]
    return {
        "encoding once, s": [four_digits(point["encoding"]) for point in points],
        "opening and the first batch, s": [four_digits(point["opening"]) for point in points],
        "peak memory, MB": [four_digits(point["bytes"] / 2**20) for point in points],
    }


def alone(name: str, size: int) -> dict[str, float]:
    """One point, measured in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.growth", "--point", name, str(size)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    point: dict[str, float] = json.loads(printed.splitlines()[-1])
    return point


def nothing(size: int) -> dict[str, float]:
    import benchmarks.peers.glassformer  # noqa: F401

    return {"bytes": peak_memory()}


def one_vocabulary(size: int) -> dict[str, float]:
    import torch

    from benchmarks.peers.glassformer import OurTraining
    from benchmarks.sizes import EMBED, FORWARD, HEADS, LAYERS, PAD, RATE, parameters, sources, targets
    from glassformer import Transformer

    torch.set_num_threads(1)
    model = Transformer(
        size, size, PAD, PAD, EMBED, LAYERS, FORWARD / EMBED, HEADS, 0.1, tie_embeddings="three-way"
    )  # fmt: skip
    training = OurTraining(model, "float32")
    for _ in range(2):
        training.step(sources(128, 16) % size, targets(128, 16) % size, RATE)
    return {"bytes": peak_memory(), "parameters": parameters(model)}


def one_loading(size: int) -> dict[str, float]:
    from glassformer.data import TokenBatches, Vocabularies, Vocabulary, encode_pairs

    joint = Vocabulary.train((text for pair in generated(20_000) for text in pair), kind="bpe", size=1000)
    with TemporaryDirectory() as folder:
        arguments = dict(cache_folder=folder, key="generated", max_length=100)
        begin = time.process_time()
        encode_pairs(lambda: generated(size), Vocabularies(joint, joint), **arguments)
        encoded = time.process_time()
        pairs = encode_pairs(lambda: generated(size), Vocabularies(joint, joint), **arguments)
        batches = TokenBatches(pairs, batch_tokens=8192, seed=1, src_pad_id=joint.pad_id, trg_pad_id=joint.pad_id)
        next(iter(batches))
        opened = time.process_time()
        for _ in islice(batches, 100):
            pass
        return {"encoding": encoded - begin, "opening": opened - encoded, "bytes": peak_memory()}


def generated(count: int) -> Iterator[tuple[str, str]]:
    """So many different pairs of 3 to 12 words, one at a time: never all of them in memory."""
    for number in range(count):
        yield sentence(number, 7), sentence(number, 13)


def sentence(number: int, step: int) -> str:
    """Some common words, and the number in two: a number is never said twice, and its halves are."""
    words = (WORDS[(number * step + place * place) % len(WORDS)] for place in range(1 + number * step % 10))
    return f"{' '.join(words)} {number % 5003} {number // 5003}"


def draw(figure: Figure, found: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": figure.title, "font.size": 9}
    picture, axes = plt.subplots(figsize=(5.5, 4.2), layout="constrained")
    for name, costs in found["curves"].items():
        sizes = found["sizes"][: len(costs)]
        axes.loglog(sizes, costs, "o-", markersize=3, label=f"{name} (size^{exponent(sizes, costs):.2f})")
    axes.set(title=figure.title, xlabel=figure.across, ylabel=figure.up)
    axes.set_xticks(found["sizes"], [f"{size:,}" for size in found["sizes"]], rotation=30)
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    picture.legend(loc="outside lower center", frameon=False, fontsize=8)
    picture.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(picture)


FIGURES = {
    "length": Figure("Training", "tokens of a sentence", "CPU seconds a sentence", LENGTHS, by_length),
    "answer": Figure("Greedy decoding, 8 sentences", "tokens of an answer", "CPU seconds", ANSWERS, by_answer),
    "vocabulary": Figure("Memory of a training step", "vocabulary", "MB", VOCABULARIES, by_vocabulary),
    "pairs": Figure("Loading", "pairs", "seconds, MB", PAIRS, by_pairs),
}
ALONE = {"nothing": nothing, "vocabulary": one_vocabulary, "pairs": one_loading}


if __name__ == "__main__":
    main()
