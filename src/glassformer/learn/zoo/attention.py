"""Faults of the formula softmax(QK^T / sqrt(d)) V and of the heads. Each class has one line wrong.

The formula is a property of the class, so `use_attention`, `use_fused`, training and decoding leave it in place: such
an attention is never fused.
"""

import math

import torch.nn.functional as F
from torch import Tensor, einsum, nn

from glassformer.learn.zoo.fault import SEVERAL_HEADS, Fault, become, every_attention, on
from glassformer.model.attention import Attend, MultiHeadAttention, lowest
from glassformer.model.transformer import Transformer


class WrittenOut(MultiHeadAttention):
    """The right formula in three steps, for faults that get one of them wrong."""

    @property
    def attend(self) -> Attend:
        return self.formula

    @attend.setter
    def attend(self, other: Attend) -> None:
        """The fault stays, whatever is chosen."""

    def formula(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        energy = einsum("nqhd,nkhd->nhqk", queries, keys) / self.divisor(queries)
        attention = self.weights(energy, mask)
        heads_out = einsum("nhqk,nkhd->nqhd", attention, values)
        return heads_out

    def divisor(self, queries: Tensor) -> float:
        return math.sqrt(queries.size(-1))

    def weights(self, energy: Tensor, mask: Tensor) -> Tensor:
        masked_energy = energy.masked_fill(~mask, lowest(energy.dtype))
        attention = masked_energy.softmax(dim=-1).masked_fill(~mask, 0)
        return attention


class ScaleMissing(WrittenOut):
    def divisor(self, queries: Tensor) -> float:
        return 1.0


class ScaleWithoutRoot(WrittenOut):
    def divisor(self, queries: Tensor) -> float:
        return float(queries.size(-1))


class ScaleSqrtEmbedSize(WrittenOut):
    def divisor(self, queries: Tensor) -> float:
        return math.sqrt(queries.size(-1) * queries.size(-2))


class ScaleInverted(WrittenOut):
    def divisor(self, queries: Tensor) -> float:
        return 1 / math.sqrt(queries.size(-1))


class SoftmaxOverQueries(WrittenOut):
    def weights(self, energy: Tensor, mask: Tensor) -> Tensor:
        masked_energy = energy.masked_fill(~mask, lowest(energy.dtype))
        return masked_energy.softmax(dim=-2).masked_fill(~mask, 0)


class MaskAfterSoftmax(WrittenOut):
    def weights(self, energy: Tensor, mask: Tensor) -> Tensor:
        return energy.softmax(dim=-1).masked_fill(~mask, 0)


class FillTooSmall(WrittenOut):
    def weights(self, energy: Tensor, mask: Tensor) -> Tensor:
        return energy.masked_fill(~mask, -1e-9).softmax(dim=-1)


class FillOverflowsHalf(WrittenOut):
    def weights(self, energy: Tensor, mask: Tensor) -> Tensor:
        return energy.masked_fill(~mask, -1e20).softmax(dim=-1)


class EmptyRowNan(WrittenOut):
    def weights(self, energy: Tensor, mask: Tensor) -> Tensor:
        return energy.masked_fill(~mask, -math.inf).softmax(dim=-1)


class HeadsMergedWithoutTranspose(WrittenOut):
    def formula(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        heads_out = super().formula(queries, keys, values, mask)
        return heads_out.transpose(1, 2).reshape(heads_out.shape)


class HeadsViewedWithoutTranspose(WrittenOut):
    def formula(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        n, _, h, d = queries.shape
        queries, keys, values = (part.reshape(n, h, -1, d).transpose(1, 2) for part in (queries, keys, values))
        return super().formula(queries, keys, values, mask)


class ValuesAreKeys(MultiHeadAttention):
    def keys_values(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        keys, _ = super().keys_values(key, value)
        return keys, keys


class KeysValuesSwapped(MultiHeadAttention):
    def keys_values(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        keys, values = super().keys_values(key, value)
        return values, keys


class NotProjected(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return x


class OneForAllHeads(nn.Linear):
    """The first head's projection, applied to each head's share of the input."""

    heads: int

    def forward(self, x: Tensor) -> Tensor:
        d = self.out_features // self.heads
        shares = x.reshape(*x.shape[:-1], self.heads, d)
        return F.linear(shares, self.weight[:d, :d], self.bias[:d]).flatten(-2)


def heads_share_one_projection(model: Transformer) -> None:
    for attention in every_attention(model):
        for projection in (attention.to_queries, attention.to_keys, attention.to_values):
            become(projection, OneForAllHeads)
            projection.heads = attention.heads  # type: ignore[assignment]


def query_projections(model: Transformer) -> list[nn.Linear]:
    return [attention.to_queries for attention in every_attention(model)]


FAULTS = (
    Fault(
        name="scale-missing",
        title="Scores are not divided by anything.",
        plant=on(every_attention, ScaleMissing),
        symptom=(
            "Next to none at 8 channels a head: it learns a little later (0.14, 99 %, 92 %). With 64 channels or "
            "more the softmax is nearly one-hot from the start and its gradient small."
        ),
        thread="ethen8181/machine-learning#13",
        exercise="02",
        kind="silent",
    ),
    Fault(
        name="scale-without-root",
        title="Scores are divided by d instead of sqrt(d): attention is too flat.",
        plant=on(every_attention, ScaleWithoutRoot),
        symptom=(
            "None to speak of: the projections learn to make up for it (0.12, 99.8 %, 98 %). Attention is too "
            "flat at the start."
        ),
        thread="delzac/cntkx#10",
        exercise="02",
        kind="silent",
    ),
    Fault(
        name="scale-sqrt-embed-size",
        title="Scores are divided by sqrt(embed_size), the whole width, instead of one head's.",
        plant=on(every_attention, ScaleSqrtEmbedSize),
        symptom=(
            "None in training or in scores (0.11, 99.9 %, 99 %): attention is too flat by sqrt(heads) at the "
            "start, and only the formula shows it."
        ),
        thread="aladdinpersson/Machine-Learning-Collection#30",
        exercise="05",
        kind="silent",
        needs=SEVERAL_HEADS,
    ),
    Fault(
        name="scale-inverted",
        title="Scores are multiplied by sqrt(d) instead of divided by it.",
        plant=on(every_attention, ScaleInverted),
        symptom=(
            "Attention is nearly one-hot from the start and learns slowly: far behind after as many updates "
            "(0.63, 80 %, 20 %)."
        ),
        thread="pytorch/tutorials#2849",
        exercise="02",
        kind="stuck",
    ),
    Fault(
        name="softmax-over-queries",
        title="The softmax runs over the queries: not each row of weights adds up to 1, each column does.",
        plant=on(every_attention, SoftmaxOverQueries),
        symptom=(
            "Training looks perfect, because a later query changes the weights of an earlier one. Written token "
            "by token each new word is the only query, with weights of 1 for every key: nonsense."
        ),
        thread="labmlai/annotated_deep_learning_paper_implementations#146",
        exercise="02",
        kind="leak",
    ),
    Fault(
        name="mask-after-softmax",
        title="The mask is applied after the softmax only: hidden words get no weight, but take their part of the sum.",
        plant=on(every_attention, MaskAfterSoftmax),
        symptom=(
            "Training looks perfect, because a hidden word's score is still in the sum below each weight; while "
            "writing the future is missing from that sum, and the answers are wrong."
        ),
        thread="huggingface/pytorch-image-models#2236",
        exercise="04",
        kind="leak",
    ),
    Fault(
        name="fill-too-small",
        title="Hidden energies are filled with -1e-9 where -1e9 was meant: that is 0, a score like any other.",
        plant=on(every_attention, FillTooSmall),
        symptom=(
            "As if there were no mask at all: training looks perfect, what is written is nonsense, and padding is "
            "attended to."
        ),
        thread="Shujun-He/RibonanzaNet#5",
        exercise="04",
        kind="leak",
    ),
    Fault(
        name="fill-overflows-half",
        title="Hidden energies are filled with -1e20, which float16 cannot hold.",
        plant=on(every_attention, FillOverflowsHalf),
        symptom=(
            "None in float32 and bfloat16. In float16 torch refuses to fill: value cannot be converted to type "
            "at::Half without overflow. A query that may see nothing gets the plain average of what is hidden."
        ),
        thread="NVIDIA/apex#93",
        exercise="04",
        kind="breaks",
    ),
    Fault(
        name="empty-row-nan",
        title="Hidden energies are filled with minus infinity: a query that may see nothing gets 0/0.",
        plant=on(every_attention, EmptyRowNan),
        symptom=(
            "None until a query has nothing to attend to, such as a source of padding alone or left padding: then "
            "NaN, and its gradient spoils every weight in one update."
        ),
        thread="pytorch/pytorch#41508",
        exercise="04",
        kind="breaks",
    ),
    Fault(
        name="heads-merged-without-transpose",
        title="Heads are put together by a reshape of (n, h, q, d), without the transpose to (n, q, h, d).",
        plant=on(every_attention, HeadsMergedWithoutTranspose),
        symptom=(
            "Training looks perfect: positions and heads are mixed, so the future leaks. A single new token has "
            "nothing to mix, so what is written is nonsense."
        ),
        thread="jsbaan/transformer-from-scratch#6",
        exercise="05",
        kind="leak",
        needs=SEVERAL_HEADS,
    ),
    Fault(
        name="heads-viewed-without-transpose",
        title="Vectors are cut into heads by a view as (n, h, q, d): a head holds whole positions.",
        plant=on(every_attention, HeadsViewedWithoutTranspose),
        symptom=(
            "Training looks perfect: a head's row is a piece of another position, the future included. What is "
            "written token by token is nonsense."
        ),
        thread="hyunwoongko/transformer#15",
        exercise="05",
        kind="leak",
        needs=SEVERAL_HEADS,
    ),
    Fault(
        name="heads-share-one-projection",
        title="One small projection serves all heads: they differ by their share of the input alone.",
        plant=heads_share_one_projection,
        symptom=(
            "None in training or in scores of a small task: heads differ in what they read, not in how. A model "
            "of many heads has fewer ways to look; most of its projections get no gradient."
        ),
        thread="aladdinpersson/Machine-Learning-Collection#3",
        exercise="05",
        kind="silent",
        needs=SEVERAL_HEADS,
    ),
    Fault(
        name="queries-not-projected",
        title="Queries are compared as they are: their projection is made and never used.",
        plant=on(query_projections, NotProjected),
        symptom="None in training or in scores; the queries' projections get no gradient and stay as they were made.",
        thread="Khaliladib11/Transformer-from-scratch#1",
        exercise="05",
        kind="silent",
    ),
    Fault(
        name="values-are-keys",
        title="What is handed on is the keys: the projection to values is made and never used.",
        plant=on(every_attention, ValuesAreKeys),
        symptom="None in training or in scores; the projections to values get no gradient and stay as they were made.",
        thread="Khaliladib11/Transformer-from-scratch#2",
        exercise="05",
        kind="silent",
    ),
    Fault(
        name="keys-values-swapped",
        title="Keys are handed on and values are compared: the two projections have changed places.",
        plant=on(every_attention, KeysValuesSwapped),
        symptom=(
            "None in a model trained this way, where only the names are exchanged; with weights of any other "
            "implementation every answer is wrong."
        ),
        thread="Sea-Snell/grokking#7",
        exercise="05",
        kind="silent",
    ),
)
