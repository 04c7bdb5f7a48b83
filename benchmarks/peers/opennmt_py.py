"""OpenNMT-py: its encoder, decoder, iterator of batches and Translator."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import pyonmttok
from onmt.constants import CorpusTask, DefaultTokens
from onmt.decoders.transformer import TransformerDecoder
from onmt.encoders.transformer import TransformerEncoder
from onmt.inputters.dynamic_iterator import DynamicDatasetIter
from onmt.inputters.text_utils import text_sort_key
from onmt.models import NMTModel
from onmt.modules import Embeddings
from onmt.translate.beam_search import GNMTGlobalScorer
from onmt.translate.translator import Translator
from torch import Tensor, nn

from benchmarks.peers.peer import Peer
from benchmarks.sizes import EMBED, FORWARD, HEADS, LAYERS, PAD, VOCAB

BUCKET = 262_144  # pairs sorted together: the library's default


class OpenNmtPy(Peer):
    title = "OpenNMT-py"
    package = "OpenNMT-py"
    alike: ClassVar = dict(norm="pre")
    has_batches = True
    remarks = (
        "The newest version that takes this torch: later ones want a torch below 2.3.",
        f"Its batches are batch_type tokens, sorted within buckets of {BUCKET:,} pairs.",
    )

    def __init__(self) -> None:
        specials = [DefaultTokens.PAD, DefaultTokens.BOS, DefaultTokens.EOS, DefaultTokens.UNK]
        words = (f"word{number}" for number in range(VOCAB - len(specials)))
        self.words = pyonmttok.build_vocab_from_tokens([*specials, *words])

    def model(self, dropout: float) -> nn.Module:
        def embeddings() -> Embeddings:
            return Embeddings(EMBED, VOCAB, PAD, position_encoding=True, dropout=dropout)

        shared = dict(
            num_layers=LAYERS, d_model=EMBED, heads=HEADS, d_ff=FORWARD, dropout=dropout, attention_dropout=0.0,
            max_relative_positions=0, add_qkvbias=True,
        )  # fmt: skip
        encoder = TransformerEncoder(**shared, embeddings=embeddings())
        decoder = TransformerDecoder(
            **shared, embeddings=embeddings(), copy_attn=False, self_attn_type="scaled-dot", aan_useffn=False,
            full_context_alignment=False, alignment_layer=None, alignment_heads=0,
        )  # fmt: skip
        for layer in (*encoder.transformer, *decoder.transformer_layers):
            layer.feed_forward.dropout_1.p = 0.0  # inside the feed-forward part: the paper has none there
        model = NMTModel(encoder, decoder)
        model.generator = nn.Linear(EMBED, VOCAB)
        nn.init.normal_(model.generator.weight, std=0.02)
        decoder.embeddings.word_lut.weight = encoder.embeddings.word_lut.weight = model.generator.weight
        return model.train()

    def logits(self, model: nn.Module, src: Tensor, trg_in: Tensor) -> Tensor:
        one_too_many = nn.functional.pad(trg_in, (0, 1), value=PAD)  # the model leaves out the last token by itself
        decoded, _ = model(src.unsqueeze(2), one_too_many.unsqueeze(2), (src != PAD).sum(dim=1))
        return model.generator(decoded)

    def answers(self, model: nn.Module, src: Tensor, beam: int) -> Sequence[Sequence[int]]:
        vocabularies, length = {"src": self.words, "tgt": self.words}, src.size(1)
        translator = Translator(
            model, vocabularies, beam_size=beam, min_length=length, max_length=length,
            global_scorer=GNMTGlobalScorer(0.6, 0.0, "wu", "none"),
        )  # fmt: skip
        batch = {"src": src.unsqueeze(2), "srclen": (src != PAD).sum(dim=1)}
        found = translator.translate_batch(batch, attn_debug=False)
        return [several[0].tolist() for several in found["predictions"]]

    def batches(self, lengths: Sequence[tuple[int, int]], tokens: int, sentences: int) -> list[list[int]]:
        iterator = DynamicDatasetIter({}, {}, {}, {}, CorpusTask.TRAIN, "tokens", tokens, 1, bucket_size=BUCKET)
        examples = [
            {"row": row, "src": {"src": str(row), "src_ids": [0] * s}, "tgt": {"tgt_ids": [0] * (t + 1)}}
            for row, (s, t) in enumerate(lengths)
        ]
        cut = partial(iterator.batch_iter, batch_size=tokens, batch_type="tokens")
        return [
            [example["row"] for example in batch]
            for start in range(0, len(examples), BUCKET)
            for batch in cut(sorted(examples[start : start + BUCKET], key=text_sort_key))
        ]


PEER = OpenNmtPy()
