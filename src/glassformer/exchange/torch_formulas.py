"""PyTorch's own stacks with the tensors of a file: to compare a converted model with."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glassformer.exchange.imported import Source
from glassformer.exchange.torch_names import STACKS
from glassformer.model.config import TransformerConfig
from glassformer.model.positions import sinusoids

ACTIVATIONS: dict[str, Any] = {"relu": F.relu, "gelu": F.gelu, "silu": F.silu}


class TorchFormulas:
    """(n, s) and (n, t) tokens -> (n, t, v) logits, in float64."""

    def __init__(self, source: Source, parts: dict[str, str], config: TransformerConfig) -> None:
        self.config = config
        self.tables = {part: source.tensors[name].double() for part, name in parts.items() if part not in STACKS}
        self.bias = source.tensors.get(f"{parts['output'].removesuffix('.weight')}.bias")
        with torch.random.fork_rng(devices=[]):  # the random start is thrown away
            self.encoder = _stack(source, parts["encoder"], config, config.encoder.layers, decoder=False)
            self.decoder = _stack(source, parts["decoder"], config, config.decoder.layers, decoder=True)

    def __call__(self, src: Tensor, trg: Tensor) -> Tensor:
        hidden = src == self.config.src_pad_idx
        future = torch.ones(trg.size(1), trg.size(1), dtype=torch.bool).triu(1)
        memory = self.encoder(self.embedded("src", src), src_key_padding_mask=hidden)
        decoded = self.decoder(self.embedded("trg", trg), memory, tgt_mask=future, memory_key_padding_mask=hidden)
        return F.linear(decoded, self.tables["output"], None if self.bias is None else self.bias.double())

    def embedded(self, side: str, tokens: Tensor) -> Tensor:
        scale = self.config.embed_size**0.5 if self.config.scale_embeddings else 1.0
        words = self.tables[f"{side}_embedding"][tokens] * scale
        if f"{side}_positions" in self.tables:
            return words + self.tables[f"{side}_positions"].squeeze()[: tokens.size(1)]
        return words + sinusoids(tokens.size(1), 0, words) if self.config.positions == "sinusoidal" else words


def _stack(source: Source, prefix: str, config: TransformerConfig, layers: int, *, decoder: bool) -> Any:
    """PyTorch's stack under `prefix`, in training mode without dropout: its inference path is another kernel."""
    bias = f"{prefix}layers.0.self_attn.in_proj_bias" in source
    sizes = (config.decoder if decoder else config.encoder)._asdict()
    layer = (nn.TransformerDecoderLayer if decoder else nn.TransformerEncoderLayer)(
        config.embed_size, sizes["heads"], sizes["forward_size"], dropout=0.0, bias=bias, batch_first=True,
        activation=ACTIVATIONS[config.activation], norm_first=config.norm == "pre",
    )  # fmt: skip
    norm = nn.LayerNorm(config.embed_size, bias=bias) if config.has_final_norms else None
    stack: nn.Module = (
        nn.TransformerDecoder(layer, layers, norm)
        if isinstance(layer, nn.TransformerDecoderLayer)
        else nn.TransformerEncoder(layer, layers, norm, enable_nested_tensor=False)
    )
    own = tuple(f"{prefix}{part}." for part in ("layers", "norm"))
    weights = {name.removeprefix(prefix): tensor for name, tensor in source.tensors.items() if name.startswith(own)}
    stack.load_state_dict(weights)
    return stack.double()
