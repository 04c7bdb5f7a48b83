"""What a fault is, and the one way in which it gets into a built model: a module is given another class."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import nn

from glassformer.model.attention import MultiHeadAttention
from glassformer.model.blocks import DecoderBlock, EncoderBlock
from glassformer.model.config import TransformerConfig
from glassformer.model.transformer import Transformer

# How a fault gives itself away:
# leak        training looks as good as ever or better, what the model writes is nonsense
# stuck       the loss stays far above that of the right model
# decoding    scored in one pass all is right, written token by token it is not
# padding     an answer depends on the padding, or on the other sentences of its batch
# breaks      NaN or an error, with some inputs or in some dtype
# silent      trains and writes about as well: only formulas, gradients or other people's weights show it
# convention  right by somebody's convention; wrong only with weights made by another
Kind = Literal["leak", "stuck", "decoding", "padding", "breaks", "silent", "convention"]

Plant = Callable[[Transformer], None]


class Needs(NamedTuple):
    """What a model must have for a fault to spoil it."""

    setting: str  # in words
    holds: Callable[[TransformerConfig], bool]


ANY_MODEL = Needs("", lambda config: True)
SEVERAL_HEADS = Needs("more than one head", lambda config: min(config.encoder.heads, config.decoder.heads) > 1)
SEVERAL_LAYERS = Needs("more than one layer", lambda config: min(config.encoder.layers, config.decoder.layers) > 1)
POSITIONS = Needs("positions='learned' or 'sinusoidal'", lambda config: config.positions != "none")
SINUSOIDS = Needs("positions='sinusoidal'", lambda config: config.positions == "sinusoidal")
SCALED_EMBEDDINGS = Needs("scale_embeddings=True", lambda config: config.scale_embeddings)
DROPOUT = Needs("dropout above 0", lambda config: config.dropout > 0)
FINAL_NORMS = Needs("final norms (norm='pre' has them)", lambda config: config.has_final_norms)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One classic mistake, and what there is to say of it."""

    name: str  # what `--fault` takes
    title: str  # a sentence: what the model does now
    plant: Plant  # puts it into a built model that has what it `needs`
    symptom: str  # what training, scoring or decoding shows
    thread: str  # where it was met, owner/repo#number; "seen in ..." where no thread is known
    exercise: str  # the number of the exercise that trains it, "01" to "20"
    kind: Kind  # how it gives itself away
    needs: Needs = ANY_MODEL


def become(module: nn.Module, fault: type[nn.Module]) -> None:
    """Put `fault` before the module's own class, so that its methods are found first.

    No hook and no method of the instance: those would hold on to this very module, and a deepcopy of the model would
    compute with the original's weights. Parameters, buffers and their names stay as they are.
    """
    if not isinstance(module, fault):
        own = type(module)
        module.__class__ = type(f"{fault.__name__}{own.__name__}", (fault, own), {})


def on(where: Callable[[Transformer], Iterable[nn.Module]], fault: type[nn.Module]) -> Plant:
    """The plant that gives this class to all these modules of a model."""

    def plant(model: Transformer) -> None:
        for module in where(model):
            become(module, fault)

    return plant


def encoder_self(model: Transformer) -> list[MultiHeadAttention]:
    return [block.self_attention for block in model.modules() if isinstance(block, EncoderBlock)]


def decoder_self(model: Transformer) -> list[MultiHeadAttention]:
    return [block.self_attention for block in model.modules() if isinstance(block, DecoderBlock)]


def cross(model: Transformer) -> list[MultiHeadAttention]:
    return [block.cross_attention for block in model.modules() if isinstance(block, DecoderBlock)]


def every_attention(model: Transformer) -> list[MultiHeadAttention]:
    return [module for module in model.modules() if isinstance(module, MultiHeadAttention)]


def reading_source(model: Transformer) -> list[MultiHeadAttention]:
    """The attentions whose keys are source words."""
    return encoder_self(model) + cross(model)
