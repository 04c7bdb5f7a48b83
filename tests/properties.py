"""What must hold for every Transformer, each measured as one number that ought to be 0 (or a rounding error).

The proofs assert them for the right model; tests/test_faults.py uses them to catch the wrong ones of learn/zoo.
"""

import math
from collections.abc import Iterator
from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glassformer.model.cache import Cache
from glassformer.model.transformer import Transformer
from tests.small import PAD, SRC_VOCAB, TRG_VOCAB, small_batch
from tests.torch_twin import torch_twin, twin_decoded


def future_leak(model: Transformer) -> float:
    """How much a later target token changes the scores before it."""
    return max(
        distance(after[:, :place], before[:, :place]) for place, before, after in changed_targets(model) if place
    )


def blind_diagonal(model: Transformer) -> int:
    """How many target tokens do not change the scores at their own position."""
    return sum(distance(after[:, place], before[:, place]) == 0 for place, before, after in changed_targets(model))


def changed_targets(model: Transformer) -> Iterator[tuple[int, Tensor, Tensor]]:
    """For each target position: the scores before and after its token is exchanged for another."""
    src, trg = small_batch(1)
    before = model(src, trg)
    for place in range(trg.size(1)):
        other = trg.clone()
        other[0, place] = 1 + trg[0, place] % (TRG_VOCAB - 1)
        yield place, before, model(src, other)


def blind_source_words(model: Transformer) -> int:
    """How many (source word, target position) pairs are not connected."""
    src, trg = small_batch(1)
    before, blind = model(src, trg), 0
    for changed in range(src.size(1)):
        other = src.clone()
        other[0, changed] = 1 + src[0, changed] % (SRC_VOCAB - 1)
        blind += int(((model(other, trg) - before).abs().amax(dim=2) == 0).sum())
    return blind


def padding_effect(model: Transformer) -> float:
    """How much three more columns of padding change."""
    src, trg = small_batch()
    padded = model(F.pad(src, (0, 3), value=PAD), F.pad(trg, (0, 2), value=PAD))
    return distance(padded[:, : trg.size(1)], model(src, trg))


def batch_effect(model: Transformer) -> float:
    """How much a sentence's scores depend on its company in the batch."""
    src, trg = small_batch()
    together, effect = model(src, trg), 0.0
    for row in range(len(src)):
        words = int((src[row] != PAD).sum()), int((trg[row] != PAD).sum())
        alone = model(src[row : row + 1, : words[0]], trg[row : row + 1, : words[1]])
        effect = max(effect, distance(together[row : row + 1, : words[1]], alone))
    return effect


def cache_effect(model: Transformer) -> float:
    """How much decoding in chunks of 3, 1 and 2 tokens with the cache differs from one pass."""
    src, trg = small_batch(trg_len=6)
    memory, src_mask = model.encode(src), model.make_src_mask(src)
    cache = Cache(len(model.decoder.layers))
    chunks = [model.decode(part, memory, src_mask, cache) for part in trg.split([3, 1, 2], dim=1)]
    return distance(torch.cat(chunks, dim=1), model.decode(trg, memory, src_mask))


def torch_difference(model: Transformer) -> float:
    """How far `decode(encode(...))` is from torch.nn.Transformer with the same weights, both in training mode."""
    src, trg = small_batch()
    model = without_dropout(model).train()
    ours = model.decode(trg, model.encode(src), model.make_src_mask(src))
    theirs = twin_decoded(model, torch_twin(model), src, trg)
    return distance(ours * (trg != PAD).unsqueeze(-1), theirs * (trg != PAD).unsqueeze(-1))


def mode_difference(model: Transformer) -> float:
    """How far the scores in evaluation are from those in training, with no dropout in either."""
    src, trg = small_batch()
    model = without_dropout(model)
    return distance(model.train()(src, trg), model.eval()(src, trg))


def chance_in_evaluation(model: Transformer) -> float:
    """How much the scores in evaluation differ from one time to the next."""
    src, trg = small_batch()
    return distance(model.eval()(src, trg), model(src, trg))


def unreached_parameters(model: Transformer) -> int:
    """How many parameters get no gradient from a loss over many random sentences."""
    model = deepcopy(model)
    src, trg = torch.randint(1, SRC_VOCAB, (60, 7)), torch.randint(1, TRG_VOCAB, (60, 8))
    logits = model(src, trg[:, :-1])
    F.cross_entropy(logits.flatten(0, 1), trg[:, 1:].flatten()).backward()
    return sum(
        parameter.grad is None or parameter.grad.abs().sum().item() <= 1e-9
        for name, parameter in model.named_parameters()
        if not name.endswith("to_keys.bias")  # it adds the same to all energies of a query: softmax ignores it
    )


def half_precision_failure(model: Transformer) -> float:
    """0 where the model computes finite scores in float16, infinite where it does not."""
    src, trg = small_batch()
    try:
        logits = deepcopy(model).half()(src, trg)
    except RuntimeError:  # torch refuses a number that the dtype cannot hold
        return math.inf
    return distance(logits, logits)


def empty_source_failure(model: Transformer) -> float:
    """0 where a source of padding alone still gives finite scores and gradients, infinite where it does not."""
    src, trg = small_batch()
    src[1] = PAD
    model = deepcopy(model)
    logits = model(src, trg)
    logits[0].sum().backward()
    gradients = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    return max(distance(logits, logits), distance(gradients, gradients))


def without_dropout(model: Transformer) -> Transformer:
    """A copy in which nothing is left to chance."""
    still = deepcopy(model)
    for module in still.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return still


def entering_difference(model: Transformer) -> float:
    """How far what enters the encoder's stack is from embedding x sqrt(e) + PE, computed from the paper's formula."""
    src, _ = small_batch()
    entered: list[Tensor] = []
    handle = model.encoder.dropout.register_forward_hook(lambda module, args, output: entered.append(output))
    model.encode(src)
    handle.remove()
    e = model.config.embed_size
    scale = math.sqrt(e) if model.config.scale_embeddings else 1.0
    waves = torch.tensor(
        [[paper_position(pos, i, e) for i in range(e)] for pos in range(src.size(1))], dtype=torch.float64
    )
    return distance(entered[0], model.encoder.word_embedding.weight[src] * scale + waves)


def paper_position(pos: int, channel: int, embed_size: int) -> float:
    """PE(pos, channel) of section 3.5, in plain Python."""
    angle = pos / 10000 ** (2 * (channel // 2) / embed_size)
    return math.sin(angle) if channel % 2 == 0 else math.cos(angle)


def distance(a: Tensor, b: Tensor) -> float:
    """The largest difference; infinite where one side is not a number."""
    difference = (a - b).detach().abs().max().item()
    return difference if difference == difference else float("inf")
