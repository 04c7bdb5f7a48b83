"""06  Embeddings and positions                                             sections 3.4 and 3.5 · 25 minutes · 2 of 5

Attention sees a set of tokens, in no order. So each word's vector is given a second one that says where the word
stands: a row of a table that is learned, or waves that are computed. Two functions.

    embed       words[token] * sqrt(e) + positions[place]

    sinusoids   PE(place, 2i)     = sin(place / 10000^(2i / e))          for i = 0, 1, ..., e/2 - 1
                PE(place, 2i + 1) = cos(place / 10000^(2i / e))

The words' table starts with small numbers, as it is the output layer's too; sqrt(e) brings them to the size of the
positions, which are not scaled. Places are counted from 0.

Worked example, e = 4, so sqrt(e) = 2:

    embed       token 5 at place 1:   words[5]  [1, 0, 3, 0]     positions[1]  [0, 9, 0, 9]     answer  [2, 9, 6, 9]
    sinusoids   place 1 of e = 4:     [sin 1, cos 1, sin 0.01, cos 0.01] = [0.841, 0.540, 0.010, 1.000]

Letters: n sentences, t positions, e channels (an even number), v words in the vocabulary, p rows of the position table,
at least t.
"""

from jaxtyping import Float, Int
from torch import Tensor


def embed(
    tokens: Int[Tensor, "n t"], words: Float[Tensor, "v e"], positions: Float[Tensor, "p e"]
) -> Float[Tensor, "n t e"]:
    """Each token's word vector times sqrt(e), plus the row of the place at which it stands."""
    raise NotImplementedError


def sinusoids(length: int, embed_size: int) -> Float[Tensor, "t e"]:
    """The paper's waves for the places 0 to length - 1: sines in the even channels, cosines in the odd ones."""
    raise NotImplementedError
