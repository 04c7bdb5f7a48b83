"""What can stand on a side of a comparison: a model of ours, or somebody else's code of the same sizes.

Each side has weights by its own names, what they are by ours, and its logits as a function of them, so that one set
of leaves has a gradient from either side.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.func import functional_call

from glassformer.checkpoint.tensors import weights_of
from glassformer.exchange.compare.counting import flops_by_part, parameters_by_part
from glassformer.model.config import TransformerConfig
from glassformer.model.transformer import Transformer

Weights = dict[str, Tensor]

WORDS = 1000  # of a vocabulary that no trained model has: the numbers measured do not need more
FORMULAS = {
    "scores": "queries · keys / sqrt(head_dim)",
    "projections": "queries, keys, values: each (e, e) with bias, for all heads side by side",
    "dropout": "on each sublayer's output before the sum, and on embedding + position (paper, section 5.4)",
    "target mask": "look-ahead and target padding",
    "hidden scores": "the lowest number of the dtype; a query without a key gets 0",
    "start": "Xavier uniform, biases 0, output layer N(0, 0.02^2), tables of their own enter with variance 1",
}


class Ours:
    """A Transformer of ours: trained, or of a preset's sizes with random weights; other sides inherit from it."""

    kind = "ours"
    formulas: Mapping[str, str] = FORMULAS

    def __init__(self, name: str, config: TransformerConfig, trained: Transformer | None = None) -> None:
        self.name, self.config, self.trained = name, config, trained

    @property
    def measured(self) -> TransformerConfig:
        """The config that is computed with: untrained, a large vocabulary is cut."""
        return self.config if self.trained else smaller(self.config)

    @property
    def is_code(self) -> bool:
        """Whether it is other people's."""
        return self.kind != Ours.kind

    def parameters(self) -> dict[str, int]:
        return parameters_by_part(weights_of(skeleton(self.config)))

    def flops(self, length: int) -> dict[str, int]:
        return flops_by_part(self.config, length)

    def start(self, seed: int) -> Weights:
        """Random weights as they are before training, in float64; a tied table stands under each of its names."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return copied(Transformer.from_config(self.measured).state_dict())

    def weights(self) -> Weights:
        """The trained weights; a random start where there are none."""
        return copied(self.trained.state_dict()) if self.trained else self.start(seed=0)

    def shapes(self) -> dict[str, torch.Size]:
        """Of the tensors by our names, each table by itself."""
        return {name: tensor.shape for name, tensor in self.untied().state_dict().items()}

    def untied(self) -> Transformer:
        """The model without numbers, its tables apart, so that each has a gradient of its own."""
        return skeleton(replace(self.measured, tie_embeddings="none"))

    def as_ours(self, weights: Weights) -> Weights:
        """These weights by our names, differentiable."""
        return weights

    def logits(self, weights: Weights, src: Tensor, trg: Tensor) -> Tensor:
        """(n, t, v) in float64, differentiable with respect to `weights`."""
        logits: Tensor = functional_call(self.untied().eval(), weights, (src, trg))
        return logits


def skeleton(config: TransformerConfig) -> Transformer:
    """A model without numbers: it costs no time and no memory, and its shared tables are still shared."""
    with torch.device("meta"):
        return Transformer.from_config(config, device="meta")


def smaller(config: TransformerConfig) -> TransformerConfig:
    """The same with at most `WORDS` words on each side, padding among them."""
    src, trg = min(config.src_vocab_size, WORDS), min(config.trg_vocab_size, WORDS)
    return replace(
        config,
        src_vocab_size=src,
        trg_vocab_size=trg,
        src_pad_idx=min(config.src_pad_idx, src - 1),
        trg_pad_idx=None if config.trg_pad_idx is None else min(config.trg_pad_idx, trg - 1),
    )


def copied(weights: Mapping[str, Tensor]) -> Weights:
    """In float64 on the CPU, whatever and wherever they were."""
    return {name: tensor.detach().to("cpu", torch.float64, copy=True) for name, tensor in weights.items()}
