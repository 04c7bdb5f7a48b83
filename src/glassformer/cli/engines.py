"""What `translate` searches with: the engine, its weights, and the processes that share the work."""

import warnings
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from glassformer.cli.common import cores, out
from glassformer.errors import UserError

if TYPE_CHECKING:
    from glassformer.checkpoint import Loaded
    from glassformer.decode import DecodingConfig, Translation, Translator
    from glassformer.exchange.engine import CTranslate2Translator

    AnyTranslator = Translator | CTranslate2Translator

Beam = Annotated[
    int | None, typer.Option(help="Hypotheses kept while searching; 1 is greedy. Default: the model's own.", min=1)
]
LengthPenalty = Annotated[
    float | None,
    typer.Option(help="The paper's alpha: 0 favours short answers, 1 long ones. Default: the model's own."),
]
Quantize = Annotated[
    Literal["int8", "bfloat16"] | None,
    typer.Option(help="Compute with rounded weights: less memory, faster on some machines; answers may change."),
]


@dataclass(frozen=True)
class Engine:
    """How a translator is made, in this process or in a worker's: calling it makes one."""

    model: str
    device: str
    decoding: "DecodingConfig"
    library: str  # built-in or ctranslate2
    quantize: Literal["int8", "bfloat16"] | None

    def __call__(self) -> "AnyTranslator":
        import torch

        from glassformer.checkpoint import load

        with warnings.catch_warnings():  # said already, by the process that asks
            warnings.simplefilter("ignore", UserWarning)
            return self.translator(load(self.model, device=torch.device(self.device)))

    def translator(self, loaded: "Loaded") -> "AnyTranslator":
        import torch

        if self.library == "ctranslate2":
            from glassformer.exchange.engine import CTranslate2Translator

            if self.quantize == "bfloat16":
                raise UserError("--engine ctranslate2 goes with --quantize int8 or with none on a CPU, not bfloat16.")
            return CTranslate2Translator(
                loaded.model, loaded.vocabularies, self.decoding,
                int8=self.quantize == "int8", workers=torch.get_num_threads(), token_log_probs=False,
            )  # fmt: skip
        return self.built_in(loaded)

    def built_in(self, loaded: "Loaded") -> "Translator":
        from glassformer.decode import Translator
        from glassformer.decode.quantize import quantize

        model = quantize(loaded.model, self.quantize) if self.quantize else loaded.model
        return Translator(model, loaded.vocabularies, self.decoding)


def translated(
    engine: Engine, loaded: "Loaded", texts: Iterator[list[str]], workers: int | None
) -> "Iterator[tuple[list[str], list[list[Translation]]]]":
    """Blocks of texts with their answers, in order; by so many processes, which share each block, or by this one."""
    if workers is None:
        translator, first = engine.translator(loaded), 0
        for block in texts:
            yield block, translator.hypotheses(block, first)
            first += len(block)
        return
    import torch

    from glassformer.decode.workers import Workers

    asked: deque[list[str]] = deque()

    def noted() -> Iterator[list[str]]:
        for block in texts:
            share = -(-len(block) // workers)
            for start in range(0, len(block), share):
                asked.append(block[start : start + share])
                yield asked[-1]

    with Workers(engine, workers, torch.get_num_threads()) as pool:
        for found in pool.hypotheses(noted()):
            yield asked.popleft(), found


def show_fastest(engine: Engine, texts: list[str]) -> None:
    """The dry run: sentences a second of each way to use the cores, on the first lines of the text."""
    from rich.table import Table

    from glassformer.decode.workers import fastest

    if not texts:
        raise UserError("--dry-run measures on your text, and there is none: give --input FILE or a pipe.")
    table = Table("workers", "threads of each", "sentences a second", box=None, header_style="dim", pad_edge=False)
    measured = fastest(engine, texts, cores())
    for (number, each), speed in measured.items():
        table.add_row(str(number), str(each), f"{speed:,.1f}")
    out.print(table)
    number, each = next(iter(measured))
    out.print(f"\nfastest on these {len(texts)} lines: --workers {number} --threads {each}")
