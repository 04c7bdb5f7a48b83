"""20  Counting parameters, operations and bytes, solved."""


def count_parameters(
    src_vocab_size: int, trg_vocab_size: int, embed_size: int, forward_size: int, layers: int, heads: int, tied: bool
) -> int:
    """How many numbers the model learns."""
    attention = 4 * (embed_size * embed_size + embed_size)
    feed_forward = 2 * embed_size * forward_size + forward_size + embed_size
    norm = 2 * embed_size
    encoder_layer = attention + feed_forward + 2 * norm
    decoder_layer = 2 * attention + feed_forward + 3 * norm
    tables = trg_vocab_size if tied else src_vocab_size + 2 * trg_vocab_size
    return layers * (encoder_layer + decoder_layer) + tables * embed_size + trg_vocab_size


def count_flops(
    n: int, s: int, t: int, embed_size: int, forward_size: int, layers: int, heads: int, trg_vocab_size: int
) -> int:
    """Operations of one forward pass over n pairs of s source and t target tokens: matrix products only.

    A multiplication and an addition count as two. Masked products are computed too, so they count.
    """

    def linear(positions: int, inputs: int, outputs: int) -> int:
        return 2 * positions * inputs * outputs

    def attention(queries: int, keys: int) -> int:
        projections = 2 * linear(queries, embed_size, embed_size) + 2 * linear(keys, embed_size, embed_size)
        energy_and_mix = 2 * linear(queries, keys, embed_size)
        return projections + energy_and_mix

    def feed_forward(positions: int) -> int:
        return 2 * linear(positions, embed_size, forward_size)

    encoder_layer = attention(s, s) + feed_forward(s)
    decoder_layer = attention(t, t) + attention(t, s) + feed_forward(t)
    return n * (layers * (encoder_layer + decoder_layer) + linear(t, embed_size, trg_vocab_size))


def cache_bytes(n: int, s: int, t: int, embed_size: int, layers: int, heads: int, bytes_per_number: int) -> int:
    """What the decoder keeps for n sentences once t target tokens are read: keys and values, of the memory as well."""
    keys_and_values = 2
    return layers * keys_and_values * n * (t + s) * embed_size * bytes_per_number
