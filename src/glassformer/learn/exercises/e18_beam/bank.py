"""18: beam search and the ways in which it goes wrong."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor

from glassformer.learn.exercise import Bank, Function, Part, Probe, Property, Wrong
from glassformer.learn.exercises.e18_beam.mistakes import MISTAKES
from glassformer.learn.weights import normal

Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
Answer = tuple[list[int], float]
START, END, A, B = 0, 1, 2, 3
NOTHING = float("-inf")


class Hypothesis(NamedTuple):
    log_prob: float
    tokens: tuple[int, ...]
    row: int  # of the state
    ended: bool = False


@dataclass
class Sentence:
    """One sentence's search: what goes on, and what is finished."""

    live: list[Hypothesis]
    finished: list[Hypothesis]
    width: int
    done: bool = False


def beam_search(
    wrong: Wrong, step: Step, state: Tensor, start_id: int, end_id: int, beam: int, alpha: float, max_length: int
) -> list[Answer]:
    if "parent-token-swapped" in wrong:  # with these it would stop with an IndexError everywhere, as anything may
        wrong -= {"top-k-per-beam", "finished-keeps-slot", "beam-shrinks", "finished-takes-a-place"}
    n = len(state)
    state = torch.cat([state] * beam) if "repeat-not-interleave" in wrong else state.repeat_interleave(beam, dim=0)
    others = 0.0 if "beams-start-equal" in wrong else NOTHING
    sentences = [
        Sentence([Hypothesis(others if j else 0.0, (), i * beam + j) for j in range(beam)], [], beam) for i in range(n)
    ]
    for length in range(1, max_length + (0 if "one-token-short" in wrong else 1)):
        last = [start_id] * (n * beam)
        for sentence in sentences:
            for each in sentence.live:
                last[each.row] = each.tokens[-1] if each.tokens else start_id
        log_probs, state = step(torch.tensor(last), state)
        order = list(range(n * beam))
        for number, sentence in enumerate(sentences):
            if not sentence.done:
                advance(wrong, sentence, log_probs, end_id, beam, length)
                for j, each in enumerate(sentence.live):
                    order[number * beam + j] = each.row
                    sentence.live[j] = each._replace(row=number * beam + j)
        if "cache-not-reordered" not in wrong:
            state = state[order]
    return [best(wrong, sentence, alpha) for sentence in sentences]


def advance(wrong: Wrong, sentence: Sentence, log_probs: Tensor, end_id: int, beam: int, length: int) -> None:
    """One more token for a sentence's hypotheses."""
    found = continuations(wrong, sentence.live, log_probs, end_id, length)
    top = found[: sentence.width]
    if "finished-keeps-slot" in wrong:
        top = sorted(top + sentence.finished, key=lambda each: -each.log_prob)[:beam]
        sentence.finished = [each for each in top if each.ended]
        sentence.live = [each for each in top if not each.ended]
        return
    ended = [each for each in top if each.ended]
    if "finished-forgotten" not in wrong:
        sentence.finished += ended
    going = [each for each in found if not each.ended][: sentence.width]
    if wrong & {"beam-shrinks", "finished-takes-a-place"}:
        going = [each for each in top if not each.ended]
    if "beam-shrinks" in wrong:
        sentence.width -= len(ended)
    sentence.live = going
    if "stops-at-first-finished" in wrong and sentence.finished:
        sentence.live, sentence.done = [], True


def continuations(
    wrong: Wrong, live: list[Hypothesis], log_probs: Tensor, end_id: int, length: int
) -> list[Hypothesis]:
    """Every hypothesis with every token, the most probable first; impossible ones left out."""
    vocabulary = log_probs.size(1)
    found = []
    for number, each in enumerate(live):
        for token, log_prob in enumerate(log_probs[each.row].tolist()):
            so_far = 0.0 if "last-step-score" in wrong and each.log_prob > NOTHING else each.log_prob
            found.append((so_far + log_prob, number * vocabulary + token))
    ranked = sorted((-log_prob, index) for log_prob, index in found if log_prob > NOTHING)
    if "top-k-per-beam" in wrong and length > 1:
        ranked = own_best(ranked, vocabulary, end_id)
    answer = []
    for cost, index in ranked:
        parent, token = index // vocabulary, index % vocabulary
        if "parent-token-swapped" in wrong:
            parent, token = token, parent
        tokens = (*live[parent].tokens, token)
        answer.append(Hypothesis(-cost, tokens, live[parent].row, token == end_id))
    return answer


