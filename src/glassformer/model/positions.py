"""Attention alone cannot tell first from last, so order is added to the word embeddings (section 3.5)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


def sinusoids(length: int, start: int, like: Float[Tensor, "n _ e"]) -> Float[Tensor, "t e"]:
    """PE(pos, 2i) = sin(pos / 10000^(2i/e)) and PE(pos, 2i+1) = cos(the same), for pos = start, start+1, ...

    Computed when asked for, in at least float32, so that no table is rounded by a change of dtype.
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    position = torch.arange(start, start + length, device=like.device, dtype=dtype).unsqueeze(1)
    two_i = torch.arange(0, like.size(-1), 2, device=like.device, dtype=dtype)
    angle = position / 10000 ** (two_i / like.size(-1))
    table = torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1).to(like.dtype)
    return table


class SinusoidalPositions(nn.Module):
    """The paper's choice: fixed waves, nothing to learn."""

    def __init__(self, max_length: int, embed_size: int) -> None:
        super().__init__()

    def forward(self, embedded: Float[Tensor, "n t e"], start: int) -> Float[Tensor, "n t e"]:
        positioned = embedded + sinusoids(embedded.size(1), start, embedded)
        return positioned


class LearnedPositions(nn.Module):
    """The origin's choice: a table (max_length, e) learned like the words; as good in the paper (Table 3, row E)."""

    def __init__(self, max_length: int, embed_size: int) -> None:
        super().__init__()
        self.table = nn.Embedding(max_length, embed_size)

    def forward(self, embedded: Float[Tensor, "n t e"], start: int) -> Float[Tensor, "n t e"]:
        position = torch.arange(start, start + embedded.size(1), device=embedded.device)
        positioned = embedded + self.table(position)
        return positioned


class NoPositions(nn.Module):
    """Order left out, to see what is lost: the encoder then reads a bag of words."""

    def __init__(self, max_length: int, embed_size: int) -> None:
        super().__init__()

    def forward(self, embedded: Float[Tensor, "n t e"], start: int) -> Float[Tensor, "n t e"]:
        return embedded


POSITIONS = {"learned": LearnedPositions, "sinusoidal": SinusoidalPositions, "none": NoPositions}
