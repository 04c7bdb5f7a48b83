"""13  The whole Transformer, solved."""

from jaxtyping import Float, Int
from torch import Tensor

from glassformer.learn.answers import decoder_layer, embed, encoder, padding_mask, sinusoids, target_mask
from glassformer.learn.weights import TransformerWeights


def shift(trg: Int[Tensor, "n t"]) -> tuple[Int[Tensor, "n i"], Int[Tensor, "n i"]]:
    """What the decoder is given, and what it is asked for at each of these positions: the next token."""
    return trg[:, :-1], trg[:, 1:]


def transformer(
    src: Int[Tensor, "n s"],
    trg: Int[Tensor, "n t"],
    weights: TransformerWeights,
    heads: int,
    src_pad_idx: int,
    trg_pad_idx: int,
) -> Float[Tensor, "n t v"]:
    """Logits for the token after each target position. `trg` is what the decoder is given: it is shifted already."""
    embed_size = weights.src_words.size(1)
    src_mask = padding_mask(src, src_pad_idx)
    trg_mask = target_mask(trg, trg_pad_idx)
    source = embed(src, weights.src_words, sinusoids(src.size(1), embed_size))
    memory = encoder(source, src_mask, weights.encoder, heads, 0.0, False)
    x = embed(trg, weights.trg_words, sinusoids(trg.size(1), embed_size))
    for layer in weights.decoder:
        x = decoder_layer(x, memory, layer, heads, trg_mask, src_mask)
    logits: Tensor = x @ weights.trg_words.T
    return logits
