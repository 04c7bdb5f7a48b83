"""BLEU, rightly, in other ways than the solution's."""

import math
from fractions import Fraction
from itertools import zip_longest

import numpy as np
from sacrebleu.metrics.bleu import BLEU


def by_sacrebleu(hypotheses: list[list[str]], references: list[list[list[str]]]) -> float:
    texts = [" ".join(words) for words in hypotheses]
    streams = [list(stream) for stream in zip_longest(*[[" ".join(words) for words in each] for each in references])]
    metric = BLEU(tokenize="none", smooth_method="none", force=True)
    return float(metric.corpus_score(texts, streams).score)


def by_lists_and_fractions(hypotheses: list[list[str]], references: list[list[list[str]]]) -> float:
    product = Fraction(1)
    for n in (1, 2, 3, 4):
        matched, total = 0, 0
        for words, several in zip(hypotheses, references, strict=True):
            mine = [words[i : i + n] for i in range(len(words)) if i + n <= len(words)]
            theirs = [[right[i : i + n] for i in range(len(right) - n + 1)] for right in several]
            seen = []
            for run in mine:
                if run not in seen:
                    seen.append(run)
                    matched += min(mine.count(run), max(right.count(run) for right in theirs))
            total += len(mine)
        product *= Fraction(matched, max(total, 1))
    c = r = 0
    for words, several in zip(hypotheses, references, strict=True):
        c += len(words)
        r += sorted((abs(len(right) - len(words)), len(right)) for right in several)[0][1]
    return float(product) ** 0.25 * min(1, math.exp(1 - r / c)) * 100


def by_logarithms_in_numpy(hypotheses: list[list[str]], references: list[list[list[str]]]) -> float:
    matched, total = np.zeros(4), np.zeros(4)
    c = r = 0
    for words, several in zip(hypotheses, references, strict=True):
        c += len(words)
        lengths = np.sort([len(right) for right in several])
        r += lengths[np.abs(lengths - len(words)).argmin()]
        for n in range(1, 5):
            allowed: dict[str, int] = {}
            for right in several:
                once: dict[str, int] = {}
                for run in zip(*(right[shift:] for shift in range(n)), strict=False):
                    once["_".join(run)] = once.get("_".join(run), 0) + 1
                allowed = {key: max(allowed.get(key, 0), once.get(key, 0)) for key in allowed | once}
            for run in zip(*(words[shift:] for shift in range(n)), strict=False):
                total[n - 1] += 1
                if allowed.get("_".join(run), 0) > 0:
                    allowed["_".join(run)] -= 1
                    matched[n - 1] += 1
    with np.errstate(divide="ignore"):
        logs = np.log(matched) - np.log(np.maximum(total, 1))
    return float(100 * np.exp(logs.mean() + min(0.0, 1 - r / c)))


RIGHT = {"bleu": [by_sacrebleu, by_lists_and_fractions, by_logarithms_in_numpy]}
