"""Faults of the layers: residuals, norms, feed-forward, dropout, and what the decoder gets from the encoder."""

from collections.abc import Iterable

import torch.nn.functional as F
from torch import Tensor, nn

from glassformer.learn.zoo.caches import AnyCache, InPlaceOf
from glassformer.learn.zoo.fault import DROPOUT, FINAL_NORMS, SEVERAL_LAYERS, Fault, cross, on
from glassformer.model.attention import MultiHeadAttention
from glassformer.model.blocks import FeedForward, PostNorm, PreNorm, Sublayer
from glassformer.model.masks import look_ahead_mask
from glassformer.model.transformer import Transformer

Modules = Iterable[nn.Module]


class PostNormAlone(PostNorm):
    def forward(self, x: Tensor, sublayer: Sublayer) -> Tensor:
        branch = self.dropout(sublayer(x))
        out: Tensor = self.norm(branch)
        return out


class PreNormAlone(PreNorm):
    def forward(self, x: Tensor, sublayer: Sublayer) -> Tensor:
        normed = self.norm(x)
        branch: Tensor = self.dropout(sublayer(normed))
        return branch


class PreForPost(PostNorm):
    def forward(self, x: Tensor, sublayer: Sublayer) -> Tensor:
        branch: Tensor = self.dropout(sublayer(self.norm(x)))
        return x + branch


class PostForPre(PreNorm):
    def forward(self, x: Tensor, sublayer: Sublayer) -> Tensor:
        out: Tensor = self.norm(x + self.dropout(sublayer(x)))
        return out


class NormOnBranch(nn.Module):
    """For both places of the norm: the stream itself is never normed."""

    norm: nn.Module
    dropout: nn.Module

    def forward(self, x: Tensor, sublayer: Sublayer) -> Tensor:
        branch: Tensor = self.norm(self.dropout(sublayer(x)))
        return x + branch


class UnbiasedVariance(nn.LayerNorm):
    """Divides by e - 1 and adds eps outside the root."""

    def forward(self, x: Tensor) -> Tensor:
        deviation = x.std(dim=-1, keepdim=True, unbiased=True) + self.eps
        return self.weight * (x - x.mean(dim=-1, keepdim=True)) / deviation + self.bias


class OverTime(nn.LayerNorm):
    def forward(self, x: Tensor) -> Tensor:
        variance = x.var(dim=1, keepdim=True, unbiased=False)
        return self.weight * (x - x.mean(dim=1, keepdim=True)) / (variance + self.eps).sqrt() + self.bias


class NoNorm(nn.LayerNorm):
    def forward(self, x: Tensor) -> Tensor:
        return x


class NeverOff(nn.Dropout):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.p, training=True)


class Linear(FeedForward):
    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc_out(self.fc_in(x))
        return out


class FirstLayerAgain(nn.Module):
    """A stack whose layers are all the first one, [layer] * N; the others stand by, unused."""

    @property
    def layers(self) -> list[nn.Module]:
        (layers,) = (part for part in self.children() if isinstance(part, nn.ModuleList))
        return [layers[0]] * len(layers)


class Detached(nn.Module):
    def forward(self, src: Tensor, src_mask: Tensor) -> Tensor:
        memory: Tensor = super().forward(src, src_mask)
        return memory.detach()


class ReadsNothing(MultiHeadAttention):
    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, cache: AnyCache | None = None) -> Tensor:
        return super().forward(query, key * 0, value * 0, mask, cache)


class ReadsTarget(MultiHeadAttention):
    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, cache: AnyCache | None = None) -> Tensor:
        earlier = cache.kept[0].size(1) if cache and cache.kept else 0
        look_ahead = look_ahead_mask(query.size(1), earlier + query.size(1), query.device)
        return super().forward(query, query, query, look_ahead, cache and InPlaceOf(cache))


def of_class(kind: type[nn.Module], model: Transformer) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, kind)]


def no_residual(model: Transformer) -> None:
    on(post_norms, PostNormAlone)(model)
    on(pre_norms, PreNormAlone)(model)


def norm_in_the_other_place(model: Transformer) -> None:
    on(post_norms, PreForPost)(model)
    on(pre_norms, PostForPre)(model)


def post_norms(model: Transformer) -> Modules:
    return of_class(PostNorm, model)


def pre_norms(model: Transformer) -> Modules:
    return of_class(PreNorm, model)


def residuals(model: Transformer) -> Modules:
    return of_class(PostNorm, model) + of_class(PreNorm, model)


def norms(model: Transformer) -> Modules:
    return of_class(nn.LayerNorm, model)


def final_norms(model: Transformer) -> Modules:
    return model.encoder.norm, model.decoder.norm


def feed_forwards(model: Transformer) -> Modules:
    return of_class(FeedForward, model)


def dropouts(model: Transformer) -> Modules:
    return of_class(nn.Dropout, model)


def encoder(model: Transformer) -> Modules:
    return [model.encoder]


def stacks(model: Transformer) -> Modules:
    return model.encoder, model.decoder