def own_best(ranked: list[tuple[float, int]], vocabulary: int, end_id: int) -> list[tuple[float, int]]:
    """Of each hypothesis its best token; where that is the end, its second best as well, so that it goes on."""
    kept: dict[int, list[tuple[float, int]]] = {}
    for cost, index in ranked:
        mine = kept.setdefault(index // vocabulary, [])
        if not mine or (len(mine) == 1 and mine[0][1] % vocabulary == end_id):
            mine.append((cost, index))
    return sorted(each for several in kept.values() for each in several)


def best(wrong: Wrong, sentence: Sentence, alpha: float) -> Answer:
    """Of the finished ones and those cut off at the greatest length, the one with the best score."""
    competing = sentence.finished + sentence.live
    if "cut-off-ignored" in wrong and sentence.finished:
        competing = sentence.finished
    scored = [(score(wrong, each, alpha), list(each.tokens)) for each in competing]
    most, tokens = max(scored, key=lambda each: each[0])
    return tokens, most


def score(wrong: Wrong, hypothesis: Hypothesis, alpha: float) -> float:
    length = len(hypothesis.tokens)
    if "length-counts-bos" in wrong:
        length += 1
    if "length-leaves-out-end" in wrong and hypothesis.ended:
        length -= 1
    penalty = float(max(length, 1) ** alpha) if "length-power" in wrong else ((5 + length) / 6) ** alpha
    if "length-penalty-missing" in wrong:
        return hypothesis.log_prob
    if "length-penalty-multiplied" in wrong:
        return hypothesis.log_prob * penalty
    return hypothesis.log_prob / penalty


def toy_model(seed: int, vocabulary: int, end_bias: float) -> Step:
    """A small recurrent model: what it says depends on all tokens so far, by its state alone."""
    generator = torch.Generator().manual_seed(seed)
    mix = normal(4, 4, generator=generator, std=0.7)
    words = normal(vocabulary, 4, generator=generator)
    out = normal(4, vocabulary, generator=generator, std=1.5)
    out_bias = torch.zeros(vocabulary, dtype=torch.float64)
    out_bias[END] = end_bias

    def toy_step(tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        state = torch.tanh(state @ mix + words[tokens])
        return (state @ out + out_bias).log_softmax(dim=-1), state

    return toy_step


class Told:
    """A model that says what a table says for each beginning: {"": (p of </s>, of a, of b), "a": ..., "ab": ...}.

    It knows the beginning by its state alone, whose digits are the number of the sentence and the tokens read.
    """

    def __init__(self, *tables: dict[str, tuple[float, float, float]]) -> None:
        self.tables = tables
        self.__name__ = "step"

    def __call__(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        state = state * 10 + tokens.unsqueeze(1)
        rows = [self.row(int(code)) for code in state.flatten()]
        return torch.tensor([[0.0, *row] for row in rows], dtype=torch.float64).log(), state

    def row(self, code: int) -> tuple[float, float, float]:
        sentence, beginning = str(code)[0], str(code)[2:]
        table = self.tables[int(sentence) - 1]
        return table.get(beginning.replace("2", "a").replace("3", "b"), (0.4, 0.3, 0.3))

    def shown(self) -> list[str]:
        lines = []
        for number, table in enumerate(self.tables):
            for beginning, (end, a, b) in table.items():
                whose = f"sentence {number}, " if len(self.tables) > 1 else ""
                lines.append(
                    f"  {whose}p after <s>{''.join(f' {each}' for each in beginning)}:  </s> {end}  a {a}  b {b}"
                )
        return lines


def as_numbers(function: Function, *arguments: Any) -> Any:
    """The answers as two tensors: the tokens, filled up with -1, and the scores."""
    answers = function(*arguments)
    try:
        tokens = torch.full((len(answers), arguments[-1]), -1)
        for number, (ids, _) in enumerate(answers):
            tokens[number, : len(ids)] = torch.tensor(list(ids))
        return {"tokens": tokens, "scores": torch.tensor([float(score) for _, score in answers], dtype=torch.float64)}
    except (TypeError, ValueError, RuntimeError):
        raise TypeError("the answer is not a list of pairs, (tokens, score), one for each sentence") from None


def toy_probe(label: str, seed: int, n: int, beam: int, vocabulary: int, alpha: float, limit: int, end: float) -> Probe:
    state = normal(n, 4, generator=torch.Generator().manual_seed(seed + 1000))
    arguments = (toy_model(seed, vocabulary, end), state, START, END, beam, alpha, limit)
    return Probe(label=label, arguments=arguments, drive=as_numbers)


def probes() -> list[Probe]:
    """The seeds were chosen among a few hundred: these tell the mistakes and pairs apart, most others do not."""
    return [
        toy_probe("a beam of 3", 41, n=6, beam=3, vocabulary=6, alpha=0.4, limit=5, end=1.0),
        toy_probe("a beam of 2, six tokens", 24, n=6, beam=2, vocabulary=5, alpha=0.8, limit=6, end=1.2),
        toy_probe("as many words as beams", 29, n=5, beam=4, vocabulary=4, alpha=1.3, limit=5, end=0.8),
        toy_probe("as many words as beams again", 59, n=5, beam=4, vocabulary=4, alpha=1.3, limit=5, end=0.8),
        toy_probe("a beam of 2, few ends", 15, n=6, beam=2, vocabulary=6, alpha=1.0, limit=6, end=0.3),
        toy_probe("a beam of 1", 7, n=2, beam=1, vocabulary=5, alpha=0.7, limit=4, end=0.5),
    ]


def told(label: str, limit: int, *tables: dict[str, tuple[float, float, float]], alpha: float = 1.0) -> Probe:
    model = Told(*tables)
    state = torch.arange(1, len(tables) + 1, dtype=torch.float64).unsqueeze(1)
    names = f"</s>={END}, a={A}, b={B}"
    shown = [f"beam_search with beam=2, alpha={alpha:g}, max_length={limit}, {names}", *model.shown()]
    return Probe(label=label, arguments=(model, state, START, END, 2, alpha, limit), shown="\n".join(shown))


def examples() -> list[Probe]:
    """No two beginnings are equally probable, so that no order among equals matters."""
    return [
        told("one token", 1, {"": (0.3, 0.2, 0.5)}),
        told("two sentences", 1, {"": (0.3, 0.2, 0.5)}, {"": (0.5, 0.2, 0.3)}),
        told("two tokens", 2, {"": (0.1, 0.5, 0.4), "a": (0.2, 0.5, 0.3), "b": (0.1, 0.7, 0.2)}),
        told(
            "three tokens",
            3,
            {"": (0.2, 0.1, 0.7), "a": (0.5, 0.1, 0.4), "b": (0.1, 0.4, 0.5)}
            | {"aa": (0.1, 0.3, 0.6), "ab": (0.5, 0.1, 0.4), "ba": (0.7, 0.2, 0.1), "bb": (0.2, 0.3, 0.5)},
        ),
        told(
            "a late winner",
            3,
            {"": (0.32, 0.4, 0.28), "a": (0.31, 0.33, 0.36), "b": (0.02, 0.96, 0.02)}
            | {"aa": (0.3, 0.33, 0.37), "ab": (0.35, 0.25, 0.4), "ba": (0.02, 0.01, 0.97), "bb": (0.3, 0.1, 0.6)},
        ),
    ]


def one_beam_is_greedy(function: Function) -> bool:
    step = toy_model(9, 5, 0.3)
    state = normal(3, 4, generator=torch.Generator().manual_seed(10))
    for number, (tokens, _) in enumerate(function(step, state, START, END, 1, 0.6, 5)):
        if list(tokens) != greedily(step, state[number : number + 1], 5):
            return False
    return True


def greedily(step: Step, state: Tensor, limit: int) -> list[int]:
    tokens: list[int] = []
    while len(tokens) < limit and END not in tokens:
        log_probs, state = step(torch.tensor([tokens[-1] if tokens else START]), state)
        tokens.append(int(log_probs.argmax()))
    return tokens


def a_wide_beam_finds_the_best(function: Function) -> bool:
    """Three words, three tokens: 27 live hypotheses hold everything there is."""
    step = toy_model(11, 3, 0.2)
    state = normal(1, 4, generator=torch.Generator().manual_seed(12))
    found, _ = function(step, state, START, END, 27, 0.6, 3)[0]
    best_of_all = max(all_answers(3, 3), key=lambda tokens: worth(step, state, tokens, 0.6))
    return bool(list(found) == best_of_all)


def all_answers(vocabulary: int, limit: int) -> list[list[int]]:
    several = [list(each) for length in range(1, limit + 1) for each in product(range(vocabulary), repeat=length)]
    return [each for each in several if END not in each[:-1] and (len(each) == limit or each[-1] == END)]


def worth(step: Step, state: Tensor, tokens: list[int], alpha: float) -> float:
    """The score of an answer, token by token."""
    total, last = 0.0, START
    for token in tokens:
        log_probs, state = step(torch.tensor([last]), state)
        total, last = total + float(log_probs[0, token]), token
    penalty: float = ((5 + len(tokens)) / 6) ** alpha
    return total / penalty


def scores_are_those_of_the_answers(function: Function) -> bool:
    step = toy_model(13, 6, 0.3)
    state = normal(2, 4, generator=torch.Generator().manual_seed(14))
    answers = function(step, state, START, END, 3, 0.6, 4)
    return all(
        math.isclose(score, worth(step, state[number : number + 1], tokens, 0.6), rel_tol=1e-4)
        for number, (tokens, score) in enumerate(answers)
    )


def sentences_do_not_mix(function: Function) -> bool:
    step = toy_model(15, 6, 0.3)
    state = normal(3, 4, generator=torch.Generator().manual_seed(16))
    together = function(step, state, START, END, 3, 0.6, 4)
    alone = [function(step, state[number : number + 1], START, END, 3, 0.6, 4)[0] for number in range(3)]
    return all(list(a[0]) == list(b[0]) for a, b in zip(together, alone, strict=True))


def read_penalty(function: Function) -> str | None:
    """One certain answer of a given length: its score is log p over the penalty."""
    table = {"": (0.0, 0.5, 0.5), "a": (0.25, 0.0, 0.0), "b": (0.25, 0.0, 0.0)}
    (tokens, score), *_ = function(Told(table), torch.ones(1, 1, dtype=torch.float64), START, END, 1, 2.0, 2)
    if len(tokens) != 2:
        return None
    found, expected = math.log(0.125) / score, (7 / 6) ** 2
    if math.isclose(found, expected, rel_tol=1e-4):
        return None
    return (
        f"an answer of two tokens has its log p divided by {found:.4g} with alpha = 2; "
        f"expected ((5 + 2) / 6)^2 = {expected:.4g}"
    )


BANK = Bank(
    parts=(
        Part(
            function="beam_search",
            asked="the best log p / ((5 + length) / 6)^alpha; `beam` live hypotheses, finished ones set aside",
            result="n t",
            reference=beam_search,
            mistakes=MISTAKES,
            probes=probes,
            examples=examples,
            properties=(
                Property(says="a beam of 1 answers like greedy search", holds=one_beam_is_greedy),
                Property(
                    says="a beam as wide as everything finds the best answer of all", holds=a_wide_beam_finds_the_best
                ),
                Property(
                    says="an answer's score is its own log p over its penalty", holds=scores_are_those_of_the_answers
                ),
                Property(says="a sentence's answer does not depend on the others", holds=sentences_do_not_mix),
            ),
            readers=(read_penalty,),
        ),
    )
)
