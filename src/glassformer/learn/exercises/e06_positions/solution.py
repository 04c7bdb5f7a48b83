"""06  Embeddings and positions, solved."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor


def embed(
    tokens: Int[Tensor, "n t"], words: Float[Tensor, "v e"], positions: Float[Tensor, "p e"]
) -> Float[Tensor, "n t e"]:
    """Each token's word vector times sqrt(e), plus the row of the place at which it stands."""
    embedded = words[tokens] * math.sqrt(words.size(1))
    return embedded + positions[: tokens.size(1)]


def sinusoids(length: int, embed_size: int) -> Float[Tensor, "t e"]:
    """The paper's waves for the places 0 to length - 1: sines in the even channels, cosines in the odd ones."""
    place = torch.arange(length, dtype=torch.float64).unsqueeze(1)
    two_i = torch.arange(0, embed_size, 2, dtype=torch.float64)
    angle = place / 10000 ** (two_i / embed_size)
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)
