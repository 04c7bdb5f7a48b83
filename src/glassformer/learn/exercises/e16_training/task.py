"""16  Train until it works                                                          section 5.3 · 35 minutes · 3 of 5

Two functions, and then your own Transformer learns to reverse rows of symbols: run this file when both are right.

make_optimizer: Adam with the paper's settings, beta 0.9 and 0.98 and epsilon 1e-9, over every parameter.

train_step: one update from one or more micro-batches, the same as from one large batch of all their sentences:

    loss = the sum over all real target tokens of all micro-batches / the number of these tokens
    gradient = that of this loss alone, nothing from earlier steps; if it is longer than clip_norm, cut to that length
    then the optimizer's step, at the learning rate `rate`, with the model in training mode

The model answers logits (n, t, v) when called with a source and what the decoder is given, model(src, trg_in);
targets come as they are, from <s> to </s>. Smoothing is 0 here.

Worked example, two micro-batches with 3 and 1 real tokens, whose mean losses are 2.0 and 4.0:

    loss = (3 x 2.0 + 1 x 4.0) / 4 = 2.5        and not (2.0 + 4.0) / 2 = 3.0

Letters: n sentences, s source positions, t target positions, v vocabulary.
"""

from collections.abc import Sequence

import torch
from e13_transformer import shift  # yours; or from glassformer.learn.answers import shift
from e14_loss import loss
from jaxtyping import Int
from torch import Tensor, nn


def make_optimizer(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    """Adam with the paper's settings, over every parameter of the model."""
    raise NotImplementedError


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    micro_batches: Sequence[tuple[Int[Tensor, "n s"], Int[Tensor, "n t"]]],
    pad_idx: int,
    clip_norm: float,
    rate: float,
) -> float:
    """One update, the same as from one large batch; answers the loss per real token, before the update."""
    raise NotImplementedError


if __name__ == "__main__":
    from e13_transformer import transformer
    from e15_noam import noam

    from glassformer.learn.reverse import exact_match, train_to_reverse, written_greedily

    weights = train_to_reverse(1000, transformer, make_optimizer, train_step, noam, report=print)
    exact = exact_match(lambda src: written_greedily(transformer, weights, src))
    print(f"{exact:.0%} of 200 new rows are reversed without a mistake")
