"""nn.Transformer with embeddings around it, as people write it, and what must be told of it."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from glassformer.model.positions import sinusoids
from tests.small import PAD, SRC_VOCAB, TRG_VOCAB


class TorchModel(nn.Module):
    """`positions` is a table that is learned, a buffer of sinusoids (L, 1, e), or "computed": nothing in the file."""

    def __init__(
        self, norm: str = "post", activation: str = "relu", positions: str = "buffer", scale: bool = True,
        final_norms: bool = True, batch_first: bool = True, bias: bool = True, tie: bool = False,
        embed_size: int = 12, heads: int = 3, layers: int = 2, decoder_layers: int = 1, width: int = 20,
    ) -> None:  # fmt: skip
        super().__init__()
        length = 16
        self.scale, self.batch_first = math.sqrt(embed_size) if scale else 1.0, batch_first
        self.src_embedding = nn.Embedding(SRC_VOCAB, embed_size)
        self.tgt_embedding = nn.Embedding(TRG_VOCAB, embed_size)
        self.generator = nn.Linear(embed_size, TRG_VOCAB, bias=bias)
        if tie:
            self.generator.weight = self.tgt_embedding.weight
        self.waves = sinusoids(length, 0, torch.empty(1, 1, embed_size, dtype=torch.float64))
        if positions == "learned":
            self.src_position = nn.Embedding(length, embed_size)
            self.tgt_position = nn.Embedding(length, embed_size)
        elif positions == "buffer":
            self.register_buffer("pos_encoding", self.waves.unsqueeze(1))
        self.transformer = nn.Transformer(
            embed_size, heads, layers, decoder_layers, width, dropout=0, activation=activation,
            batch_first=batch_first, norm_first=norm == "pre", bias=bias,
        )  # fmt: skip
        if not final_norms:
            self.transformer.encoder.norm = self.transformer.decoder.norm = None

    def embedded(self, table: nn.Embedding, tokens: Tensor, side: str) -> Tensor:
        places = getattr(self, f"{side}_position").weight if hasattr(self, f"{side}_position") else self.waves
        x = table(tokens) * self.scale + places[: tokens.size(1)]
        return x if self.batch_first else x.transpose(0, 1)

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        future = torch.ones(trg.size(1), trg.size(1), dtype=torch.bool).triu(1)
        out = self.transformer(
            self.embedded(self.src_embedding, src, "src"), self.embedded(self.tgt_embedding, trg, "tgt"),
            tgt_mask=future, src_key_padding_mask=src == PAD, memory_key_padding_mask=src == PAD,
        )  # fmt: skip
        return self.generator(out if self.batch_first else out.transpose(0, 1))


def torch_model(**choices: Any) -> TorchModel:
    """In float64, moved off its start; in training mode, for PyTorch's inference path is another kernel."""
    model = TorchModel(**choices).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return model.train()


def told(**choices: Any) -> dict[str, Any]:
    """The facts that the weights of such a model cannot say."""
    facts = dict(
        heads=choices.get("heads", 3), norm=choices.get("norm", "post"), activation=choices.get("activation", "relu"),
        scale_embeddings=choices.get("scale", True), src_pad=PAD, trg_pad=PAD, start=1, end=2,
    )  # fmt: skip
    return facts | (dict(positions="sinusoidal", max_length=16) if choices.get("positions") == "computed" else {})
