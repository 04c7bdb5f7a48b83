"""Residuals and norms, rightly, in other ways than the solution's."""

from collections.abc import Callable, Sequence
from functools import reduce

import torch
from torch import Tensor, nn

Layer = Callable[[Tensor], Tensor]


def step_by_step(x: Tensor, sublayer: Layer, norm: Layer) -> Tensor:
    residual = x.clone()
    branch = sublayer(x)
    residual += branch
    return norm(residual)


class PostNorm(nn.Module):
    def __init__(self, sublayer: Layer, norm: Layer) -> None:
        super().__init__()
        self.sublayer, self.norm = sublayer, norm

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(torch.add(self.sublayer(x), x))


def as_a_module(x: Tensor, sublayer: Layer, norm: Layer) -> Tensor:
    return PostNorm(sublayer, norm)(x)


def post_norm_in_float32(x: Tensor, sublayer: Layer, norm: Layer) -> Tensor:
    x = x.float()
    return norm(sum([x, sublayer(x)]))


def normed_first(x: Tensor, sublayer: Layer, norm: Layer) -> Tensor:
    shortcut = x
    x = norm(x)
    x = sublayer(x)
    return torch.stack([shortcut, x]).sum(dim=0)


def one_sentence_at_a_time(x: Tensor, sublayer: Layer, norm: Layer) -> Tensor:
    return torch.cat([each + sublayer(norm(each)) for each in x.split(1)])


def pre_norm_in_float32(x: Tensor, sublayer: Layer, norm: Layer) -> Tensor:
    return sublayer(norm(x.float())) + x.float()


def by_reduce(x: Tensor, sublayers: Sequence[Layer], norms: Sequence[Layer], final_norm: Layer) -> Tensor:
    def block(x: Tensor, layers: tuple[Layer, Layer]) -> Tensor:
        return x + layers[0](layers[1](x))

    return final_norm(reduce(block, zip(sublayers, norms, strict=True), x))


def by_index(x: Tensor, sublayers: Sequence[Layer], norms: Sequence[Layer], final_norm: Layer) -> Tensor:
    stream = torch.zeros_like(x) + x
    for index in range(len(sublayers)):
        stream += sublayers[index](norms[index](stream))
    return final_norm(stream)


def by_recursion(x: Tensor, sublayers: Sequence[Layer], norms: Sequence[Layer], final_norm: Layer) -> Tensor:
    if not sublayers:
        return final_norm(x)
    return by_recursion(x + sublayers[0](norms[0](x)), sublayers[1:], norms[1:], final_norm)


def sum_of_all_answers(x: Tensor, sublayers: Sequence[Layer], norms: Sequence[Layer], final_norm: Layer) -> Tensor:
    answers = [x]
    for sublayer, norm in zip(sublayers, norms, strict=True):
        answers.append(sublayer(norm(torch.stack(answers).sum(dim=0))))
    return final_norm(torch.stack(answers).sum(dim=0))


RIGHT = {
    "post_norm": [step_by_step, as_a_module, post_norm_in_float32],
    "pre_norm": [normed_first, one_sentence_at_a_time, pre_norm_in_float32],
    "pre_norm_stack": [by_reduce, by_index, by_recursion, sum_of_all_answers],
}
