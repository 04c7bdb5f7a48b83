"""CTranslate2, which only decodes: our model, exported."""

import shutil
from collections.abc import Sequence
from typing import Any

import ctranslate2
import torch
from torch import Tensor, nn

from benchmarks.environments import EXPORTED
from benchmarks.peers.peer import Peer
from benchmarks.sizes import VOCAB
from glassformer.data import Vocabularies, Vocabulary
from glassformer.exchange.ctranslate2 import export, token_names


class CTranslate2(Peer):
    title = "CTranslate2"
    package = "ctranslate2"
    remarks = (
        "The same weights as ours: its float32 answers are asserted to be ours.",
        "It only decodes, and alone in a process it does so without torch.",
        "With two threads its pool and torch's hinder each other in one process: alone, both are faster.",
        "In int8 the two round differently: speeds are compared, not answers. Without VNNI its own change many.",
    )
    trains = False
    kinds = ("float32", "int8")

    def __init__(self) -> None:
        symbols = " ".join(f"word{number}" for number in range(VOCAB - 4))
        self.vocabulary = Vocabulary.train([symbols], kind="symbols", size=VOCAB)
        self.names = token_names(self.vocabulary, VOCAB)
        self.ids = {name: number for number, name in enumerate(self.names)}

    def decoder(self, ours: nn.Module | None = None, kind: str = "float32") -> Any:
        assert ours is not None, "it has no weights of its own"
        folder, both = EXPORTED / kind, Vocabularies(self.vocabulary, self.vocabulary)
        shutil.rmtree(folder, ignore_errors=True)
        export(ours, both, folder, quantization=kind)
        threads = torch.get_num_threads()
        return ctranslate2.Translator(str(folder), compute_type=kind, inter_threads=1, intra_threads=threads)

    def answers(self, model: Any, src: Tensor, beam: int) -> Sequence[Sequence[int]]:
        sources = [[self.names[token] for token in row[:-1]] for row in src.tolist()]  # it adds </s> itself
        length = src.size(1)
        results = model.translate_batch(
            sources, beam_size=beam, max_decoding_length=length, min_decoding_length=length, max_input_length=0
        )
        return [[self.ids[name] for name in result.hypotheses[0]] for result in results]


PEER = CTranslate2()
