"""Write docs/speed.md: how speed is measured, and how cost grows, by benchmarks/growth.json and scaling.json.

python docs/make_speed.py
"""

import json
import math
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from made import write

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
HEAD = """\
# Speed

## Beside others

`make bench` measures training and decoding beside six other programs. What it found, with machine, versions, date and
command, is `benchmarks/RESULTS.md` in the project. How it measures:

- Each peer has an environment of its own with pinned versions. One process there holds the peer and our model, made
  alike: the same sizes, the same number of parameters (asserted), the same tensors. CTranslate2 alone sits in a process
  of its own without torch: in one, their threads hinder each other.
- Both are measured in turn, round by round. A ratio is the median of the rounds' ratios, with the lowest and the
  highest beside it: a machine that slows down slows both.
- With one thread, time is CPU time, which other programs hardly disturb. With more it is time on the wall, for a quiet
  machine.
- The rate of one large product of matrices is measured in the same rounds: how much of what the machine can do was
  reached.
- Memory and start-up are measured alone, in further processes. Our own earlier figures stay as rows.

What its figures do not tell: sentences of other lengths than 16 tokens, models of other sizes, text to ids, and any
machine but the one that is named.

### Where we are not ahead, and why

- **Large batches.** The products of matrices are the same for everybody, as in training, and near the limit of the
  machine: at 128 sentences they are four fifths of our decoding and run at 39.8 of the 41.5 GFLOP/s that one core
  of the older CPU reaches (`torch.profiler`, 24 November 2026). What is left to win is the last fifth, so against a
  peer that keeps its keys and values, as Hugging Face's Marian does, no ratio there can be far above 1. With AVX-512
  oneDNN is the faster library (8,000 words of 256 channels with 32 and 128 rows, one core of the Zen 4: 1.2 and 5.0 ms
  where MKL takes 2.1 and 7.3), so decoding lays out its weights for it: 1.26 times Marian's speed at 128 sentences.
- **One sentence at a time against CTranslate2.** A token is then some hundred small operations, each called from Python
  here and from C++ there; reading the weights, which nobody can avoid, is a third of our time and half of theirs.
- **Integers, on one core.** With VNNI (Zen 4, one thread, 1 December 2026) ours in int8 has 0.59 to 0.75 of
  CTranslate2's speed in batches, 0.20 of it with one sentence: finding each row's largest number, dividing by it and
  multiplying by it again are operations of their own here. CTranslate2 does not gain from a second thread there, we do.
  On CPUs without VNNI int8 costs CTranslate2 many of its answers.
- **To a validation loss.** Batches of like lengths take half the time of random ones for an epoch, but AdamW learns
  less by an update from them: to a loss of 4.0 we take 0.8 of the time of Marian and of JoeyNMT, not half. One model
  (128 channels, 2 + 2 layers, Multi30k, 1,024 tokens) after 300 of 400 updates, one run each, in batches of like
  lengths, in four quarters of unlike lengths for an update, in random ones: AdamW (rate 3e-3) 4.05, 3.86, 3.67; Muon
  (6e-3) 2.96, 2.90, 2.88 (validation loss, 30 November 2026). So it was the optimizer that was worth changing.

## As work grows

`make bench-growth` measures what more work costs. *size^k* is the straight line nearest to the points on logarithmic
axes: with k = 1, twice the size costs twice as much, with k = 2 four times. One line seldom fits, so the k of the last
two points is given too: it tells more of larger sizes.

<!-- Made by docs/make_speed.py from benchmarks/growth.json: python -m benchmarks.growth, then run it again. -->
"""


class Curve(NamedTuple):
    """Costs at sizes."""

    sizes: list[int]
    costs: list[float]

    def k(self, last: int = 0) -> str:
        """The k of cost ~ size^k, over all points or the last ones."""
        across, up = ([math.log(number) for number in numbers[-last:]] for numbers in self)
        return f"{statistics.linear_regression(across, up).slope:.2f}"

    @property
    def end(self) -> str:
        return self.k(last=2)


