"""The other implementations, at the same sizes as ours: what `run.py` measures beside us.

Each is used as its own documentation says, with the cache, the fused kernels and the optimizer that it can have.
"""

import torch
from torch import Tensor, nn

PAD, START, END = 0, 1, 2


class TorchTransformer(nn.Module):
    """torch.nn.Transformer with embeddings, learned positions and an output layer around it, as ours has them."""

    def __init__(self, vocab: int, embed_size: int, layers: int, heads: int, forward_size: int, dropout: float) -> None:
        super().__init__()
        self.src_words, self.trg_words = nn.Embedding(vocab, embed_size), nn.Embedding(vocab, embed_size)
        self.src_positions, self.trg_positions = nn.Embedding(100, embed_size), nn.Embedding(100, embed_size)
        self.dropout = nn.Dropout(dropout)
        self.stacks = nn.Transformer(embed_size, heads, layers, layers, forward_size, dropout=dropout, batch_first=True)
        self.stacks.encoder.norm = self.stacks.decoder.norm = None  # the paper's post-norm has no final norm
        self.fc_out = nn.Linear(embed_size, vocab)

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        future = torch.ones(trg.size(1), trg.size(1), dtype=torch.bool, device=trg.device).triu(1)
        src_in = self.src_words(src) + self.src_positions(torch.arange(src.size(1), device=src.device))
        trg_in = self.trg_words(trg) + self.trg_positions(torch.arange(trg.size(1), device=trg.device))
        decoded = self.stacks(
            self.dropout(src_in), self.dropout(trg_in), tgt_mask=future,
            src_key_padding_mask=src == PAD, memory_key_padding_mask=src == PAD, tgt_key_padding_mask=trg == PAD,
        )  # fmt: skip
        return self.fc_out(decoded)


def marian(vocab: int, embed_size: int, layers: int, heads: int, forward_size: int) -> nn.Module:
    """Hugging Face's MarianMTModel with random weights: tied tables, sinusoidal positions, post-norm, relu."""
    from transformers import MarianConfig, MarianMTModel

    config = MarianConfig(
        vocab_size=vocab, d_model=embed_size, encoder_layers=layers, decoder_layers=layers,
        encoder_attention_heads=heads, decoder_attention_heads=heads, encoder_ffn_dim=forward_size,
        decoder_ffn_dim=forward_size, activation_function="relu", max_position_embeddings=128, scale_embedding=True,
        pad_token_id=PAD, bos_token_id=START, eos_token_id=END, decoder_start_token_id=START, forced_eos_token_id=None,
        share_encoder_decoder_embeddings=True, tie_word_embeddings=True,
    )  # fmt: skip
    return MarianMTModel(config).eval()
