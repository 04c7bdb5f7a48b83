"""20  Counting parameters, operations and bytes                       Table 1, Table 3 · 35 minutes · 3 of 5

Three numbers that one should know before training or serving a model. All of them are sums of products of sizes.

The model: `layers` encoder layers and as many decoder layers, with a layer norm after each sublayer and none after a
stack. Each linear layer has a bias, as nn.Linear has; each layer norm a gain and a bias. Positions are sinusoidal:
nothing is learned there. Where `tied` is true, the source's word table, the target's, and the output layer's weight are
one and the same (then both vocabularies are one); the output layer's bias remains.

Worked example, e = 4, f = 6:

    one linear layer e -> e            4 x 4 + 4 = 20
    one attention                      4 of them = 80      however many heads share them
    the feed-forward layers            4 x 6 + 6 + 6 x 4 + 4 = 58
    one layer norm                     2 x 4 = 8
    an encoder layer                   80 + 58 + 2 x 8 = 154
    a product (2 x 3) times (3 x 5)    2 x 3 x 5 = 30 multiplications and as many additions: 60 operations

The paper's base model: 44,138,496 parameters in its two stacks (e = 512, f = 2048, 6 + 6 layers).

Letters: n sentences, s source positions, t target positions, e embed_size, f forward_size, v vocabulary.
"""


def count_parameters(
    src_vocab_size: int, trg_vocab_size: int, embed_size: int, forward_size: int, layers: int, heads: int, tied: bool
) -> int:
    """How many numbers the model learns."""
    raise NotImplementedError


def count_flops(
    n: int, s: int, t: int, embed_size: int, forward_size: int, layers: int, heads: int, trg_vocab_size: int
) -> int:
    """Operations of one forward pass over n pairs of s source and t target tokens: matrix products only.

    A multiplication and an addition count as two. Masked products are computed too, so they count.
    """
    raise NotImplementedError


def cache_bytes(n: int, s: int, t: int, embed_size: int, layers: int, heads: int, bytes_per_number: int) -> int:
    """What the decoder keeps for n sentences once t target tokens are read: keys and values, of the memory as well."""
    raise NotImplementedError
