"""JoeyNMT: its model, its loss, its sampler of batches and its search."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import ClassVar

import torch
from joeynmt.batch import Batch
from joeynmt.datasets import TokenBatchSampler
from joeynmt.model import build_model
from joeynmt.search import search
from joeynmt.vocabulary import Vocabulary
from torch import Tensor, nn

from benchmarks.peers.peer import Peer
from benchmarks.sizes import EMBED, END, FORWARD, HEADS, LAYERS, PAD, SMOOTHING, START, VOCAB

# The library wants the unknown word first; as nothing here is unknown, it may share the padding's place.
SYMBOLS = SimpleNamespace(
    unk_token="<pad>", pad_token="<pad>", bos_token="<s>", eos_token="</s>", sep_token=None, lang_tags=[],
    unk_id=PAD, pad_id=PAD, bos_id=START, eos_id=END,
)  # fmt: skip


class JoeyNmt(Peer):
    title = "JoeyNMT"
    package = "joeynmt"
    alike: ClassVar = dict(norm="pre")
    beside: ClassVar = {"no bias in the output layer": -VOCAB}
    has_batches = True
    remarks = (
        "The loss is its own; the smoothing goes to all words but the right one and padding.",
        "Its batches are batch_type token: random sentences until they fill a budget, padding included.",
        "Its decoder keeps no keys and values: each step does all earlier steps again.",
    )

    def model(self, dropout: float) -> nn.Module:
        half = dict(
            type="transformer", num_layers=LAYERS, num_heads=HEADS, hidden_size=EMBED, ff_size=FORWARD,
            dropout=dropout, layer_norm="pre", embeddings=dict(embedding_dim=EMBED, scale=True, dropout=dropout),
        )  # fmt: skip
        words = Vocabulary([f"word{number}" for number in range(VOCAB - 3)], SYMBOLS)
        tied = dict(tied_embeddings=True, tied_softmax=True)
        model = build_model(dict(encoder=dict(half), decoder=dict(half), **tied), words, words)
        for layer in (*model.encoder.layers, *model.decoder.layers):
            layer.feed_forward.pwff_layer[2].p = 0.0  # inside the feed-forward part: the paper has none there
        for name, module in model.named_modules():
            if name.endswith("att.dropout"):
                module.p = 0.0
        model.loss_function = ("crossentropy", SMOOTHING)
        return model.train()

    def batch(self, src: Tensor, trg: Tensor | None) -> Batch:
        lengths, rows = (src != PAD).sum(dim=1), torch.arange(len(src))
        return Batch(src, lengths, None, trg, None, rows, torch.device("cpu"), PAD, END, is_train=trg is not None)

    def loss(self, model: nn.Module, src: Tensor, trg: Tensor) -> Tensor:
        batch = self.batch(src, trg)
        loss, *_ = model(return_type="loss", **vars(batch))
        return loss / batch.ntokens

    def logits(self, model: nn.Module, src: Tensor, trg_in: Tensor) -> Tensor:
        memory, *_ = model(return_type="encode", **vars(self.batch(src, None)))
        logits, *_ = model(
            return_type="decode", trg_input=trg_in, encoder_output=memory, encoder_hidden=None,
            src_mask=(src != PAD).unsqueeze(1), unroll_steps=None, decoder_hidden=None,
            trg_mask=(trg_in != PAD).unsqueeze(1),
        )  # fmt: skip
        return logits

    def answers(self, model: nn.Module, src: Tensor, beam: int) -> Sequence[Sequence[int]]:
        length = src.size(1)
        found, *_ = search(model, self.batch(src, None), length, beam, 0.6, min_output_length=length)
        return found.tolist()

    def batches(self, lengths: Sequence[tuple[int, int]], tokens: int, sentences: int) -> list[list[int]]:
        # As a data set of the library gives them: number, source, target, without their special tokens.
        examples = [(row, [""] * (s - 1), [""] * (t - 1)) for row, (s, t) in enumerate(lengths)]
        order = torch.utils.data.RandomSampler(examples, generator=torch.Generator().manual_seed(1))
        return list(iter(TokenBatchSampler(order, batch_size=tokens, drop_last=False, seed=1)))  # it refuses len()


PEER = JoeyNmt()
