"""How large a model is and how much it computes, part by part."""

from collections.abc import Mapping

from torch import Tensor

from glassformer.model.config import TransformerConfig

PARTS = ("embeddings", "encoder", "decoder", "output")


def parameters_by_part(weights: Mapping[str, Tensor]) -> dict[str, int]:
    """Parameters of each part, and "total". A tensor that two names share is to be given once, by its first name.

    Word tables and learned positions are embeddings, so that a tied output layer has its bias left.
    """
    counts = dict.fromkeys(PARTS, 0)
    for name, tensor in weights.items():
        counts[part_of(name)] += tensor.numel()
    return counts | {"total": sum(counts.values())}


def part_of(name: str) -> str:
    """The part that a tensor belongs to, by our names, the origin's, or those of a script around nn.Transformer."""
    if "embedding" in name or "positions" in name:
        return "embeddings"
    if name.removeprefix("decoder.").startswith("fc_out."):
        return "output"
    return "encoder" if "encoder." in name else "decoder"


def flops_by_part(config: TransformerConfig, length: int, *, shared: bool = False) -> dict[str, int]:
    """Floating-point operations of one forward pass for each token, sentences being `length` tokens long on both sides.

    Matrix products alone, a multiplication and an addition each counted; training costs three times as much. With e
    channels, f in the feed-forward layer, v target words, N and M layers, s = t = `length`:

    - source, encoder: N (8 e^2 + 4 s e + 4 e f): four projections, scores and their mix of values, two linear layers
    - source, for the decoder: M 4 e^2: the keys and values of cross-attention
    - target, decoder: M (12 e^2 + 4 (t + s) e + 4 e f): the same, and cross-attention's queries and output
    - target, output: 2 e v

    Masked scores are computed too, so they count. `shared` projections, one (d, d) for all heads, cost 2 e d and not
    2 e^2 each.
    """
    e, v = config.embed_size, config.trg_vocab_size
    (n, heads, f), (m, decoder_heads, decoder_f) = config.encoder, config.decoder
    projection, decoder_projection = (2 * e * (e // h if shared else e) for h in (heads, decoder_heads))
    out, mix = 2 * e * e, 4 * length * e
    return {
        "source, encoder": n * (3 * projection + out + mix + 4 * e * f),
        "source, for the decoder": m * 2 * decoder_projection,
        "target, decoder": m * (4 * decoder_projection + 2 * out + 2 * mix + 4 * e * decoder_f),
        "target, output": 2 * e * v,
    }
