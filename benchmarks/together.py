"""One peer and ours in interleaved rounds, inside the peer's environment; prints JSON.

    python -m benchmarks.together PEER model|step|epoch|loss|decode [--threads N] [--rounds N] ...

`run.py` starts it. It prints a list of rows: the seconds of each side in each round, and how many tokens those were.
"""

import argparse
import importlib
import json
import math
import random
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import cycle, islice
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

TIMED = 20  # batches of an epoch on each side, at least
MATRIX = 1024  # rows and columns of the product that tells how fast this machine can be
DECODED = ((1, 1), (32, 1), (128, 1), (32, 4))  # sentences at a time, beam
EVALUATE_EVERY = 50  # updates, on the way to a validation loss
PEAK_RATE, WARMUP = 1e-3, 400  # of the same way

Pairs = tuple[Tensor, Tensor]
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer")
    parser.add_argument("figure", choices=("model", "step", "epoch", "loss", "decode"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--to-loss", type=float, default=4.5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    print(json.dumps([*getattr(Comparison(options), options.figure)()]))


class Comparison:
    """Ours, made like the peer, and the peer."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.peer: Peer = importlib.import_module(f"benchmarks.peers.{options.peer}").PEER
        self.clock = clock_for(options.threads, self.peer.cpu_time)
        self.ours = Glassformer(self.peer.alike)

    def model(self) -> Iterator[Row]:
        """Who is measured. Raises AssertionError where the parameters differ by more than what is explained."""
        own = parameters(self.ours.model(0.0))
        if self.peer.trains:
            theirs = parameters(self.peer.model(0.0))
            assert theirs == own + sum(self.peer.beside.values()), (theirs, own, self.peer.beside)
        else:
            theirs = own
            self.peer.decoder(self.ours.decoder())  # writes the folder that benchmarks.alone opens
        yield {
            "title": self.peer.title, "version": f"{self.peer.package} {version(self.peer.package)}",
            "torch": torch.__version__, "trains": self.peer.trains, "parameters": {"ours": own, "theirs": theirs},
            "beside": self.peer.beside, "alike": self.peer.alike, "remarks": self.peer.remarks,
        }  # fmt: skip

    def step(self) -> Iterator[Row]:
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
                "what": precision, "tokens": sentences * LENGTH,
                "flops": training_flops(sentences, LENGTH, LENGTH), "matrix_flops": 2.0 * MATRIX**3,
                "seconds": interleaved(works, self.options.rounds, self.clock),
            }  # fmt: skip

    def decode(self) -> Iterator[Row]:
        """Answers of forced length; where the peer takes our weights, float32 must give the same answers."""
        whole = self.ours.decoder()
        read = torch.randn(2**15, MATRIX)  # more than a processor's cache holds: how fast weights come from memory
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
                    "what": f"{kind}, {sentences} at a time, {search(beam)}",
                    "tokens": sentences * LENGTH, "bytes": weights_per_token(kind), "read": 4 * read.numel(),
                    "seconds": interleaved(works, self.options.rounds, self.clock),
                }  # fmt: skip

    def epoch(self) -> Iterator[Row]:
        """One epoch of Multi30k, each with its own batches: some of them are timed, and the rest taken to be alike.

        Beside it, the seconds that our loader takes for all of its batches.
        """
        if not self.peer.has_batches:
            return
        pairs, _ = multi30k()
        both, precision = self.own_batches(pairs), precisions()[-1]
        whole = {side: sum(map(padded, batches)) for side, batches in both.items()}
        timed = {side: spread_out(batches, self.options.rounds) for side, batches in both.items()}
        trainings = dict(zip(("ours", "theirs"), self.trainings(precision), strict=True))
        spent: dict[str, list[float]] = {side: [] for side in trainings}
        for side, training in trainings.items():
            training.step(*timed[side][0][0], RATE)  # not counted
        for number in range(self.options.rounds):
            taken = dict.fromkeys(trainings, 0.0)
            for place in range(len(timed["ours"][number])):
                for side in list(trainings)[:: 1 if place % 2 == 0 else -1]:
                    step, batch = trainings[side].step, timed[side][number][place]
                    taken[side] += seconds(lambda step=step, batch=batch: step(*batch, RATE), self.clock)
            for side, batches in timed.items():
                spent[side].append(taken[side] * whole[side] / sum(map(padded, batches[number])))
        useful = pairs.counts.src_tokens + pairs.counts.trg_tokens
        yield {
            "what": precision, "tokens": pairs.counts.trg_tokens, "seconds": spent,
            "loader": seconds(lambda: self.our_batches(pairs), self.clock), "timed": sum(map(len, timed["ours"])),
            "batches": {side: len(batches) for side, batches in both.items()},
            "padded_over_useful": {side: padding / useful for side, padding in whole.items()},
        }  # fmt: skip

    def loss(self) -> Iterator[Row]:
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
            "what": f"{precisions()[-1]}, validation loss {self.options.to_loss}",
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

    def our_batches(self, pairs: EncodedPairs) -> list[Pairs]:
        """Those of one epoch, as our loader gives them."""
        stream = TokenBatches(pairs, batch_tokens=self.options.tokens, seed=1, src_pad_id=PAD, trg_pad_id=PAD)
        return [(batch.src, batch.trg) for batch in islice(stream, stream.batches_per_epoch)]

    def own_batches(self, pairs: EncodedPairs) -> dict[str, list[Pairs]]:
        """The batches of one epoch, ours and theirs."""
        ours = self.our_batches(pairs)
        lengths = list(zip(pairs.src_lengths.tolist(), pairs.trg_lengths.tolist(), strict=True))
        cuts = self.peer.batches(lengths, self.options.tokens, math.ceil(len(pairs) / len(ours)))
        random.Random(1).shuffle(cuts)
        return {"ours": ours, "theirs": [batch_of(pairs, rows) for rows in cuts]}


def spread_out(batches: Sequence[Pairs], rounds: int) -> list[list[Pairs]]:
    """The batches to be timed in each round: as many in each, `TIMED` in all, and lengths as the epoch has them."""
    ordered = sorted(batches, key=lambda batch: batch[0].size(1) + batch[1].size(1))
    count = rounds * math.ceil(TIMED / rounds)
    chosen = [ordered[(2 * place + 1) * len(ordered) // (2 * count)] for place in range(count)]
    return [chosen[number::rounds] for number in range(rounds)]


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
