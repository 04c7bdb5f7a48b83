"""CTranslate2, which only decodes: our model, exported, in a process of its own."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

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
        "It only decodes, in a process without torch beside ours: in one, the two thread pools hinder each other.",
        "In int8 the two round differently: speeds are compared, not answers. Without VNNI its own change many.",
    )
    trains = False
    kinds = ("float32", "int8")

    def __init__(self) -> None:
        symbols = " ".join(f"word{number}" for number in range(VOCAB - 4))
        self.vocabulary = Vocabulary.train([symbols], kind="symbols", size=VOCAB)
        self.names = token_names(self.vocabulary, VOCAB)
        self.ids = {name: number for number, name in enumerate(self.names)}
        command = [sys.executable, "-m", "benchmarks.exported"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def decoder(self, ours: nn.Module | None = None, kind: str = "float32") -> str:
        assert ours is not None, "it has no weights of its own"
        folder, both = EXPORTED / kind, Vocabularies(self.vocabulary, self.vocabulary)
        shutil.rmtree(folder, ignore_errors=True)
        export(ours, both, folder, quantization=kind)
        self.ask("open_model", kind, torch.get_num_threads())
        return kind

    def answers(self, model: str, src: Tensor, beam: int) -> Sequence[Sequence[int]]:
        sources = [[self.names[token] for token in row[:-1]] for row in src.tolist()]  # it adds </s> itself
        found = self.ask("answers", model, sources, src.size(1), beam)
        return [[self.ids[name] for name in answer] for answer in found]

    def cpu_time(self) -> float:
        return super().cpu_time() + self.ask("cpu_time")

    def ask(self, call: str, *arguments: Any) -> Any:
        """What a call gives in the other process."""
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps([call, *arguments]), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())


PEER = CTranslate2()
