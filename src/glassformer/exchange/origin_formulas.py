"""What the origin computes, on its own tensors by its own names: to compare a converted model with."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, einsum

HIDDEN = -1e20  # its fill for energies that are masked


class OriginFormulas:
    """(n, s) and (n, t) tokens -> (n, t, v) logits, in float64."""

    def __init__(self, tensors: Mapping[str, Tensor], heads: int, divisor: int, src_pad: int) -> None:
        self.tensors = {name: tensor.double() for name, tensor in tensors.items()}
        self.heads, self.divisor, self.src_pad = heads, divisor, src_pad

    def __call__(self, src: Tensor, trg: Tensor) -> Tensor:
        src_mask = (src != self.src_pad)[:, None, None]
        trg_mask = torch.ones(trg.size(1), trg.size(1), dtype=torch.bool).tril()
        memory = self.embedded("encoder", src)
        for place in self.layers("encoder"):
            memory = self.block(place, memory, memory, src_mask)
        x = self.embedded("decoder", trg)
        for place in self.layers("decoder"):
            queries = self.norm(f"{place}.norm", self.attention(f"{place}.attention", x, x, trg_mask) + x)
            x = self.block(f"{place}.transformer_block", queries, memory, src_mask)
        return self.linear("decoder.fc_out", x)

    def layers(self, stack: str) -> list[str]:
        numbers = {int(name.split(".")[2]) for name in self.tensors if name.startswith(f"{stack}.layers.")}
        return [f"{stack}.layers.{number}" for number in sorted(numbers)]

    def embedded(self, stack: str, tokens: Tensor) -> Tensor:
        words = self.tensors[f"{stack}.word_embedding.weight"][tokens]
        return words + self.tensors[f"{stack}.position_embedding.weight"][: tokens.size(1)]

    def block(self, place: str, queries: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        x = self.norm(f"{place}.norm1", self.attention(f"{place}.attention", queries, memory, mask) + queries)
        forward = self.linear(f"{place}.feed_forward.2", self.linear(f"{place}.feed_forward.0", x).relu())
        return self.norm(f"{place}.norm2", forward + x)

    def attention(self, place: str, query: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        queries = self.projected(f"{place}.queries", query)
        keys, values = self.projected(f"{place}.keys", memory), self.projected(f"{place}.values", memory)
        energy = einsum("nqhd,nkhd->nhqk", queries, keys).masked_fill(~mask, HIDDEN)
        weights = (energy / self.divisor**0.5).softmax(dim=3)
        return self.linear(f"{place}.fc_out", einsum("nhqk,nkhd->nqhd", weights, values).flatten(2))

    def projected(self, name: str, x: Tensor) -> Tensor:
        """(n, t, h, d): a shared projection works on each head by itself, a whole one on all channels."""
        shared = self.tensors[f"{name}.weight"].size(0) != x.size(-1)
        in_heads = (*x.shape[:2], self.heads, x.size(-1) // self.heads)
        return self.linear(name, x.reshape(in_heads)) if shared else self.linear(name, x).reshape(in_heads)

    def linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self.tensors[f"{name}.weight"], self.tensors.get(f"{name}.bias"))

    def norm(self, name: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"])
