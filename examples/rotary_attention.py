"""How to experiment: rotary positions as a subclass, trained on `reverse`.

    python examples/rotary_attention.py

The model gets no positions at all; instead every self-attention turns its queries and keys by an angle that grows
with their position, so that their product knows how far apart they are (RoFormer, Su et al. 2021, section 3.2.2).
"""

import argparse
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from glassformer.model.attention import MultiHeadAttention, attention
from glassformer.model.transformer import Transformer
from glassformer.runs import experiment, named, recipe


class RotaryAttention(MultiHeadAttention):
    """Self-attention whose queries and keys carry their position as a rotation."""

    def __init__(self, embed_size: int, heads: int) -> None:
        super().__init__(embed_size, heads)
        self.attend = self.rotary

    def rotary(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """`attention` on turned queries and keys; with a cache the queries are the last of the keys."""
        turned_queries = self.turned(queries, start=keys.size(1) - queries.size(1))
        return attention(turned_queries, self.turned(keys, start=0), values, mask)

    def turned(self, x: Tensor, start: int) -> Tensor:
        """Channels 2i and 2i+1 of (n, t, h, d), as a point in the plane, turned by pos / 10000^(2i/d)."""
        positions = torch.arange(start, start + x.size(1), device=x.device, dtype=torch.float32)
        two_i = torch.arange(0, x.size(3), 2, device=x.device, dtype=torch.float32)
        angle = (positions[:, None] / 10000 ** (two_i / x.size(3)))[:, None]  # (t, 1, d/2): the same for every head
        even, odd = x[..., 0::2], x[..., 1::2]
        cos, sin = angle.cos(), angle.sin()
        return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2).to(x.dtype)


def with_rotary(model: Transformer) -> Transformer:
    """Exchange every self-attention of a new model; cross-attention relates two sentences and stays as it is."""
    for stack in (model.encoder, model.decoder):
        for layer in stack.layers:
            rotary = RotaryAttention(model.config.embed_size, layer.self_attention.heads)
            rotary.load_state_dict(layer.self_attention.state_dict())
            layer.self_attention = rotary
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", default="1500", help="training steps (1500 take about a minute on two cores)")
    steps = parser.parse_args().steps
    reverse = recipe.changed(named.reverse(), {"positions": "none", "max_steps": steps, "evaluate_every": steps})
    with tempfile.TemporaryDirectory() as folder:
        prepared = experiment.prepare(reverse, cache_folder=Path(folder))
        model = with_rotary(prepared.build_model())
        prepared.trainer(Path(folder) / "run", torch.device("cpu"), model=model).train()
        for name, value in prepared.evaluate(model).items():
            print(f"{name} {value:.4g}")


if __name__ == "__main__":
    main()
