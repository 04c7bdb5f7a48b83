"""How the numbers of a case were measured: on sentences that no training saw, with the system as it is."""

from collections.abc import Callable

import torch
from torch import Tensor

from glassformer.learn.debug.decoding import LIMIT, greedy_ids, up_to_end
from glassformer.learn.debug.system import System
from glassformer.learn.debug.task import END, START, Sentences, reversals

SENTENCES, SEED = 200, 99
SLOW_SENTENCES = 50  # for what goes through sentences one after another
BEAM = 4

GREEDY = "greedy answers right"
SHOWN = "tokens right when shown the right ones before"


def unseen(system: System) -> Sentences:
    """What all scores are measured on."""
    return reversals(SENTENCES, SEED, pad=system.pad)


def answers_of(trg: Tensor) -> list[list[int]]:
    """What should be written for each target: its tokens after <s>, up to </s>."""
    return [up_to_end(row) for row in trg[:, 1:].tolist()]


@torch.no_grad()
def shown(system: System) -> float:
    """Teacher-forced accuracy: the share of target tokens, padding left out, that are the likeliest."""
    src, trg = unseen(system)
    right = system.logits(src, trg[:, :-1]).argmax(dim=-1) == trg[:, 1:]
    return float(right[trg[:, 1:] != system.pad].double().mean())


@torch.no_grad()
def greedy(system: System) -> float:
    """The share of sentences whose greedy answer is right from the first token to </s>, all in one batch."""
    src, trg = unseen(system)
    return share(system.greedy(src), trg)


@torch.no_grad()
def greedy_one_by_one(system: System) -> float:
    """The same for the first SLOW_SENTENCES, each in a batch of its own, without padding."""
    src, trg = (part[:SLOW_SENTENCES] for part in unseen(system))
    alone = [row[row != system.pad].unsqueeze(0) for row in src]
    return share([system.greedy(each)[0] for each in alone], trg)


@torch.no_grad()
def greedy_cached(system: System) -> float:
    """The same as `greedy`, each token computed with the cache alone."""
    src, trg = unseen(system)
    return share(greedy_ids(system.cached, src, START), trg)


@torch.no_grad()
def stopped(system: System) -> float:
    """The share of greedy answers that hold a </s> within LIMIT tokens."""
    src, _ = unseen(system)
    return sum(END in answer for answer in system.greedy(src)) / len(src)


@torch.no_grad()
def beam(system: System) -> float:
    """The share of sentences that a beam of BEAM answers right, among the first SLOW_SENTENCES."""
    src, trg = (part[:SLOW_SENTENCES] for part in unseen(system))
    return share([[*system.beam(row.unsqueeze(0), BEAM).ids, END] for row in src], trg)


def share(written: list[list[int]], trg: Tensor) -> float:
    return sum(mine == right for mine, right in zip(written, answers_of(trg), strict=True)) / len(written)


Measure = Callable[[System], float]
PARTICULAR: dict[str, dict[str, Measure]] = {
    "D4": {f"{GREEDY}, all in one batch": greedy, f"{GREEDY}, one sentence at a time": greedy_one_by_one},
    "D6": {f"{GREEDY}, all read again at each step": greedy, f"{GREEDY}, with the cache": greedy_cached},
    "D7": {GREEDY: greedy, f"greedy answers that stop within {LIMIT} tokens": stopped},
    "D8": {GREEDY: greedy, f"answers of a beam of {BEAM} right": beam},
}


def scores_of(number: str, system: System) -> dict[str, float]:
    """The scores of a case by what they say, four digits after the point, always with the same random numbers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        measures = {SHOWN: shown, **PARTICULAR.get(number, {GREEDY: greedy})}
        return {label: round(measure(system), 4) for label, measure in measures.items()}
