"""Other people's code as a side of a comparison: torch.nn.Transformer, and the origin's one file."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from glassformer.errors import UserError
from glassformer.exchange import origin, torch_nn
from glassformer.exchange.compare.counting import flops_by_part, parameters_by_part
from glassformer.exchange.compare.sides import FORMULAS, Ours, Weights, copied, skeleton
from glassformer.exchange.imported import Source
from glassformer.exchange.origin_formulas import OriginFormulas
from glassformer.exchange.torch_formulas import TorchFormulas
from glassformer.exchange.torch_names import STACKS
from glassformer.model.config import TransformerConfig

SCRIPT = {  # where `export_torch` puts the tensors of a script around nn.Transformer
    "encoder": "transformer.encoder.",
    "decoder": "transformer.decoder.",
    "src_embedding": "src_embedding.weight",
    "trg_embedding": "trg_embedding.weight",
    "src_positions": "src_positions.weight",
    "trg_positions": "trg_positions.weight",
    "output": "fc_out.weight",
}


class TorchCode(Ours):
    """torch.nn.Transformer as its constructor makes it, with the embeddings, positions and output layer of `other`.

    Raises UserError where it has no such sizes.
    """

    kind = "torch.nn.Transformer"
    formulas = FORMULAS | {
        "projections": "queries, keys, values: one (3e, e) with bias, for all heads side by side",
        "dropout": "also on attention weights and inside the feed-forward; embeddings are the script's own",
        "target mask": "the script's, True = hidden; here look-ahead alone",
        "hidden scores": "-inf; a query without a key gets NaN or 0, as the kernel has it",
        "start": "Xavier uniform, the three projections as one (3e, e); nn.Linear's and nn.Embedding's own around it",
    }

    def __init__(self, name: str, other: Ours) -> None:
        if other.config.encoder[1:] != other.config.decoder[1:]:
            raise UserError(
                f"{other.name} has other heads or another feed-forward width in the decoder than in the encoder: "
                "nn.Transformer has one for both. Compare it with another model."
            )
        super().__init__(name, replace(other.config, final_norms=True))
        self.other = other

    @property
    def measured(self) -> TransformerConfig:
        return replace(self.other.measured, final_norms=True)

    def start(self, seed: int) -> Weights:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return copied(torch_script(self.measured).state_dict())

    def weights(self) -> Weights:
        """The other side's, with final norms at their start where it has none."""
        model = skeleton(self.other.measured)
        model.load_state_dict(self.other.weights(), assign=True)
        return copied(torch_nn.export_torch(model)) | {
            f"{SCRIPT[stack]}norm.{part}": value
            for stack in STACKS
            for part, value in at_start(self.measured.embed_size).items()
            if not model.config.has_final_norms
        }

    def as_ours(self, weights: Weights) -> Weights:
        ours = dict(torch_nn.our_weights(Source(weights, self.name), SCRIPT, self.measured.embed_size))
        tables = {"encoder": "src_positions", "decoder": "trg_positions"}
        if self.measured.positions == "learned":
            ours |= {f"{stack}.positions.table.weight": weights[SCRIPT[table]] for stack, table in tables.items()}
        return ours

    def logits(self, weights: Weights, src: Tensor, trg: Tensor) -> Tensor:
        parts = {part: name for part, name in SCRIPT.items() if part in STACKS or name in weights}
        formulas = TorchFormulas(Source(weights, self.name), parts, self.measured)
        for stack in STACKS:  # the same modules, as functions of the leaves
            own = {n.removeprefix(SCRIPT[stack]): w for n, w in weights.items() if n.startswith(SCRIPT[stack])}
            setattr(formulas, stack, partial(called, getattr(formulas, stack), own))
        return formulas(src, trg)


