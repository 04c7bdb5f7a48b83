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

Quantize = Annotated[
    Literal["int8", "bfloat16"] | None,
    typer.Option(help="Compute with rounded weights: less memory, faster on some machines; answers may change."),
]


@dataclass(frozen=True)
class Setting:
    """How a translator is made, in this process or in a worker's: calling it makes one."""

    model: str
    device: str
    decoding: "DecodingConfig"
    engine: str
    quantize: Literal["int8", "bfloat16"] | None
    threads: int

    def __call__(self) -> "AnyTranslator":
        import torch

        from glassformer.checkpoint import load

        with warnings.catch_warnings():  # said already, by the process that asks
            warnings.simplefilter("ignore", UserWarning)
            return self.translator(load(self.model, device=torch.device(self.device)))

    def translator(self, loaded: "Loaded") -> "AnyTranslator":
        if self.engine == "ctranslate2":
            from glassformer.exchange.engine import CTranslate2Translator

            if self.quantize == "bfloat16":
                raise UserError("--engine ctranslate2 goes with --quantize int8 or with none on a CPU, not bfloat16.")
            return CTranslate2Translator(
                loaded.model, loaded.vocabularies, self.decoding,
                int8=self.quantize == "int8", workers=self.threads, threads=1,
            )  # fmt: skip
        return self.built_in(loaded)

    def built_in(self, loaded: "Loaded") -> "Translator":
        from glassformer.decode import Translator
        from glassformer.decode.quantize import quantize

        model = quantize(loaded.model, self.quantize) if self.quantize else loaded.model
        return Translator(model, loaded.vocabularies, self.decoding)


def translated(
    setting: Setting, loaded: "Loaded", texts: Iterator[list[str]], workers: int | None
) -> "Iterator[tuple[list[str], list[list[Translation]]]]":
    """Each block of texts with its answers, in order; by so many processes, or by this one."""
    if workers is None:
        translator, first = setting.translator(loaded), 0
        for block in texts:
            yield block, translator.hypotheses(block, first)
            first += len(block)
        return
    from glassformer.decode.workers import Workers

    asked: deque[list[str]] = deque()

    def noted() -> Iterator[list[str]]:
        for block in texts:
            asked.append(block)
            yield block

    with Workers(setting, workers, setting.threads) as pool:
        for found in pool.hypotheses(noted()):
            yield asked.popleft(), found


def show_fastest(setting: Setting, texts: list[str]) -> None:
    """The dry run: sentences a second of each way to use the cores, on the first lines of the text."""
    from rich.table import Table

    from glassformer.decode.workers import fastest

    if not texts:
        raise UserError("--dry-run measures on your text, and there is none: give --input FILE or a pipe.")
    table = Table("workers", "threads of each", "sentences a second", box=None, header_style="dim", pad_edge=False)
    measured = fastest(setting, texts, cores())
    for (number, each), speed in measured.items():
        table.add_row(str(number), str(each), f"{speed:,.1f}")
    out.print(table)
    number, each = next(iter(measured))
    out.print(f"\nfastest on these {len(texts)} lines: --workers {number} --threads {each}")
