"""Faults of who may look at whom. All but one compute the right attention with another mask."""

import torch
from torch import Tensor

from glassformer.learn.zoo.fault import Fault, decoder_self, encoder_self, every_attention, on, reading_source
from glassformer.model.attention import MultiHeadAttention
from glassformer.model.cache import CrossAttentionCache, SelfAttentionCache
from glassformer.model.transformer import Transformer


class OtherMask(MultiHeadAttention):
    """Multi-head attention that looks through another mask than the one it is given."""

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor,
        cache: SelfAttentionCache | CrossAttentionCache | None = None,
    ) -> Tensor:
        return super().forward(query, key, value, self.instead_of(mask), cache)

    def instead_of(self, mask: Tensor) -> Tensor:
        raise NotImplementedError


def words(mask: Tensor) -> Tensor:
    """(n, 1, 1, k): which keys are words, read from a mask in which every word is seen by somebody."""
    return mask.any(dim=-2, keepdim=True)


def ahead(mask: Tensor) -> int:
    """How many keys come before the first query: 0 in training, what the cache holds while decoding."""
    return mask.size(-1) - mask.size(-2)


class NoLookAhead(OtherMask):
    def instead_of(self, mask: Tensor) -> Tensor:
        return words(mask)


class OneStepAhead(OtherMask):
    def instead_of(self, mask: Tensor) -> Tensor:
        return words(mask) & torch.ones_like(mask).tril(ahead(mask) + 1)


class DiagonalHidden(OtherMask):
    def instead_of(self, mask: Tensor) -> Tensor:
        return mask.tril(ahead(mask) - 1)


class UpsideDown(OtherMask):
    def instead_of(self, mask: Tensor) -> Tensor:
        return words(mask) & torch.ones_like(mask).triu(ahead(mask))


class TopLeft(OtherMask):
    def instead_of(self, mask: Tensor) -> Tensor:
        return words(mask) & torch.ones_like(mask).tril()


class Inverted(OtherMask):
    def instead_of(self, mask: Tensor) -> Tensor:
        return ~mask


class Open(OtherMask):
    def instead_of(self, mask: Tensor) -> Tensor:
        return torch.ones_like(mask)


class SourceRowsHidden(OtherMask):
    def instead_of(self, mask: Tensor) -> Tensor:
        return mask.transpose(2, 3).expand(-1, -1, -1, mask.size(-1))


class TargetRowsHidden(OtherMask):
    def instead_of(self, mask: Tensor) -> Tensor:
        asking = words(mask)[..., ahead(mask) :].transpose(2, 3)
        return asking & torch.ones_like(mask).tril(ahead(mask))


class OfAnotherSentence(OtherMask):
    """The batch's masks repeated as a whole for each head, then read as if each had been repeated by itself."""

    def instead_of(self, mask: Tensor) -> Tensor:
        return mask.repeat(self.heads, 1, 1, 1).view(mask.size(0), self.heads, mask.size(2), mask.size(3))


def rows_hidden(model: Transformer) -> None:
    on(encoder_self, SourceRowsHidden)(model)
    on(decoder_self, TargetRowsHidden)(model)


