"""The sizes that everybody has, sentences of those sizes, and the work that a training step on them is."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # who decodes without torch needs the sizes too
    from torch import Tensor, nn

VOCAB, EMBED, LAYERS, HEADS, FORWARD = 8000, 256, 3, 8, 1024
MAX_LENGTH, LENGTH = 256, 16  # of a sentence: at most, and where it is made up
DROPOUT, SMOOTHING, CLIP, RATE = 0.1, 0.1, 1.0, 1e-4
PAD, START, END = 0, 1, 2
FIRST_WORD = 4  # the ids below it are special
NEVER = -1e4  # the output bias of </s> in a model that must not end its answers: random weights would, at random


def sources(sentences: int, length: int) -> "Tensor":
    """(sentences, length) random words, the last one </s>."""
    import torch

    src = torch.randint(FIRST_WORD, VOCAB, (sentences, length))
    src[:, -1] = END
    return src


def targets(sentences: int, length: int) -> "Tensor":
    """(sentences, length + 1) random words between <s> and </s>."""
    import torch

    trg = torch.randint(FIRST_WORD, VOCAB, (sentences, length + 1))
    trg[:, 0], trg[:, -1] = START, END
    return trg


def parameters(model: "nn.Module") -> int:
    """Numbers that training changes; a table of fixed waves is none of them."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def training_flops(sentences: int, s: int, t: int) -> float:
    """Multiplications and additions in the matrix products of one training step, forward and backward."""
    attention, forward = 4 * EMBED**2, 2 * EMBED * FORWARD
    source_token = LAYERS * (attention + 2 * s * EMBED + forward + 2 * EMBED**2)  # and its keys and values, read above
    target_token = LAYERS * (attention + 2 * t * EMBED + 2 * EMBED**2 + 2 * s * EMBED + forward) + EMBED * VOCAB
    return 6.0 * sentences * (s * source_token + t * target_token)


def weights_per_token(kind: str) -> float:
    """Bytes of the weights that one step of the decoder must read: the floor of writing one sentence alone."""
    layer = 6 * EMBED**2 + 2 * EMBED * FORWARD  # the keys and values of the source are there already
    return {"float32": 4, "bfloat16": 2, "int8": 1}[kind] * (LAYERS * layer + EMBED * VOCAB)
