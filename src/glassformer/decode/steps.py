"""What greedy, beam search and sampling share: a batch of sentences, written one token a step.

The source is encoded once. The cache keeps every key and value, so that a step computes its new tokens only,
and sentences that are done leave the batch. All numbers after the logits are at least float32.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import NamedTuple

import torch
from torch import Tensor

from glassformer.decode.config import DecodingConfig
from glassformer.decode.stepper import PackedStepper, stepper
from glassformer.errors import UserError
from glassformer.model.attention import MultiHeadAttention, attention
from glassformer.model.fused import fused_attention
from glassformer.model.transformer import Transformer

# (logits (r, v), the sentence of each row (r,), how many tokens they have) -> the next tokens (r,)
Choose = Callable[[Tensor, Tensor, int], Tensor]

BLOCK = 64  # words looked at together


class Hypothesis(NamedTuple):
    """One answer as ids, and what the model thinks of it."""

    ids: list[int]  # without <s> and </s>
    log_prob: float  # of the whole answer, </s> included: the sum of token_log_probs
    score: float  # log_prob / ((5 + length) / 6)^length_penalty, length = len(token_log_probs)
    token_log_probs: list[float]  # one for each id, and one for </s> unless the answer was cut off before it


class Step(NamedTuple):
    """What one step added: for each of the r sentences still being written, a token and its log probability."""

    sentences: Tensor
    tokens: Tensor
    log_probs: Tensor


class Live:
    """The rows still being written: all that the next step needs. A row is a sentence, or one hypothesis of it."""

    def __init__(self, model: Transformer, src: Tensor, start_id: int, end_id: int, config: DecodingConfig) -> None:
        src = src.to(model.device)
        self.model = model
        self.dtype = torch.promote_types(model.fc_out.weight.dtype, torch.float32)
        self.limits = length_limits(model, src, config)
        self.last = torch.full((len(src),), start_id, device=model.device)
        self.forbidden = _forbidden(model, start_id, end_id, config).to(model.device)
        self.training = [module for module in model.modules() if module.training]
        self.written = [
            module
            for module in model.modules()
            if isinstance(module, MultiHeadAttention) and module.attend is attention
        ]
        with self.decoding():
            self.stepper = stepper(model, src, start_id, config.beam)
        if isinstance(self.stepper, PackedStepper):
            self.training, self.written = [], []  # it has no dropout and an attention of its own

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """No gradients, no dropout, the fused attention for the written-out one; then all is put back as it was."""
        try:
            with torch.inference_mode():
                for module in self.training:
                    module.training = False
                for layer in self.written:
                    layer.attend = fused_attention  # equal numbers, and a tenth of a step's time saved
                yield
        finally:
            for module in self.training:
                module.training = True
            for layer in self.written:
                layer.attend = attention

    def logits(self) -> Tensor:
        """(r, v) of the next token; -inf for forbidden ids: the others share all the probability."""
        with self.decoding():
            logits = self.stepper.step(self.last).to(self.dtype)
            if isinstance(self.stepper, PackedStepper):
                return logits.index_fill_(1, self.forbidden, float("-inf"))
            # Not in place: whoever watches fc_out would see our -inf in the model's own logits.
            return logits.index_fill(1, self.forbidden, float("-inf"))

    def log_probs(self) -> Tensor:
        """(r, v) of the next token, 0 probability for forbidden ids."""
        return self.logits().log_softmax(dim=1)

    def select(self, rows: Tensor, beam: int = 1) -> None:
        """Keep these rows, in this order; a row may be taken twice. Each `beam` in a row belong to one sentence."""
        with torch.inference_mode():
            self.last, self.limits = self.last.index_select(0, rows), self.limits.index_select(0, rows)
            self.stepper.select(rows, beam)

    def follow(self, rows: Tensor) -> None:
        """`select` among rows of the same sentence: what was read from the source is equal and stays where it is."""
        with torch.inference_mode():
            self.last = self.last.index_select(0, rows)
            self.stepper.follow(rows)


def length_limits(model: Transformer, src: Tensor, config: DecodingConfig) -> Tensor:
    """(n,) how many tokens an answer may have, </s> included: by its own source, whatever the batch.

    Raises UserError for a source of only padding.
    """
    words = (src != model.config.src_pad_idx).sum(dim=1).tolist()
    if not all(words):
        raise UserError("a source holds nothing but padding: there is nothing to attend to. Leave such sentences out.")
    return torch.tensor([config.limit(length, model.config.max_length) for length in words], device=src.device)


def write(
    model: Transformer, src: Tensor, start_id: int, end_id: int, config: DecodingConfig, choose: Choose
) -> Iterator[Step]:
    """One hypothesis for each source (n, s), a step at a time; `choose` says which token comes next."""
    if len(src) == 0:
        return
    live = Live(model, src, start_id, end_id, config)
    sentences = torch.arange(len(src), device=model.device)
    for length in count(1):
        logits = live.logits()
        tokens = choose(logits, sentences, length - 1)
        if config.forced_end:
            tokens = tokens.masked_fill(live.limits == length, end_id)
        log_probs = logits.log_softmax(dim=1).gather(1, tokens.unsqueeze(1))
        yield Step(sentences, tokens, log_probs.squeeze(1))
        live.last = tokens
        going = ((tokens != end_id) & (live.limits > length)).nonzero().squeeze(1)
        if len(going) == 0:
            return
        if len(going) < len(tokens):
            sentences = sentences[going]
            live.select(going)


def collect(steps: Iterable[Step], sentences: int, end_id: int, config: DecodingConfig) -> list[Hypothesis]:
    """The hypotheses that `write` wrote, one for each sentence."""
    ids: list[list[int]] = [[] for _ in range(sentences)]
    log_probs: list[list[float]] = [[] for _ in range(sentences)]
    for step in list(steps):  # all steps first: on a GPU, reading one would make the next one wait
        for sentence, token, log_prob in zip(*(part.tolist() for part in step), strict=True):
            ids[sentence].append(token)
            log_probs[sentence].append(log_prob)
    return [hypothesis(*each, end_id, config) for each in zip(ids, log_probs, strict=True)]


def hypothesis(tokens: list[int], log_probs: list[float], end_id: int, config: DecodingConfig) -> Hypothesis:
    """A hypothesis from its generated tokens, a last </s> among them."""
    log_prob = sum(log_probs)
    ids = tokens[:-1] if tokens[-1] == end_id else tokens
    return Hypothesis(ids, log_prob, log_prob / config.penalty(len(tokens)), log_probs)


def greedy(model: Transformer, src: Tensor, start_id: int, end_id: int, config: DecodingConfig) -> list[Hypothesis]:
    """The likeliest token each time, for each source (n, s) with its </s>; of equal ones the lowest id.

    Raises UserError for a source of only padding, ValueError for one longer than the model's max_length.
    """
    return collect(write(model, src, start_id, end_id, config, likeliest), len(src), end_id, config)


def likeliest(logits: Tensor, sentences: Tensor, length: int) -> Tensor:
    """The lowest id of the largest logits."""
    if logits.size(1) < 2 * BLOCK or len(logits) < 8:
        return logits.argmax(dim=1)
    block = block_maxima(logits).argmax(dim=1, keepdim=True)  # argmax is slow, amax fast: a third of the time
    ids = block_ids(block, logits.size(1))
    return ids.gather(1, logits.gather(1, ids).argmax(dim=1, keepdim=True)).squeeze(1)


def block_maxima(values: Tensor) -> Tensor:
    """(r, v) -> the largest of each BLOCK columns, the last ones perhaps fewer."""
    whole = values.size(1) // BLOCK * BLOCK
    maxima = values[:, :whole].view(len(values), -1, BLOCK).amax(dim=2)
    return maxima if whole == values.size(1) else torch.cat([maxima, values[:, whole:].amax(1, keepdim=True)], dim=1)


def block_ids(blocks: Tensor, size: int) -> Tensor:
    """The columns of these blocks (r, b), b x BLOCK of them; those past the end are the last column again."""
    columns = blocks.unsqueeze(2) * BLOCK + torch.arange(BLOCK, device=blocks.device)
    return columns.flatten(1).clamp_max(size - 1)


def _forbidden(model: Transformer, start_id: int, end_id: int, config: DecodingConfig) -> Tensor:
    """The ids that are never written: padding, start and the config's. Raises UserError for one that cannot be."""
    ids = {start_id, *config.forbidden_ids}
    if model.config.trg_pad_idx is not None:
        ids.add(model.config.trg_pad_idx)
    largest = model.config.trg_vocab_size - 1
    if end_id in ids:
        raise UserError(f"forbidden_ids={config.forbidden_ids} or padding or start holds </s> ({end_id}): no end.")
    if max(ids) > largest:
        raise UserError(f"forbidden_ids={config.forbidden_ids}: the target vocabulary ends with id {largest}.")
    return torch.tensor(sorted(ids))
