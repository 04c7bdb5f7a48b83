"""x-transformers: an encoder and a decoder put together as its XTransformer does, with one table for both sides."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from x_transformers import AutoregressiveWrapper, Decoder, Encoder, TransformerWrapper

from benchmarks.peers.peer import Peer
from benchmarks.sizes import EMBED, FORWARD, HEADS, LAYERS, MAX_LENGTH, PAD, START, VOCAB


class EncoderDecoder(nn.Module):
    """XTransformer, but for `tie_embedding`, which it does not hand on to its decoder."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        layers = dict(
            dim=EMBED, depth=LAYERS, heads=HEADS, attn_dim_head=EMBED // HEADS, attn_flash=True,
            ff_mult=FORWARD // EMBED, ff_custom_activation=nn.ReLU(), verbose=False,
            attn_sublayer_dropout=dropout, ff_sublayer_dropout=dropout,
        )  # fmt: skip
        around = dict(num_tokens=VOCAB, max_seq_len=MAX_LENGTH, emb_dropout=dropout)
        self.encoder = TransformerWrapper(**around, return_only_embed=True, attn_layers=Encoder(**layers))
        decoder = TransformerWrapper(
            **around, token_emb=self.encoder.token_emb, tie_embedding=True,
            attn_layers=Decoder(**layers, cross_attend=True, cross_attn_sublayer_dropout=dropout),
        )  # fmt: skip
        self.decoder = AutoregressiveWrapper(decoder, ignore_index=PAD, pad_value=PAD)

    def forward(self, src: Tensor, trg_in: Tensor) -> Tensor:
        words = src != PAD
        return self.decoder.net(trg_in, context=self.encoder(src, mask=words), context_mask=words)


class XTransformers(Peer):
    title = "x-transformers"
    package = "x-transformers"
    alike: ClassVar = dict(norm="pre", positions="learned", scale_embeddings=False)
    beside: ClassVar = {
        "no biases in attention": -36 * EMBED,
        "no offsets in the norms": -17 * EMBED,
        "no bias in the output layer": -VOCAB,
    }
    remarks = ("It has no batching.", "Its beam search is for decoders alone: it fails on the mask of a source.")
    beams = (1,)

    def model(self, dropout: float) -> nn.Module:
        return EncoderDecoder(dropout).train()

    def logits(self, model: nn.Module, src: Tensor, trg_in: Tensor) -> Tensor:
        return model(src, trg_in)

    @torch.inference_mode()
    def answers(self, model: EncoderDecoder, src: Tensor, beam: int) -> Sequence[Sequence[int]]:
        words = src != PAD
        context = dict(context=model.encoder(src, mask=words), context_mask=words)
        start = torch.full((len(src), 1), START)
        return model.decoder.generate(start, src.size(1), temperature=0.0, **context).tolist()


PEER = XTransformers()
