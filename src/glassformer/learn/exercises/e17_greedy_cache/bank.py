"""17: decoding with a cache: questions to put to it, and what can be read from it."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from glassformer.learn.exercise import RIGHT, Bank, Function, Part, Probe, Property
from glassformer.learn.exercises.e17_greedy_cache.mistakes import DECODE_STEP, GREEDY
from glassformer.learn.exercises.e17_greedy_cache.reference import decode_step, greedy, step_at
from glassformer.learn.weights import TransformerWeights, normal, tensors, transformer_weights

END = 1
SECOND = "tokens read in the second call"
Model = tuple[Tensor, TransformerWeights, int, Tensor]  # memory, weights, heads, src_mask


def model(seed: int, n: int, s: int, e: int, f: int, v: int, layers: int, heads: int) -> Model:
    """Random weights and a random memory; every sentence but the first has padding where s allows."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([max(1, s - number) for number in range(n)])
    src_mask = (torch.arange(s) < lengths.unsqueeze(1)).view(n, 1, 1, s)
    weights = transformer_weights(2, v, e, f, layers, seed)._replace(encoder=())
    return normal(n, s, e, generator=generator), weights, heads, src_mask


def words(seed: int, n: int, t: int, v: int) -> Tensor:
    return torch.randint(v, (n, t), generator=torch.Generator().manual_seed(seed))


def in_chunks(function: Function, tokens: Tensor, sizes: tuple[int, ...], later: Tensor | None, *of: Any) -> Tensor:
    """The logits of all calls side by side. `later` is the memory handed over after the first call, where given."""
    memory, *rest = of
    cache, logits = None, []
    for chunk in torch.split(tokens, list(sizes), dim=1):
        answer, cache = function(chunk, cache, memory, *rest)
        logits.append(answer)
        memory = memory if later is None else later
    return torch.cat(logits, dim=1)


def forked(function: Function, tokens: Tensor, others: Tensor, begin: int, *of: Any) -> Tensor:
    """Two continuations of one beginning, side by side; the second starts from the same cache as the first."""
    _, cache = function(tokens[:, :begin], None, *of)
    one, _ = function(tokens[:, begin:], cache, *of)
    two, _ = function(others, cache, *of)
    return torch.cat([one, two], dim=1)


class Packed:
    """A drive whose last arguments are a model's, the weights as one tensor: quicker to copy and to compare."""

    def __init__(self, drive: Callable[..., Tensor], like: TransformerWeights) -> None:
        self.drive, self.like = drive, like

    def __call__(self, function: Function, *arguments: Any) -> Tensor:
        *first, memory, numbers, heads, src_mask = arguments
        weights = unpacked(self.like, iter(torch.split(numbers, sizes(self.like))))
        return self.drive(function, *first, memory, weights, heads, src_mask)


def sizes(weights: TransformerWeights) -> list[int]:
    return [each.numel() for each in tensors(weights)]


def unpacked(like: Any, pieces: Iterator[Tensor]) -> Any:
    """Weights of the same shapes as `like`, out of these pieces: what is written into them is seen in the whole."""
    if isinstance(like, Tensor):
        return next(pieces).view(like.shape)
    parts = [unpacked(part, pieces) for part in like]
    return type(like)(*parts) if hasattr(like, "_fields") else tuple(parts)


def packed(label: str, drive: Callable[..., Tensor], first: tuple[Any, ...], of: Model) -> Probe:
    memory, weights, heads, src_mask = of
    numbers = torch.cat([each.flatten() for each in tensors(weights)])
    arguments = (*first, memory, numbers, heads, src_mask)
    return Probe(label=label, arguments=arguments, drive=Packed(drive, weights))


def chunks(label: str, tokens: Tensor, parts: tuple[int, ...], of: Model, later: Tensor | None = None) -> Probe:
    return packed(label, in_chunks, (tokens, parts, later), of)