FAULTS = (
    Fault(
        name="no-look-ahead",
        title="Nothing hides the future: each target word sees every other, the one it is asked for included.",
        plant=on(decoder_self, NoLookAhead),
        symptom=(
            "Training ends as well as the right model's or better: the decoder copies its answer from the next "
            "position. What it writes is nonsense: the run reverse-cheating has 100 % of tokens right when shown "
            "the target, and no answer right."
        ),
        thread="jadore801120/attention-is-all-you-need-pytorch#19",
        exercise="03",
        kind="leak",
    ),
    Fault(
        name="one-step-ahead",
        title="The look-ahead mask starts one diagonal too late: each position sees the very word it is asked for.",
        plant=on(decoder_self, OneStepAhead),
        symptom=(
            "The loss falls to its floor sooner than it should: the answer is in sight. Nothing that it writes is "
            "right (0.10, 99.9 %, 0 %)."
        ),
        thread="IpsumDominum/Pytorch-Simple-Transformer#3",
        exercise="03",
        kind="leak",
    ),
    Fault(
        name="look-ahead-upside-down",
        title="The look-ahead mask is the other triangle: each position sees itself and the future, never the past.",
        plant=on(decoder_self, UpsideDown),
        symptom=(
            "Training looks perfect, and the first position already knows the whole answer; nothing written is "
            "right (0.10, 99.9 %, 0 %)."
        ),
        thread="hkproj/pytorch-transformer#19",
        exercise="03",
        kind="leak",
    ),
    Fault(
        name="diagonal-hidden",
        title="The look-ahead mask hides the diagonal too: no target word may attend to itself.",
        plant=on(decoder_self, DiagonalHidden),
        symptom=(
            "None in scores: the residual carries a word past its own attention (0.11, 99.9 %, 99.2 %). The first "
            "position attends to nothing, which is NaN where hidden means minus infinity."
        ),
        thread="pbloem/former#10",
        exercise="03",
        kind="silent",
    ),
    Fault(
        name="look-ahead-top-left",
        title="With a cache the look-ahead mask still starts at the first key: new words see the oldest ones only.",
        plant=on(decoder_self, TopLeft),
        symptom=(
            "Training and scoring are right. Written with a cache, every word after the first sees the first key "
            "alone (0.11, 99.9 %, 0 %)."
        ),
        thread="pytorch/pytorch#144858",
        exercise="17",
        kind="decoding",
    ),
    Fault(
        name="mask-inverted",
        title="Every mask means the opposite: what should be hidden is seen, what should be seen is hidden.",
        plant=on(every_attention, Inverted),
        symptom=(
            "Each word sees the future and none of the past, so training looks well on its way and nothing "
            "written is right (0.39, 91 %, 0 %)."
        ),
        thread="rasbt/LLMs-from-scratch#1061",
        exercise="04",
        kind="leak",
    ),
    Fault(
        name="padding-mask-inverted",
        title="The source's padding mask means the opposite: only padding may be attended to.",
        plant=on(reading_source, Inverted),
        symptom=(
            "The source is invisible, and sentences without padding attend to nothing: the loss stays near that "
            "of guessing (2.36, 16 %, 0 %)."
        ),
        thread="pytorch/pytorch#120488",
        exercise="03",
        kind="stuck",
    ),
    Fault(
        name="no-source-padding-mask",
        title="Nothing hides the padding of the source: its vectors are attended to like words.",
        plant=on(reading_source, Open),
        symptom=(
            "Scores of one pass hardly show it; a sentence is answered otherwise alone than beside a longer one "
            "(0.11, 99.9 %, 85 %)."
        ),
        thread="seen in seq2seq_transformer.py of aladdinpersson/Machine-Learning-Collection",
        exercise="03",
        kind="padding",
    ),
    Fault(
        name="pad-mask-on-query-axis",
        title="The padding mask is (n, 1, q, 1): padding may not ask, but everyone may still attend to it.",
        plant=rows_hidden,
        symptom=(
            "Training is as good as ever; an answer depends a little on how much padding its batch brings (0.11, "
            "100 %, 96 %). Rows of padding have nothing to attend to: NaN where hidden means minus infinity."
        ),
        thread="bentrevett/pytorch-seq2seq#73",
        exercise="03",
        kind="padding",
    ),
    Fault(
        name="mask-of-another-sentence",
        title="Masks are repeated for the heads in the wrong order: heads get the mask of another sentence.",
        plant=on(every_attention, OfAnotherSentence),
        symptom=(
            "Batches of one sentence, or of equal lengths, are right; mixed lengths are read with words missing "
            "and padding in sight (0.21, 97 %, 55 %)."
        ),
        thread="lsdefine/attention-is-all-you-need-keras#36",
        exercise="05",
        kind="padding",
    ),
)
