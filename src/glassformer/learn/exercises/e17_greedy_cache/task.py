"""17  Greedy decoding with a cache                     section 3, one symbol at a time · 60 minutes · 4 of 5

Writing an answer, a decoder reads one new token at each step. The keys and values of the earlier tokens do not change
any more, since no token sees a later one: they are kept, and only the new token is computed. The answer's numbers stay
the same as if the whole beginning were read again.

    new keys and values, for each layer:   [those kept, those of the new tokens]
    positions of the new tokens:           L, L+1, ...   where L tokens were read before
    new token i may attend to:             every earlier token, and the new ones up to itself: keys 0 ... L+i
    memory's keys and values:              projected in the first call, and kept from then on

Worked example, the mask of 2 new tokens after 3 earlier ones (x: may attend). It sits at the bottom right:

               earlier   new
    token 3    x x x     x .
    token 4    x x x     x x

The cache is a value: `decode_step` answers a new one and leaves the old one as it was, because several continuations
may start from one beginning. What is in it is yours to choose; None stands for the beginning.

Letters: n sentences, t new tokens, s source positions, e embed_size, v vocabulary, p tokens of a beginning. The layers
are post-norm with eps = 1e-5, the word table (v, e) times sqrt(e) is what goes in, and transposed it gives the logits.
"""

from collections.abc import Callable
from typing import Any

from e04_masked_attention import safe_masked_attention as masked_attention  # yours; or from glassformer.learn.answers
from e06_positions import sinusoids
from e08_layer_norm import layer_norm
from e09_feed_forward import feed_forward
from e10_residual import post_norm
from jaxtyping import Bool, Float, Int
from torch import Tensor

from glassformer.learn.weights import TransformerWeights

EPS = 1e-5
Cache = Any  # what you keep; None at the beginning


def decode_step(
    tokens: Int[Tensor, "n t"],
    cache: Cache,
    memory: Float[Tensor, "n s e"],
    weights: TransformerWeights,
    heads: int,
    src_mask: Bool[Tensor, "n 1 1 s"],
) -> tuple[Float[Tensor, "n t v"], Cache]:
    """The logits after each of the new tokens, and the cache that holds them too."""
    raise NotImplementedError


# step(new tokens (n t), cache) -> (logits after each of them (n t v), the new cache)
Step = Callable[[Int[Tensor, "n t"], Cache], tuple[Float[Tensor, "n t v"], Cache]]


def greedy(step: Step, start: Int[Tensor, "n p"], end_id: int, max_length: int) -> list[list[int]]:
    """The most probable next token, again and again, for n sentences at once.

    `start` is how each answer begins: <s>, or more. It is read in one call with cache None, and from then on each call
    reads one token for each sentence. An answer holds the tokens after `start`: max_length at most, the last one end_id
    where that came up. A finished sentence writes nothing more, while the others go on.
    """
    raise NotImplementedError


if __name__ == "__main__":
    from functools import partial

    import torch
    from e03_masks import padding_mask
    from e06_positions import embed
    from e11_encoder import encoder
    from e13_transformer import transformer
    from e15_noam import noam
    from e16_training import make_optimizer, train_step

    from glassformer.learn.debug.task import END, PAD, START
    from glassformer.learn.reverse import HEADS, exact_match, train_to_reverse

    weights = train_to_reverse(300, transformer, make_optimizer, train_step, noam, report=print)

    def write(src: Tensor) -> list[list[int]]:
        src_mask = padding_mask(src, PAD)
        source = embed(src, weights.src_words, sinusoids(src.size(1), weights.src_words.size(1)))
        memory = encoder(source, src_mask, weights.encoder, HEADS, 0.0, False)
        step = partial(decode_step, memory=memory, weights=weights, heads=HEADS, src_mask=src_mask)
        return greedy(step, torch.full((len(src), 1), START), END, src.size(1) + 1)

    print(f"{exact_match(write):.0%} of 200 new rows are reversed without a mistake")
