"""Our model as CTranslate2 decodes it: in a process without torch, as its own users would.

Nothing here imports torch: with both in one process, their thread pools hinder each other.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import ctranslate2

from benchmarks.environments import EXPORTED

_opened: dict[str, ctranslate2.Translator] = {}


def open_model(kind: str, threads: int) -> None:
    """The model that was exported in numbers of this kind."""
    _opened[kind] = ctranslate2.Translator(
        str(EXPORTED / kind), compute_type=kind, inter_threads=1, intra_threads=threads
    )


def answers(kind: str, sources: Sequence[Sequence[str]], length: int, beam: int) -> list[list[str]]:
    """The best answer to each source, which has no </s>, exactly so long."""
    results = _opened[kind].translate_batch(
        sources, beam_size=beam, max_decoding_length=length, min_decoding_length=length, max_input_length=0
    )
    return [result.hypotheses[0] for result in results]


CALLS: dict[str, Callable[..., Any]] = {"open_model": open_model, "answers": answers, "cpu_time": time.process_time}


def main() -> None:
    """Serve another process: in each line a call with its arguments, for each a line with what it gave; JSON."""
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(CALLS[name](*arguments)), flush=True)


if __name__ == "__main__":
    main()