def step_probes() -> list[Probe]:
    one = model(1, n=2, s=5, e=12, f=7, v=11, layers=2, heads=3)
    two = model(2, n=3, s=4, e=8, f=10, v=9, layers=1, heads=2)
    other = model(3, n=2, s=1, e=6, f=5, v=7, layers=1, heads=3)
    changed = normal(2, 1, 6, generator=torch.Generator().manual_seed(4))
    return [
        chunks("three tokens one by one", words(5, 2, 3, 11), (1, 1, 1), one),
        chunks("chunks of 3, 1 and 2 tokens", words(6, 3, 6, 9), (3, 1, 2), two),
        chunks("another memory after the first call", words(7, 2, 4, 7), (2, 1, 1), other, changed),
        packed("two continuations of one beginning", forked, (words(8, 3, 4, 9), words(9, 3, 1, 9), 3), two),
    ]


def step_examples() -> list[Probe]:
    memory, weights, heads, src_mask = model(11, n=2, s=2, e=4, f=3, v=2, layers=2, heads=2)
    of: Model = (memory[1:], weights, heads, src_mask[1:])
    short: Model = (memory[1:, :1], weights, heads, src_mask[1:, :, :, :1])
    tokens = torch.tensor([[0, 1, 1, 0]])
    size = "e=4, 2 heads, 2 layers, 2 words"
    return [
        Probe(
            label="one by one", arguments=(tokens[:, :3], (1, 1, 1), None, *of), drive=in_chunks,
            shown=f"logits for the tokens 0 1 1, one a call; {size}, the source's second word is padding",
        ),
        Probe(
            label="a chunk", arguments=(tokens, (2, 2), None, *of), drive=in_chunks,
            shown=f"logits for the tokens 0 1 1 0, two a call; {size}, the source's second word is padding",
        ),
        Probe(
            label="another memory", arguments=(tokens[:, :2], (1, 1), memory[:1, :1], *short), drive=in_chunks,
            shown=f"logits for the tokens 0 1, one a call, another memory in the second call; {size}, one source word",
        ),
        Probe(
            label="two continuations", arguments=(tokens[:, :2], tokens[:, :1], 1, *short), drive=forked,
            shown=f"after the token 0: logits for 1, and from the same cache for 0; {size}, one source word",
        ),
    ]  # fmt: skip


def chunks_answer_like_one_call(function: Function) -> bool:
    of = model(12, n=2, s=3, e=8, f=5, v=7, layers=2, heads=2)
    tokens = words(13, 2, 5, 7)
    return torch.allclose(
        in_chunks(function, tokens, (2, 1, 2), None, *of), in_chunks(function, tokens, (5,), None, *of)
    )


def later_tokens_change_nothing_before_them(function: Function) -> bool:
    of = model(14, n=1, s=3, e=8, f=5, v=7, layers=1, heads=2)
    tokens = torch.tensor([[2, 3, 4]])
    other = torch.tensor([[2, 3, 5]])
    return torch.allclose(function(tokens, None, *of)[0][:, :2], function(other, None, *of)[0][:, :2])


def padding_of_the_source_is_not_seen(function: Function) -> bool:
    memory, weights, heads, src_mask = model(15, n=2, s=3, e=8, f=5, v=7, layers=1, heads=2)
    tokens = words(16, 2, 3, 7)
    filled = memory.masked_fill(~src_mask.view(2, 3, 1), 3.0)
    sizes = (1, 2)
    before = in_chunks(function, tokens, sizes, None, memory, weights, heads, src_mask)
    return torch.allclose(before, in_chunks(function, tokens, sizes, None, filled, weights, heads, src_mask))


def the_old_cache_stays(function: Function) -> bool:
    of = model(17, n=2, s=3, e=8, f=5, v=7, layers=1, heads=2)
    tokens = words(18, 2, 3, 7)
    _, cache = function(tokens[:, :2], None, *of)
    first, second = (function(tokens[:, 2:], cache, *of)[0] for _ in range(2))
    return torch.equal(first, second)


def the_memory_is_read_once(function: Function) -> bool:
    of = model(19, n=2, s=3, e=8, f=5, v=7, layers=1, heads=2)
    tokens = words(20, 2, 3, 7)
    return torch.equal(
        in_chunks(function, tokens, (1, 2), torch.zeros_like(of[0]), *of),
        in_chunks(function, tokens, (1, 2), None, *of),
    )


