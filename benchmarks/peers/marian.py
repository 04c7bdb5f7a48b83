"""Hugging Face's MarianMTModel, from the package transformers."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from transformers import MarianConfig, MarianMTModel

from benchmarks.peers.peer import Peer
from benchmarks.sizes import EMBED, END, FORWARD, HEADS, LAYERS, MAX_LENGTH, NEVER, PAD, START, VOCAB


class Marian(Peer):
    title = "Hugging Face Marian"
    package = "transformers"
    beside: ClassVar = {"the output layer's bias is no parameter there": -VOCAB}
    has_batches = True
    remarks = (
        "Its batches are those of its Trainer by default: random sentences, a fixed number of them.",
        "Attention by its default, the fused kernel.",
    )

    def model(self, dropout: float) -> nn.Module:
        config = MarianConfig(
            vocab_size=VOCAB, d_model=EMBED, encoder_layers=LAYERS, decoder_layers=LAYERS,
            encoder_attention_heads=HEADS, decoder_attention_heads=HEADS, encoder_ffn_dim=FORWARD,
            decoder_ffn_dim=FORWARD, activation_function="relu", max_position_embeddings=MAX_LENGTH,
            scale_embedding=True, dropout=dropout, attention_dropout=0.0, activation_dropout=0.0,
            pad_token_id=PAD, bos_token_id=START, eos_token_id=END, decoder_start_token_id=START,
            forced_eos_token_id=None, share_encoder_decoder_embeddings=True, tie_word_embeddings=True,
        )  # fmt: skip
        return MarianMTModel(config).train()

    def decoder(self, ours: nn.Module | None = None, kind: str = "float32") -> nn.Module:
        model = self.model(0.0).eval()
        model.final_logits_bias[0, END] = NEVER
        return model

    def logits(self, model: nn.Module, src: Tensor, trg_in: Tensor) -> Tensor:
        return model(
            input_ids=src, attention_mask=src != PAD, decoder_input_ids=trg_in, decoder_attention_mask=trg_in != PAD
        ).logits

    @torch.inference_mode()
    def answers(self, model: nn.Module, src: Tensor, beam: int) -> Sequence[Sequence[int]]:
        written = model.generate(
            input_ids=src, attention_mask=src != PAD, num_beams=beam, do_sample=False, max_new_tokens=src.size(1)
        )
        return written[:, 1:].tolist()

    def batches(self, lengths: Sequence[tuple[int, int]], tokens: int, sentences: int) -> list[list[int]]:
        order = torch.utils.data.RandomSampler(lengths, generator=torch.Generator().manual_seed(1))
        return list(torch.utils.data.BatchSampler(order, sentences, drop_last=False))


PEER = Marian()
