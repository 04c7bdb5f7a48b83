"""One implementation alone in a process: how long it takes to start, and how much memory some work takes.

python -m benchmarks.alone PEER start|step|decode [--threads N] [--tokens N]
"""

import argparse
import importlib
import json

from benchmarks.measuring import clock_for, peak_memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", help="a module of benchmarks/peers; ours is called glassformer")
    parser.add_argument("work", choices=("start", "step", "decode"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=4096)
    options = parser.parse_args()
    clock = clock_for(options.threads)
    begin = clock()
    import torch

    torch.set_num_threads(options.threads)
    peer = importlib.import_module(f"benchmarks.peers.{options.peer}").PEER
    model = peer.decoder()
    started = clock() - begin
    from benchmarks import sizes

    if options.work == "step":
        training, sentences = peer.training(sizes.DROPOUT, "float32"), options.tokens // sizes.LENGTH
        for _ in range(3):
            training.step(sizes.sources(sentences, sizes.LENGTH), sizes.targets(sentences, sizes.LENGTH), sizes.RATE)
    elif options.work == "decode":
        peer.answers(model, sizes.sources(128, sizes.LENGTH), 1)
    print(json.dumps({"seconds": started, "bytes": peak_memory()}))


if __name__ == "__main__":
    main()