def read_place(function: Function) -> str | None:
    """At which places the first and the second token stand, by what is answered."""
    of = model(21, n=1, s=3, e=8, f=5, v=7, layers=1, heads=2)
    tokens = torch.tensor([[2, 3]])
    found: list[int | None] = []
    theirs, ours = None, None
    for number in range(2):
        new = tokens[:, number : number + 1]
        logits, theirs = function(new, theirs, *of)
        answers = [step_at(RIGHT, place, new, ours, *of) for place in range(6)]
        fitting = [place for place, (answer, _) in enumerate(answers) if torch.allclose(logits, answer, rtol=1e-4)]
        if not fitting:
            return None
        found.append(fitting[0])
        ours = answers[fitting[0]][1]
    if found == [0, 1]:
        return None
    return f"read one by one, the first two tokens are given the places {found[0]} and {found[1]}; expected 0 and 1"


class Toy:
    """A small recurrent model: what it says depends on its row and on all tokens that the cache holds."""

    def __init__(self, seed: int, n: int, vocabulary: int, end_bias: float) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.beginning = normal(n, 4, generator=generator)
        self.mix = normal(4, 4, generator=generator, std=0.7)
        self.words = normal(vocabulary, 4, generator=generator)
        self.out = normal(4, vocabulary, generator=generator, std=2.0)
        self.out_bias = torch.zeros(vocabulary, dtype=torch.float64)
        self.out_bias[END] = end_bias
        self.__name__ = "step"

    def __call__(self, tokens: Tensor, cache: Any) -> tuple[Tensor, Any]:
        state = self.beginning if cache is None else cache
        logits = []
        for column in tokens.unbind(dim=1):
            state = torch.tanh(state @ self.mix + self.words[column])
            logits.append(state @ self.out + self.out_bias)
        return torch.stack(logits, dim=1), state


class Plan:
    """A model that counts: after the k-th token it read, row i says plan[i][k - 1]."""

    def __init__(self, *plan: str) -> None:
        self.plan = [[int(token) for token in row.split()] for row in plan]
        self.__name__ = "step"

    def __call__(self, tokens: Tensor, cache: Any) -> tuple[Tensor, Any]:
        n, t = tokens.shape
        count = (cache or 0) + t
        logits = torch.zeros(n, t, 10, dtype=torch.float64)
        for number, row in enumerate(self.plan[:n]):
            for place in range(t):
                logits[number, place, row[min(count - t + place, len(row) - 1)]] = 50.0
        return logits, count


def counted(function: Function, *arguments: Any) -> tuple[Any, int]:
    """The answers, and how many tokens the second call read: who reads everything again has no use of the cache."""
    step, *others = arguments
    sizes: list[int] = []

    def counting_step(tokens: Tensor, cache: Any) -> Any:
        sizes.append(tokens.size(1))
        return step(tokens, cache)

    answers = function(counting_step, *others)
    return answers, sizes[1] if len(sizes) > 1 else 1


def as_lists(function: Function, *arguments: Any) -> Any:
    answers, size = counted(function, *arguments)
    return {"answers": answers, SECOND: size}


def as_rows(function: Function, *arguments: Any) -> Any:
    """The answers as one tensor, filled up with -1 to one more than max_length."""
    answers, size = counted(function, *arguments)
    try:
        rows = [[int(token) for token in answer] for answer in answers]
        filled = torch.full((len(rows), max([arguments[-1] + 1, *map(len, rows)])), -1)
        for number, row in enumerate(rows):
            filled[number, : len(row)] = torch.tensor(row)
        return {"answers": filled, SECOND: size}
    except (TypeError, ValueError, RuntimeError):
        raise TypeError("the answer is not a list of lists of tokens, one for each sentence") from None


def toy(label: str, seed: int, start: Tensor, vocabulary: int, end: float, limit: int) -> Probe:
    return Probe(label=label, arguments=(Toy(seed, len(start), vocabulary, end), start, END, limit), drive=as_rows)


