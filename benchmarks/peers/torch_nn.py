"""torch.nn.Transformer: two stacks of layers, to which its user adds embeddings, positions, masks and a search."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from benchmarks.peers.peer import Peer
from benchmarks.sizes import EMBED, FORWARD, HEADS, LAYERS, PAD, START, VOCAB
from glassformer.model.positions import sinusoids


class AroundStacks(nn.Module):
    """nn.Transformer with one table for both sides and the output layer, as ours has it."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.stacks = nn.Transformer(EMBED, HEADS, LAYERS, LAYERS, FORWARD, dropout=dropout, batch_first=True)
        for layer in (*self.stacks.encoder.layers, *self.stacks.decoder.layers):
            layer.dropout.p = 0.0  # inside the feed-forward part: the paper has none there
            layer.self_attn.dropout = 0.0
        for layer in self.stacks.decoder.layers:
            layer.multihead_attn.dropout = 0.0
        self.fc_out = nn.Linear(EMBED, VOCAB)
        nn.init.normal_(self.fc_out.weight, std=0.02)

    def embed(self, tokens: Tensor) -> Tensor:
        embedded = nn.functional.embedding(tokens, self.fc_out.weight) * math.sqrt(EMBED)
        return self.dropout(embedded + sinusoids(tokens.size(1), 0, embedded))

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        padding = src == PAD
        decoded = self.stacks(
            self.embed(src), self.embed(trg),
            tgt_mask=torch.ones(trg.size(1), trg.size(1), dtype=torch.bool).triu(1),
            src_key_padding_mask=padding, memory_key_padding_mask=padding, tgt_key_padding_mask=trg == PAD,
        )  # fmt: skip
        return self.fc_out(decoded)


class TorchTransformer(Peer):
    title = "torch.nn.Transformer"
    package = "torch"
    alike: ClassVar = dict(final_norms=True)
    remarks = ("It has no search: greedy decoding runs the decoder again over all words so far.", "It has no batching.")
    beams = (1,)

    def model(self, dropout: float) -> nn.Module:
        return AroundStacks(dropout)

    def logits(self, model: nn.Module, src: Tensor, trg_in: Tensor) -> Tensor:
        return model(src, trg_in)

    @torch.inference_mode()
    def answers(self, model: AroundStacks, src: Tensor, beam: int) -> list[list[int]]:
        padding = src == PAD
        memory = model.stacks.encoder(model.embed(src), src_key_padding_mask=padding)
        trg = torch.full((len(src), 1), START)
        for length in range(1, src.size(1) + 1):
            future = torch.ones(length, length, dtype=torch.bool).triu(1)
            decoded = model.stacks.decoder(model.embed(trg), memory, tgt_mask=future, memory_key_padding_mask=padding)
            trg = torch.cat([trg, model.fc_out(decoded[:, -1:]).argmax(-1)], dim=1)
        return trg[:, 1:].tolist()


PEER = TorchTransformer()