def by_length(written: Curve, fused: Curve) -> str:
    return (
        f"A training step's time for one sentence grows as length^{written.k()} with the written-out attention and as "
        f"length^{fused.k()} with the fused one, from {written.sizes[-2]:,} to {written.sizes[-1]:,} tokens as "
        f"length^{written.end} and length^{fused.end}: the operations of attention grow with the square, all others in "
        f"a straight line."
    )


def by_answer(kept: Curve, again: Curve) -> str:
    return (
        f"With kept keys and values time grows as length^{kept.k()}, at the end as length^{kept.end}, since each word "
        f"looks at all before it; where all is computed again for each word, as length^{again.k()}, at the end as "
        f"length^{again.end}."
    )


def by_vocabulary(everything: Curve, weights: Curve, logits: Curve) -> str:
    return (
        f"{times(everything.sizes)} times the vocabulary takes {times(everything.costs)} times the memory: "
        f"size^{everything.k()}, at the end size^{everything.end}. What grows is the table of words, its gradient and "
        f"the optimizer's two numbers for each (with all other weights {weights.costs[0]:.0f} to "
        f"{weights.costs[-1]:.0f} MB); the logits, {logits.costs[-1]:.0f} MB in the end, are never there all at once."
    )


def by_pairs(encoding: Curve, opening: Curve, memory: Curve) -> str:
    return (
        f"Encoding, done once and kept, grows as pairs^{encoding.k()}, at the end as pairs^{encoding.end}; opening "
        f"what was kept takes {1000 * opening.costs[0]:.0f} to {1000 * opening.costs[-1]:.0f} ms, and memory is "
        f"{memory.costs[0]:.0f} MB for {memory.sizes[0]:,} pairs and {memory.costs[-1]:.0f} MB for "
        f"{memory.sizes[-1]:,}, the most that were measured."
    )


SAYS: dict[str, tuple[str, Callable[..., str]]] = {
    "length": ("Training against the length of a sentence", by_length),
    "answer": ("Decoding against the length of the answer", by_answer),
    "vocabulary": ("Memory against the vocabulary", by_vocabulary),
    "pairs": ("Loading against the number of pairs", by_pairs),
}


def times(numbers: list[Any]) -> str:
    return f"{numbers[-1] / numbers[0]:.2g}"


def page() -> str:
    growth, scaling = (json.loads((BENCHMARKS / f"{name}.json").read_text()) for name in ("growth", "scaling"))
    return "\n".join([HEAD, *(line for name in SAYS for line in section(name, growth[name])), *processes(scaling)])


def section(name: str, found: dict[str, Any]) -> Iterator[str]:
    title, says = SAYS[name]
    curves = [Curve(found["sizes"][: len(costs)], costs) for costs in found["curves"].values()]
    yield from (
        f"### {title}",
        "",
        f"![{title}, on logarithmic axes](pictures/growth-{name}.svg)",
        "",
        says(*curves),
        "",
    )
    yield from (f"{found['machine']}; torch {found['torch']}; {found['date']}: `{found['command']}`.", "")


def processes(found: dict[str, Any]) -> Iterator[str]:
    low, median, high = found["efficiency"][0], statistics.median(found["efficiency"]), found["efficiency"][-1]
    same = "the same" if found["same_losses"] else "other"
    yield from (
        "## Two processes",
        "",
        "`torchrun` starts one process for each GPU, or several on one CPU ([how](guides/train.md)). Two of them, each "
        f"with one thread and batches of its own, train {found['two_processes']:,} tokens a second, one alone "
        f"{found['one_process']:,}: {median:.0%} of twice as many (rounds: {low:.0%} to {high:.0%}). Where one is "
        f"killed (`kill -9`), both start again from the newest checkpoint and are past the lost updates after "
        f"{found['seconds_until_past_the_kill']:.0f} seconds, with {same} losses as a run left alone "
        f"({found['updates']} updates).",
        "",
        f"{found['machine']}; {found['date']}: `{found['command']}`.",
        "",
    )


if __name__ == "__main__":
    write("speed.md", page)
