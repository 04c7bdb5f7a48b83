"""What the code of the confusions may use without showing how it is made."""

from collections.abc import Callable
from typing import Any

from torch import nn

from glassformer.model.transformer import Transformer


def small_model(words: int = 12, **choices: Any) -> Transformer:
    """So many words on each side (0 <pad>, 1 <s>, 2 </s>), 8 channels, one layer, two heads, random weights.

    Its output layer is larger than at the start of training, so that it has opinions that can be seen.
    """
    sizes = dict(embed_size=8, num_layers=1, forward_expansion=2, heads=2, max_length=16)
    model = Transformer(words, words, 0, **(dict(trg_pad_idx=0) | sizes | choices))
    nn.init.normal_(model.fc_out.weight)
    return model.eval()


def error_of(function: Callable[[], object]) -> str:
    """What calling it raises, or "no error"."""
    try:
        function()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"
