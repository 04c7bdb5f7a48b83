"""One peer and ours in one process, in interleaved rounds, inside the peer's environment; prints JSON.

    python -m benchmarks.together PEER [--figures step,epoch,loss,decode] [--threads N] [--rounds N] ...

`run.py` starts it. A record holds the seconds of each side in each round, and how many tokens those were.
"""

import argparse
import importlib
import json
import math
import random
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from itertools import cycle
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.measuring import clock_for, interleaved, seconds
from benchmarks.peers.glassformer import Glassformer
from benchmarks.peers.peer import Peer, Training
from benchmarks.sizes import (
    DROPOUT,
    LENGTH,
    PAD,
    RATE,
    VOCAB,
    parameters,
    sources,
    targets,
    training_flops,
    weights_per_token,
)
from glassformer import Vocabularies, Vocabulary, open_dataset
from glassformer.data import EncodedPairs, TokenBatches, batches_in_order, encode_in_memory, make_batch

MATRIX = 1024  # rows and columns of the product that tells how fast this machine can be
DECODED = ((1, 1), (32, 1), (128, 1), (32, 4))  # sentences at a time, beam
EVALUATE_EVERY = 50  # updates, on the way to a validation loss
PEAK_RATE, WARMUP = 1e-3, 400  # of the same way

Pairs = tuple[Tensor, Tensor]
Record = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer")
    parser.add_argument("--figures", default="step,decode")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--to-loss", type=float, default=4.5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    comparison = Comparison(options)
    figures: dict[str, Callable[[], Iterator[Record]]] = {
        "step": comparison.step, "epoch": comparison.epoch, "loss": comparison.loss, "decode": comparison.decode,
    }  # fmt: skip
    records = [record for name in options.figures.split(",") if name for record in figures[name]()]
    print(json.dumps({**comparison.about(), "records": records}))


