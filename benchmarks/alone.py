"""One implementation alone in a process: how long it takes to start, and how much memory some work takes.

python -m benchmarks.alone PEER start|step|decode [--threads N] [--tokens N]
"""

import argparse
import importlib
import json
from pathlib import Path

from benchmarks.environments import EXPORTED
from benchmarks.measuring import Work, clock_for, peak_memory
from benchmarks.sizes import DROPOUT, LENGTH, RATE, sources, targets

DECODED = 128  # sentences


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", help="a module of benchmarks/peers; ours is called glassformer")
    parser.add_argument("work", choices=("start", "step", "decode"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=4096)
    options = parser.parse_args()
    clock = clock_for(options.threads)
    begin = clock()
    works = exported(EXPORTED / "float32", options.threads) if options.peer == "ctranslate2" else with_torch(options)
    started = clock() - begin
    works[options.work]()
    print(json.dumps({"seconds": started, "bytes": peak_memory()}))


def with_torch(options: argparse.Namespace) -> dict[str, Work]:
    """What there is to do, with a model at hand."""
    import torch

    torch.set_num_threads(options.threads)
    peer = importlib.import_module(f"benchmarks.peers.{options.peer}").PEER
    model = peer.decoder()

    def step() -> None:
        training, sentences = peer.training(DROPOUT, "float32"), options.tokens // LENGTH
        for _ in range(3):
            training.step(sources(sentences, LENGTH), targets(sentences, LENGTH), RATE)

    return {"start": lambda: None, "step": step, "decode": lambda: peer.answers(model, sources(DECODED, LENGTH), 1)}


def exported(folder: Path, threads: int) -> dict[str, Work]:
    """The same of CTranslate2, which needs neither torch nor us to decode a model that was exported before."""
    import ctranslate2

    translator = ctranslate2.Translator(str(folder), compute_type="float32", inter_threads=1, intra_threads=threads)
    words = [[f"word{sentence * LENGTH + place}" for place in range(LENGTH - 1)] for sentence in range(DECODED)]
    forced = dict(max_decoding_length=LENGTH, min_decoding_length=LENGTH, max_input_length=0)
    return {"start": lambda: None, "decode": lambda: translator.translate_batch(words, beam_size=1, **forced)}


if __name__ == "__main__":
    main()
