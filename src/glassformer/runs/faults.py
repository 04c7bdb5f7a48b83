"""Mistakes planted on purpose in a built model, from outside, so that one can watch what each of them does."""

from collections.abc import Callable
from typing import Any

from torch import nn

from glassformer.errors import unknown_name
from glassformer.model.blocks import DecoderBlock
from glassformer.model.transformer import Transformer


def no_look_ahead(model: Transformer) -> None:
    """Nothing hides the future: each word of the target may attend to every word, the one it is asked for included.

    In training the decoder then copies its answer from the next position. While it writes there is no next position:
    with a cache the planted model computes the same as without the fault.
    """
    for block in model.modules():
        if isinstance(block, DecoderBlock):
            # Not another `attend`: use_fused, which the Trainer calls on a GPU, would take its place.
            block.self_attention.register_forward_pre_hook(open_to_every_word)


def open_to_every_word(attention: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Before a self-attention: the mask (n, 1, q, k) becomes (n, 1, 1, k), which hides padding alone."""
    query, key, value, mask, *cache = inputs
    return query, key, value, mask.any(dim=-2, keepdim=True), *cache


FAULTS: dict[str, Callable[[Transformer], None]] = {"no-look-ahead": no_look_ahead}


def plant(model: Transformer, fault: str | None) -> Transformer:
    """The same model with this mistake in it, for good; None changes nothing. UserError for an unknown fault.

    Parameters and their names stay as they are, so a checkpoint does not hold the fault: its config.json names it.
    """
    if fault is not None:
        if fault not in FAULTS:
            raise unknown_name("fault", fault, FAULTS)
        FAULTS[fault](model)
    return model
