"""10: residuals and norms, and the ways in which they go wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from glassformer.learn.exercise import Bank, Function, Part, Probe, Property, Wrong
from glassformer.learn.exercises.e10_residual.mistakes import POST, PRE, STACK
from glassformer.learn.weights import norm_weights, normal

Layer = Callable[[Tensor], Tensor]


def post_norm(wrong: Wrong, x: Tensor, sublayer: Layer, norm: Layer) -> Tensor:
    twice = "norm-twice" in wrong
    on_branch = "norm-on-branch-only" in wrong
    swapped = "pre-post-swapped" in wrong
    branch = sublayer(norm(x) if swapped or twice else x)
    if on_branch:
        branch = norm(branch)
    out = branch if "residual-missing" in wrong else x + branch
    if twice or not (swapped or on_branch or "norm-missing" in wrong):
        out = norm(out)
    return x + out if "residual-twice" in wrong and "residual-missing" not in wrong else out


def pre_norm(wrong: Wrong, x: Tensor, sublayer: Layer, norm: Layer) -> Tensor:
    twice = "norm-twice" in wrong
    on_branch = "norm-on-branch-only" in wrong
    swapped = "pre-post-swapped" in wrong
    plain = swapped or (not twice and (on_branch or "norm-missing" in wrong))
    branch = sublayer(x if plain else norm(x))
    if on_branch and not swapped:
        branch = norm(branch)
    out = branch
    if "residual-missing" not in wrong:
        out = branch + (norm(x) if "residual-from-normed" in wrong else x)
    if swapped or twice:
        out = norm(out)
    return x + out if "residual-twice" in wrong and "residual-missing" not in wrong else out


def pre_norm_stack(
    wrong: Wrong, x: Tensor, sublayers: Sequence[Layer], norms: Sequence[Layer], final_norm: Layer
) -> Tensor:
    blocks = list(zip(sublayers, norms, strict=True))
    if "stack-reversed" in wrong:
        blocks.reverse()
    if "returns-in-loop" in wrong:
        blocks = blocks[:1]
    if "final-norm-first" in wrong:
        x = final_norm(x)
    first_x = x
    for sublayer, own_norm in blocks:
        norm = norms[0] if "one-norm-for-all" in wrong else own_norm
        swapped = "pre-post-swapped" in wrong
        read = first_x if "all-read-the-input" in wrong else x
        branch = sublayer(read if swapped else norm(read))
        if "residual-missing" in wrong:
            out = branch
        elif "residual-from-normed" in wrong:
            out = norm(x) + branch
        else:
            out = (first_x if "residual-from-input" in wrong else x) + branch
        x = norm(out) if swapped else out
        if "final-norm-each-block" in wrong:
            x = final_norm(x)
    return x if wrong & {"final-norm-missing", "final-norm-each-block", "final-norm-first"} else final_norm(x)


def random_sublayer(e: int, generator: torch.Generator) -> Layer:
    """Bent, and with an answer to 0 that is not 0."""
    matrix, bias = normal(e, e, generator=generator, std=e**-0.5), normal(e, generator=generator, std=0.5)
    return lambda x: (x @ matrix.to(x.dtype) + bias.to(x.dtype)).tanh()


def random_norm(e: int, generator: torch.Generator) -> Layer:
    """A layer norm with a gain and a bias of its own, so that two of them differ from one."""
    gain, bias = norm_weights(e, generator)
    return lambda x: torch.nn.functional.layer_norm(x, (e,), gain.to(x.dtype), bias.to(x.dtype), 0.1)


def no_answer(x: Tensor) -> Tensor:
    return torch.zeros_like(x)


def no_change(x: Tensor) -> Tensor:
    return x.clone()


def one_block(seed: int, n: int, t: int, e: int) -> tuple[Tensor, Layer, Layer]:
    generator = torch.Generator().manual_seed(seed)
    return 2 * normal(n, t, e, generator=generator), random_sublayer(e, generator), random_norm(e, generator)


def block_probes() -> list[Probe]:
    x, _, norm = one_block(3, n=2, t=3, e=4)
    return [
        Probe(label="two sentences", arguments=one_block(1, n=2, t=3, e=5)),
        Probe(label="one position", arguments=one_block(2, n=3, t=1, e=4)),
        Probe(label="a sublayer that answers 0", arguments=(x, no_answer, norm)),
    ]


def stack(seed: int, n: int, t: int, e: int, blocks: int) -> tuple[Tensor, list[Layer], list[Layer], Layer]:
    generator = torch.Generator().manual_seed(seed)
    x = 2 * normal(n, t, e, generator=generator)
    sublayers = [random_sublayer(e, generator) for _ in range(blocks)]
    norms = [random_norm(e, generator) for _ in range(blocks)]
    return x, sublayers, norms, random_norm(e, generator)


def stack_probes() -> list[Probe]:
    return [
        Probe(label="three blocks", arguments=stack(4, n=2, t=4, e=5, blocks=3)),
        Probe(label="two blocks", arguments=stack(5, n=3, t=2, e=6, blocks=2)),
    ]


def toy_sublayer(y: Tensor) -> Tensor:
    return 3 * y.flip(-1)


def toy_norm(size: float) -> Layer:
    return lambda y: size * y / y.sum(dim=-1, keepdim=True)


def block_examples(function: str) -> Callable[[], list[Probe]]:
    def examples() -> list[Probe]:
        x = torch.tensor([[[1.0, 2]]], dtype=torch.float64)
        shown = (
            f"{function}(x, sublayer, norm)\n  x = [[[1, 2]]]\n  sublayer(y) = 3 y, reversed\n  norm(y) = 6 y / sum(y)"
        )
        return [Probe(label="toy functions", arguments=(x, toy_sublayer, toy_norm(6)), shown=shown)]

    return examples


def stack_examples() -> list[Probe]:
    x = torch.tensor([[[1.0, 2]]], dtype=torch.float64)
    shown = (
        "pre_norm_stack(x, sublayers, norms, final_norm)\n"
        "  x = [[[1, 2]]]\n"
        "  sublayers[0](y) = 3 y, reversed     sublayers[1](y) = y + 1\n"
        "  norms[0](y) = 6 y / sum(y)          norms[1](y) = 60 y / sum(y)\n"
        "  final_norm(y) = 100 y / sum(y)"
    )
    sublayers: list[Layer] = [toy_sublayer, lambda y: y + 1]
    arguments = (x, sublayers, [toy_norm(6), toy_norm(60)], toy_norm(100))
    return [Probe(label="two blocks of toy functions", arguments=arguments, shown=shown)]


def silent_post_block_norms_x(function: Function) -> bool:
    x, _, norm = one_block(6, n=2, t=3, e=5)
    return near(function(x, no_answer, norm), norm(x))


def silent_pre_block_changes_nothing(function: Function) -> bool:
    x, _, norm = one_block(7, n=2, t=3, e=5)
    return near(function(x, no_answer, norm), x)


def without_norm_it_is_a_sum(function: Function) -> bool:
    x, sublayer, _ = one_block(8, n=2, t=3, e=5)
    return near(function(x, sublayer, no_change), x + sublayer(x))


def silent_stack_norms_x_once(function: Function) -> bool:
    x, sublayers, norms, final_norm = stack(9, n=2, t=3, e=5, blocks=3)
    return near(function(x, [no_answer] * len(sublayers), norms, final_norm), final_norm(x))


def final_norm_comes_last(function: Function) -> bool:
    x, sublayers, norms, _ = stack(10, n=2, t=3, e=5, blocks=3)
    return not bool(function(x, sublayers, norms, no_answer).any())


def near(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a.double(), b.double(), rtol=1e-5, atol=1e-6)


@dataclass(frozen=True)
class Formula:
    """A sum that is handed to a function in place of a tensor, to read what the function does with it."""

    parts: tuple[str, ...]

    def __add__(self, other: "Formula") -> "Formula":
        return Formula(tuple(sorted((*self.parts, *other.parts), key=lambda part: (len(part), part))))

    def __radd__(self, zero: int) -> "Formula":  # sum() begins with 0
        return self

    def __str__(self) -> str:
        return " + ".join(self.parts)


def named(name: str) -> Callable[[Formula], Formula]:
    return lambda inside: Formula((f"{name}({inside})",))


def read_block(expected: str) -> Callable[[Function], str | None]:
    def read(function: Function) -> str | None:
        found = str(function(Formula(("x",)), named("sublayer"), named("norm")))
        return None if found == expected else f"your function computes {found}; expected {expected}"

    return read


def read_stack(function: Function) -> str | None:
    """Two blocks, of the sublayers a and b and the norms 1 and 2."""
    names = [named("a"), named("b")], [named("norm1"), named("norm2")]
    found = str(function(Formula(("x",)), *names, named("final")))
    expected = "final(x + a(norm1(x)) + b(norm2(x + a(norm1(x)))))"
    return None if found == expected else f"with sublayers a and b you compute {found}; expected {expected}"


NO_NORM = Property(says="with a norm that changes nothing, x + sublayer(x) comes out", holds=without_norm_it_is_a_sum)

BANK = Bank(
    parts=(
        Part(
            function="post_norm",
            asked="norm(x + sublayer(x))",
            result="n t e",
            reference=post_norm,
            mistakes=POST,
            probes=block_probes,
            examples=block_examples("post_norm"),
            properties=(
                Property(says="with a sublayer that answers 0, norm(x) comes out", holds=silent_post_block_norms_x),
                NO_NORM,
            ),
            readers=(read_block("norm(x + sublayer(x))"),),
        ),
        Part(
            function="pre_norm",
            asked="x + sublayer(norm(x))",
            result="n t e",
            reference=pre_norm,
            mistakes=PRE,
            probes=block_probes,
            examples=block_examples("pre_norm"),
            properties=(
                Property(says="with a sublayer that answers 0, x comes back", holds=silent_pre_block_changes_nothing),
                NO_NORM,
            ),
            readers=(read_block("x + sublayer(norm(x))"),),
            synonyms=(("pre-post-swapped + residual-missing", "residual-missing + norm-on-branch-only"),),
        ),
        Part(
            function="pre_norm_stack",
            asked="x = x + sublayer(norm(x)) for each block in turn, then final_norm(x)",
            result="n t e",
            reference=pre_norm_stack,
            mistakes=STACK,
            probes=stack_probes,
            examples=stack_examples,
            properties=(
                Property(says="with sublayers that answer 0, final_norm(x) comes out", holds=silent_stack_norms_x_once),
                Property(says="a final norm that answers 0 has the last word", holds=final_norm_comes_last),
            ),
            readers=(read_stack,),
            synonyms=(("residual-from-input + all-read-the-input", "stack-reversed + returns-in-loop"),),
        ),
    )
)
