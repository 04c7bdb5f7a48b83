"""One implementation alone in a process: how long it takes to start, and how much memory some work takes.

python -m benchmarks.alone PEER start|step|decode [--threads N] [--tokens N]
"""

import argparse
import importlib
import json

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
    works = exported(options.threads) if options.peer == "ctranslate2" else with_torch(options)
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


def exported(threads: int) -> dict[str, Work]:
    """The same of CTranslate2, which needs neither torch nor us to decode a model that was exported before."""
    from benchmarks.exported import answers, open_model

    open_model("float32", threads)
    words = [[f"word{sentence * LENGTH + place}" for place in range(LENGTH - 1)] for sentence in range(DECODED)]
    return {"start": lambda: None, "decode": lambda: answers("float32", words, LENGTH, 1)}


if __name__ == "__main__":
    main()