class OriginCode(Ours):
    """The code that this project began from, with the sizes of `other`: all else is as its one file has it."""

    kind = "the origin's code"
    formulas = FORMULAS | {
        "scores": "queries · keys / sqrt(embed_size)",
        "projections": "queries, keys, values: each one (head_dim, head_dim) without bias, shared by all heads",
        "dropout": "after each norm: Dropout(LayerNorm(x + Sublayer(x))), and on embedding + position",
        "target mask": "look-ahead alone",
        "hidden scores": "-1e20; a query without a key attends to all evenly",
        "start": "nn.Linear's own U(+-1/sqrt(inputs)), tables N(0, 1)",
    }

    def __init__(self, name: str, other: Ours) -> None:
        super().__init__(name, origin_sizes(other.config))
        self.other = other

    @property
    def measured(self) -> TransformerConfig:
        return origin_sizes(self.other.measured)

    def parameters(self) -> dict[str, int]:
        return parameters_by_part(origin_script(self.config, device="meta").state_dict())

    def flops(self, length: int) -> dict[str, int]:
        return flops_by_part(self.config, length, shared=True)

    def start(self, seed: int) -> Weights:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return copied(origin_script(self.measured).state_dict())

    def as_ours(self, weights: Weights) -> Weights:
        e, head_dim = self.measured.embed_size, self.measured.embed_size // self.measured.heads
        return dict(origin.our_weights(Source(weights, self.name), e, head_dim, (head_dim / e) ** 0.5))

    def logits(self, weights: Weights, src: Tensor, trg: Tensor) -> Tensor:
        config = self.measured
        return OriginFormulas(weights, config.heads, config.embed_size, config.src_pad_idx)(src, trg)


def torch_script(config: TransformerConfig) -> nn.Module:
    """What a script around nn.Transformer holds, by the names that `export_torch` gives it."""
    e, (layers, heads, f) = config.embed_size, config.encoder
    tables = {"src_embedding": config.src_vocab_size, "trg_embedding": config.trg_vocab_size}
    if config.positions == "learned":
        tables |= {"src_positions": config.max_length, "trg_positions": config.max_length}
    with warnings.catch_warnings(action="ignore"):  # of its inference path, which is not taken: odd heads do not fit it
        transformer = nn.Transformer(e, heads, layers, config.decoder.layers, f, batch_first=True)
    return holding(
        **{name: nn.Embedding(words, e) for name, words in tables.items()},
        transformer=transformer,
        fc_out=nn.Linear(e, config.trg_vocab_size),
    )


def origin_script(config: TransformerConfig, device: str = "cpu") -> nn.Module:
    """The origin's modules by its names."""
    e, (layers, heads, f) = config.embed_size, config.encoder

    def attention() -> nn.Module:
        shared = {name: nn.Linear(e // heads, e // heads, bias=False) for name in ("values", "keys", "queries")}
        return holding(**shared, fc_out=nn.Linear(e, e))

    def block() -> nn.Module:
        feed_forward = nn.Sequential(nn.Linear(e, f), nn.ReLU(), nn.Linear(f, e))
        return holding(attention=attention(), norm1=nn.LayerNorm(e), norm2=nn.LayerNorm(e), feed_forward=feed_forward)

    def decoder_block() -> nn.Module:
        return holding(norm=nn.LayerNorm(e), attention=attention(), transformer_block=block())

    def stack(words: int, layer: Callable[[], nn.Module], **more: nn.Module) -> nn.Module:
        return holding(
            word_embedding=nn.Embedding(words, e),
            position_embedding=nn.Embedding(config.max_length, e),
            layers=nn.ModuleList(layer() for _ in range(layers)),
            **more,
        )

    with torch.device(device):
        return holding(
            encoder=stack(config.src_vocab_size, block),
            decoder=stack(config.trg_vocab_size, decoder_block, fc_out=nn.Linear(e, config.trg_vocab_size)),
        )


def holding(**parts: nn.Module) -> nn.Module:
    """A module of these parts, for the sake of their names."""
    module = nn.Module()
    for name, part in parts.items():
        module.add_module(name, part)
    return module


def origin_sizes(config: TransformerConfig) -> TransformerConfig:
    """A config of the same sizes with the origin's choices; its decoder is as deep and as wide as its encoder."""
    return replace(
        config, positions="learned", norm="post", activation="relu", scale_embeddings=False, tie_embeddings="none",
        final_norms=None, decoder_layers=None, decoder_heads=None, decoder_forward_expansion=None,
    )  # fmt: skip


def at_start(embed_size: int) -> Weights:
    """A LayerNorm that was never trained."""
    return {
        "weight": torch.ones(embed_size, dtype=torch.float64),
        "bias": torch.zeros(embed_size, dtype=torch.float64),
    }


def called(module: nn.Module, weights: Weights, *args: Tensor, **kwargs: Any) -> Tensor:
    result: Tensor = functional_call(module, weights, args, kwargs)
    return result