class Comparison:
    """Ours, made like the peer, and the peer."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.clock = options, clock_for(options.threads)
        self.peer: Peer = importlib.import_module(f"benchmarks.peers.{options.peer}").PEER
        self.ours = Glassformer(self.peer.alike)

    def about(self) -> Record:
        """Who was measured. Raises AssertionError where the parameters differ by more than what is explained."""
        about: Record = {
            "title": self.peer.title, "package": self.peer.package, "version": version(self.peer.package),
            "torch": torch.__version__, "alike": self.peer.alike, "beside": self.peer.beside,
            "remarks": self.peer.remarks, "trains": self.peer.trains, "parameters": parameters(self.ours.model(0.0)),
        }  # fmt: skip
        if self.peer.trains:
            theirs = parameters(self.peer.model(0.0))
            assert theirs == about["parameters"] + sum(self.peer.beside.values()), (theirs, about)
        return about

    def step(self) -> Iterator[Record]:
        """One training step on the same tensors, in each precision that this machine is fast in."""
        if not self.peer.trains:
            return
        sentences = self.options.tokens // LENGTH
        src, trg = sources(sentences, LENGTH), targets(sentences, LENGTH)
        for precision in precisions():
            ours, theirs = self.trainings(precision)
            matrix = torch.randn(MATRIX, MATRIX, dtype=getattr(torch, precision))
            works = {
                "ours": lambda ours=ours: ours.step(src, trg, RATE),
                "theirs": lambda theirs=theirs: theirs.step(src, trg, RATE),
                "matrix": lambda matrix=matrix: matrix @ matrix,
            }
            yield {
                "figure": "step", "what": precision, "tokens": sentences * LENGTH,
                "flops": training_flops(sentences, LENGTH, LENGTH), "matrix_flops": 2.0 * MATRIX**3,
                "seconds": interleaved(works, self.options.rounds, self.clock),
            }  # fmt: skip

    def decode(self) -> Iterator[Record]:
        """Answers of forced length; where the peer takes our weights, float32 must give the same answers."""
        whole = self.ours.decoder()
        read = torch.randn(8192, MATRIX)  # more than a processor's cache holds: how fast weights come from memory
        for kind in self.peer.kinds:
            ours, theirs = self.ours.decoder(whole, kind), self.peer.decoder(whole, kind)
            for sentences, beam in DECODED:
                if beam not in self.peer.beams:
                    continue
                src = sources(sentences, LENGTH)
                found = self.peer.answers(theirs, src, beam)
                assert [len(answer) for answer in found] == [LENGTH] * sentences
                if not self.peer.trains and kind == "float32":
                    assert [list(answer) for answer in found] == self.ours.answers(ours, src, beam)
                works = {
                    "ours": lambda src=src, beam=beam, model=ours: self.ours.answers(model, src, beam),
                    "theirs": lambda src=src, beam=beam, model=theirs: self.peer.answers(model, src, beam),
                }
                if sentences == 1:
                    works["reading"] = lambda: read @ read[0]
                yield {
                    "figure": "decode", "what": f"{kind}, {sentences} at a time, {search(beam)}",
                    "tokens": sentences * LENGTH, "bytes": weights_per_token(kind), "read": 4 * read.numel(),
                    "seconds": interleaved(works, self.options.rounds, self.clock),
                }  # fmt: skip

    def epoch(self) -> Iterator[Record]:
        """One epoch of Multi30k, each with its own batches: some of them are timed, and the rest taken to be alike."""
        if not self.peer.has_batches:
            return
        pairs, _ = multi30k()
        both = self.own_batches(pairs)
        ours, theirs = self.trainings(precisions()[-1])
        spent: dict[str, list[float]] = {"ours": [], "theirs": []}
        for number in range(self.options.rounds + 1):
            for side, training in (("ours", ours), ("theirs", theirs)):
                batch = both[side][number * len(both[side]) // (self.options.rounds + 1)]
                for_one = seconds(lambda t=training, b=batch: t.step(*b, RATE), self.clock) / padded(batch)
                if number:  # the first step is a warm-up
                    spent[side].append(for_one * sum(map(padded, both[side])))
        useful = pairs.counts.src_tokens + pairs.counts.trg_tokens
        yield {
            "figure": "epoch", "what": precisions()[-1], "tokens": pairs.counts.trg_tokens, "seconds": spent,
            "batches": {side: len(batches) for side, batches in both.items()},
            "padded_over_useful": {side: sum(map(padded, batches)) / useful for side, batches in both.items()},
        }  # fmt: skip

    def loss(self) -> Iterator[Record]:
        """Time and updates until a validation loss, each with its own batches and all else equal."""
        if not self.peer.has_batches:
            return
        pairs, valid = multi30k()
        both = self.own_batches(pairs)
        judged = [(batch.src, batch.trg) for _, batch in batches_in_order(valid, 4096, src_pad_id=PAD, trg_pad_id=PAD)]
        ours, theirs = self.trainings(precisions()[-1])
        found: dict[str, tuple[float, int, float]] = {}
        for side, peer, training in (("ours", self.ours, ours), ("theirs", self.peer, theirs)):
            found[side] = self.until(peer, training, both[side], judged)
        yield {
            "figure": "loss", "what": f"{precisions()[-1]}, validation loss {self.options.to_loss}",
            "tokens": 0, "seconds": {side: [spent] for side, (spent, _, _) in found.items()},
            "updates": {side: updates for side, (_, updates, _) in found.items()},
            "reached": {side: reached for side, (_, _, reached) in found.items()},
        }  # fmt: skip

    def until(
        self, peer: Peer, training: Training, batches: Sequence[Pairs], judged: Sequence[Pairs]
    ) -> tuple[float, int, float]:
        """(seconds without those for judging, updates, the loss reached) of one side; at most 20 epochs."""
        order = random.Random(1).sample(range(len(batches)), len(batches))
        spent = 0.0
        for updates, number in enumerate(cycle(order), start=1):
            rate = PEAK_RATE * min(updates / WARMUP, math.sqrt(WARMUP / updates))
            spent += seconds(lambda b=batches[number], r=rate: training.step(*b, r), self.clock)
            if updates % EVALUATE_EVERY == 0:
                reached = judge(peer, training.model, judged)
                if reached <= self.options.to_loss or updates > 20 * len(batches):
                    break
        return spent, updates, reached

    def trainings(self, precision: str) -> tuple[Training, Training]:
        return self.ours.training(DROPOUT, precision), self.peer.training(DROPOUT, precision)

    def own_batches(self, pairs: EncodedPairs) -> dict[str, list[Pairs]]:
        """The batches of one epoch, ours and theirs."""
        tokens = self.options.tokens
        stream = TokenBatches(pairs, batch_tokens=tokens, seed=1, src_pad_id=PAD, trg_pad_id=PAD)
        ours = [(batch.src, batch.trg) for batch, _ in zip(stream, range(stream.batches_per_epoch), strict=False)]
        lengths = list(zip(pairs.src_lengths.tolist(), pairs.trg_lengths.tolist(), strict=True))
        cuts = self.peer.batches(lengths, tokens, math.ceil(len(pairs) / len(ours)))
        random.Random(1).shuffle(cuts)
        return {"ours": ours, "theirs": [batch_of(pairs, rows) for rows in cuts]}


def precisions() -> list[str]:
    """float32, and bfloat16 where the processor multiplies it faster; the fastest one last."""
    able = torch.cpu.get_capabilities()
    return ["float32", *(["bfloat16"] if able.get("avx512_bf16") or able.get("amx_bf16") else [])]


def search(beam: int) -> str:
    return "greedy" if beam == 1 else f"beam {beam}"


def multi30k() -> tuple[EncodedPairs, EncodedPairs]:
    """Training and validation pairs, de-en, in one vocabulary of the common size."""
    data = open_dataset("multi30k-de-en")
    joint = Vocabulary.train((text for pair in data.train() for text in pair), kind="bpe", size=VOCAB)
    train, valid = (
        encode_in_memory(part(), Vocabularies(joint, joint), max_length=256) for part in (data.train, data.valid)
    )
    return train, valid


def batch_of(pairs: EncodedPairs, rows: Sequence[int]) -> Pairs:
    both = [pairs.pair(row) for row in rows]
    batch = make_batch([source for source, _ in both], [target for _, target in both], src_pad_id=PAD, trg_pad_id=PAD)
    return batch.src, batch.trg


def padded(batch: Pairs) -> int:
    """The tokens that a model computes on, padding included."""
    src, trg = batch
    return src.numel() + trg[:, 1:].numel()


@torch.no_grad()
def judge(peer: Peer, model: nn.Module, batches: Sequence[Pairs]) -> float:
    """Nats per real target token, without smoothing and without dropout."""
    model.eval()
    total = sum(
        F.cross_entropy(
            peer.logits(model, src, trg[:, :-1]).flatten(0, 1).float(), trg[:, 1:].flatten(),
            ignore_index=PAD, reduction="sum",
        ).item()
        for src, trg in batches
    )  # fmt: skip
    model.train()
    return total / sum(int((trg[:, 1:] != PAD).sum()) for _, trg in batches)


if __name__ == "__main__":
    main()