def greedy_probes() -> list[Probe]:
    """The seeds were chosen among a few hundred: together they tell all mistakes and pairs apart."""
    return [
        toy("four sentences", 0, words(31, 4, 1, 7), 7, -1.0, 6),
        toy("a beginning of three tokens", 13, words(44, 3, 3, 6), 6, 2.5, 7),
        toy("a beginning of three tokens, answers cut off", 2, words(33, 3, 3, 6), 6, -1.0, 7),
        toy("a beginning of three tokens, some cut off", 23, words(54, 3, 3, 6), 6, -1.0, 7),
    ]


def planned(label: str, start: list[list[int]], limit: int, *plan: str) -> Probe:
    lines = [f"greedy with start={start}, end_id={END}, max_length={limit}, and a step that says"]
    lines += [
        f"  row {number}: {row.replace(' ', ', ')} after its 1st, 2nd, 3rd ... token read"
        for number, row in enumerate(plan)
    ]
    arguments = (Plan(*plan), torch.tensor(start), END, limit)
    return Probe(label=label, arguments=arguments, drive=as_lists, shown="\n".join(lines))


def greedy_examples() -> list[Probe]:
    return [
        planned("one ends earlier", [[0], [0]], 4, "5 1 6 7 8", "8 7 6 5 4"),
        planned("a longer start", [[0, 9]], 4, "2 5 6 1 8 4"),
        planned("the limit", [[0]], 3, "5 6 7 8 4"),
    ]


def rows_do_not_depend_on_each_other(function: Function) -> bool:
    plans = ("5 1 6 7 8", "8 7 6 1 4")
    together = function(Plan(*plans), torch.tensor([[0], [0]]), END, 5)
    alone = [function(Plan(plan), torch.tensor([[0]]), END, 5)[0] for plan in plans]
    return [list(row) for row in together] == [list(row) for row in alone]


def nothing_follows_the_end(function: Function) -> bool:
    answers = function(Plan("5 1 6 7 8", "8 7 6 5 4"), torch.tensor([[0], [0]]), END, 4)
    return all(END not in list(answer)[:-1] for answer in answers)


def no_longer_than_allowed(function: Function) -> bool:
    answers = function(Plan("5 6 7 8 4 3 2"), torch.tensor([[0, 9]]), END, 4)
    return len(answers[0]) == 4


def read_fed(function: Function) -> str | None:
    """How many tokens each call reads."""
    plan = Plan("2 5 6 7 8 4")
    sizes: list[int] = []

    def step(tokens: Tensor, cache: Any) -> tuple[Tensor, Any]:
        sizes.append(tokens.size(1))
        return plan(tokens, cache)

    function(step, torch.tensor([[0, 9]]), END, 3)
    if len(sizes) < 3 or sizes[:3] == [2, 1, 1]:
        return None
    return f"your calls read {', '.join(map(str, sizes[:3]))} tokens for each sentence; expected 2, 1, 1"


BANK = Bank(
    parts=(
        Part(
            function="decode_step",
            asked="kept keys and values, then the new ones; positions L ... L+t-1; new token i sees keys 0 ... L+i;"
            " the memory projected once",
            result="n t v",
            reference=decode_step,
            mistakes=DECODE_STEP,
            probes=step_probes,
            examples=step_examples,
            properties=(
                Property(says="chunks answer like one call", holds=chunks_answer_like_one_call),
                Property(says="a later token changes nothing before it", holds=later_tokens_change_nothing_before_them),
                Property(says="the source's padding is not seen", holds=padding_of_the_source_is_not_seen),
                Property(says="the memory is read in the first call alone", holds=the_memory_is_read_once),
                Property(says="the old cache stays as it was", holds=the_old_cache_stays),
            ),
            readers=(read_place,),
        ),
        Part(
            function="greedy",
            asked="the best token after the last one read, max_length times at most, nothing after end_id",
            result="n t",
            reference=greedy,
            mistakes=GREEDY,
            probes=greedy_probes,
            examples=greedy_examples,
            properties=(
                Property(
                    says="a sentence's answer does not depend on the others", holds=rows_do_not_depend_on_each_other
                ),
                Property(says="nothing follows the end", holds=nothing_follows_the_end),
                Property(says="an answer without end has max_length tokens", holds=no_longer_than_allowed),
            ),
            readers=(read_fed,),
            when_random="sampled",
        ),
    )
)
