"""Small float64 models and batches for tests: sizes all different, so that a swapped axis cannot hide."""

from typing import Any

import torch
from torch import Tensor

from glassformer.model.transformer import Transformer

PAD = 0
SRC_VOCAB, TRG_VOCAB = 13, 11
VARIANTS = [
    dict(positions="learned", norm="post"),
    dict(positions="sinusoidal", norm="post", scale_embeddings=True, tie_embeddings="two-way"),
    dict(positions="none", norm="post", activation="silu"),
    dict(positions="learned", norm="pre", activation="gelu", decoder_layers=1, decoder_heads=3),
    dict(positions="sinusoidal", norm="pre", final_norms=False, decoder_forward_expansion=1.5),
    dict(positions="none", norm="pre", scale_embeddings=True),
]


def variant_name(choices: dict[str, Any]) -> str:
    return "-".join(str(value) for value in choices.values())


def small_model(**choices: Any) -> Transformer:
    """A Transformer of 2 layers, 2 heads and 12 channels, in evaluation mode, its weights moved off their start."""
    sizes: dict[str, Any] = dict(
        embed_size=12, num_layers=2, forward_expansion=2, heads=2, max_length=16, dtype=torch.float64
    )
    vocabularies = dict(src_vocab_size=SRC_VOCAB, trg_vocab_size=TRG_VOCAB, src_pad_idx=PAD, trg_pad_idx=PAD)
    model = Transformer(**(vocabularies | sizes | choices))
    with torch.no_grad():
        for parameter in model.parameters():  # biases and norms start at 0 and 1, where mistakes do not show
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    return model.eval()


def small_batch(sentences: int = 3, src_len: int = 7, trg_len: int = 6) -> tuple[Tensor, Tensor]:
    """Random (n, s) and (n, t) tokens, every sentence but the first padded on the right, by a different amount."""
    src = torch.randint(1, SRC_VOCAB, (sentences, src_len))
    trg = torch.randint(1, TRG_VOCAB, (sentences, trg_len))
    for row in range(1, sentences):
        src[row, src_len - row :] = PAD
        trg[row, trg_len - row :] = PAD
    return src, trg