FAULTS = (
    Fault(
        name="no-residual",
        title="Nothing is added back: a sublayer's output takes the place of its input.",
        plant=no_residual,
        symptom=(
            "Learns far more slowly, and the more so the deeper it is: each layer must pass on all that it was "
            "given. Far behind after as many updates, and nothing written is right."
        ),
        thread="kyegomez/BitNet#32",
        exercise="10",
        kind="stuck",
    ),
    Fault(
        name="norm-on-branch-only",
        title="The norm is on the sublayer's output alone, x + LayerNorm(Sublayer(x)): the stream is never normed.",
        plant=on(residuals, NormOnBranch),
        symptom=(
            "Learns a little more slowly; each layer adds a vector of the same length, so the stream grows with "
            "depth and nothing ever norms it."
        ),
        thread="harvardnlp/annotated-transformer#110",
        exercise="10",
        kind="silent",
    ),
    Fault(
        name="norm-in-the-other-place",
        title="Post-norm layers compute pre-norm, pre-norm layers post-norm, with the same weights.",
        plant=norm_in_the_other_place,
        symptom=(
            "Either place trains, and either is right by somebody's convention. Weights of one are useless to the "
            "other, and pre-norm without a norm at the end leaves the logits too large."
        ),
        thread="harvardnlp/annotated-transformer#92",
        exercise="10",
        kind="convention",
    ),
    Fault(
        name="final-norm-missing",
        title="The norm after each stack is left out: what pre-norm layers have added up reaches the logits as it is.",
        plant=on(final_norms, NoNorm),
        symptom=(
            "Trains, with larger logits at the start and a gain and bias that get no gradient. Weights made with "
            "the norm are useless without it."
        ),
        thread="NVIDIA-NeMo/Speech#2197",
        exercise="10",
        kind="silent",
        needs=FINAL_NORMS,
    ),
    Fault(
        name="layer-norm-unbiased",
        title="LayerNorm divides by the deviation with e - 1, and adds eps outside the root.",
        plant=on(norms, UnbiasedVariance),
        symptom=(
            "None in training. The numbers are off by the more the narrower the model is: at 8 channels by 6.5 %, "
            "at 512 by 0.1 % (largest difference, measured in a toy)."
        ),
        thread="harvardnlp/annotated-transformer#122",
        exercise="08",
        kind="silent",
    ),
    Fault(
        name="layer-norm-over-time",
        title="LayerNorm takes mean and variance over the words of the sentence instead of the channels of a word.",
        plant=on(norms, OverTime),
        symptom=(
            "Training looks perfect, because mean and variance carry the future. A single new token is its own "
            "mean: what is left of it is the bias, and nothing written is right (0.20, 98 %, 0 %)."
        ),
        thread="MorvanZhou/NLP-Tutorials#10",
        exercise="08",
        kind="leak",
    ),
    Fault(
        name="feed-forward-without-activation",
        title="The feed-forward has no activation: two linear layers in a row are one.",
        plant=on(feed_forwards, Linear),
        symptom=(
            "None on a task that attention solves by itself; on real text the loss stays above, because no layer "
            "can compute what is not linear in a position."
        ),
        thread="nutonomy/nuscenes-devkit#728",
        exercise="09",
        kind="silent",
    ),
    Fault(
        name="dropout-in-eval",
        title="Dropout is never switched off.",
        plant=on(dropouts, NeverOff),
        symptom=(
            "The same sentence is answered differently each time, and the scores are a little lower than they could be."
        ),
        thread="delip/PyTorchNLPBook#28",
        exercise="11",
        kind="silent",
        needs=DROPOUT,
    ),
    Fault(
        name="layers-share-weights",
        title="All layers of a stack are its first one, as in [layer] * N.",
        plant=on(stacks, FirstLayerAgain),
        symptom=(
            "Learns about as well on a small task; all layers but the first get no gradient. Where the list is "
            "built as [layer] * N, the count of parameters is too small."
        ),
        thread="zalandoresearch/pytorch-vq-vae#2",
        exercise="11",
        kind="silent",
        needs=SEVERAL_LAYERS,
    ),
    Fault(
        name="frozen-encoder",
        title="The memory is detached: no gradient reaches the encoder, which stays as it was made.",
        plant=on(encoder, Detached),
        symptom=(
            "The decoder learns to read an encoder that never learns: far behind after as many updates (0.80, 73 "
            "%, 14 %). No parameter of the encoder has a gradient."
        ),
        thread="lucidrains/CoCa-pytorch#6",
        exercise="16",
        kind="stuck",
    ),
    Fault(
        name="decoder-ignores-source",
        title="Cross-attention reads zeros in place of the memory.",
        plant=on(cross, ReadsNothing),
        symptom="The loss stops where a language model of the target would, and every source gets the same answer.",
        thread="pytorch/tutorials#719",
        exercise="12",
        kind="stuck",
    ),
    Fault(
        name="cross-attention-reads-target",
        title="Cross-attention takes keys and values from the target instead of the source.",
        plant=on(cross, ReadsTarget),
        symptom=(
            "The loss stops where a language model of the target would, and every source gets the same answer. "
            "Sources may even be shuffled: nothing changes."
        ),
        thread="keitakurita/Practical_NLP_in_PyTorch#1",
        exercise="12",
        kind="stuck",
    ),
)
