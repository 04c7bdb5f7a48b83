"""A small model and two sentence pairs, one of them padded."""

from typing import Any

import torch

from glassformer.model.transformer import Transformer

SRC = torch.tensor([[1, 5, 6, 4, 2, 0], [1, 8, 7, 3, 4, 2]])
TRG = torch.tensor([[1, 7, 4, 3, 2], [1, 5, 6, 4, 7]])
CROSS = "decoder.layers.0.cross_attention"


def make(**choices: Any) -> Transformer:
    """Float64, in eval mode, every weight of a size that shows."""
    sizes: dict[str, Any] = dict(embed_size=8, num_layers=1, heads=2, max_length=12, dtype=torch.float64)
    model = Transformer(12, 12, 0, 0, **(sizes | choices)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model
