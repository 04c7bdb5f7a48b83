"""`glassformer translate`: text in, text out, from a trained model."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO

import typer

from glassformer.cli.common import AsJson, Device, Model, Threads, err, open_model, reading_bar, use_machine
from glassformer.cli.engines import Beam, Engine, LengthPenalty, Quantize, show_fastest, translated
from glassformer.errors import UserError

if TYPE_CHECKING:
    from glassformer.decode import Translation, Translator

BLOCK = 512  # lines read before the first answer: enough to batch by length, little enough for constant memory


def translate(
    model: Model,
    source: Annotated[
        Path | None, typer.Option("--input", "-i", help="A text file, one sentence a line. Default: standard input.")
    ] = None,
    target: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the answers go. Default: standard output.")
    ] = None,
    beam: Beam = None,
    length_penalty: LengthPenalty = None,
    n_best: Annotated[
        int | None,
        typer.Option(help="Answers for each sentence, at most --beam: a line each, of rank TAB score TAB text.", min=1),
    ] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Draw answers at random instead of searching.")] = False,
    temperature: Annotated[float | None, typer.Option(help="With --sample: below 1 safer, above 1 bolder.")] = None,
    top_k: Annotated[int | None, typer.Option(help="With --sample: among the k likeliest tokens only.")] = None,
    top_p: Annotated[
        float | None, typer.Option(help="With --sample: among the likeliest tokens that hold this share.")
    ] = None,
    min_p: Annotated[
        float | None, typer.Option(help="With --sample: among tokens at least this likely beside the likeliest.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="With --sample: the same seed draws the same answers.")] = None,
    stream: Annotated[bool, typer.Option("--stream", help="Show each answer while it is being written.")] = False,
    engine: Annotated[
        Literal["built-in", "ctranslate2"],
        typer.Option(
            help="What searches: this package, or the library CTranslate2 on an exported copy (CPU, no sampling; extra "
            "exchange): the same greedy answers; beams were the same too, which is measured, not proven."
        ),
    ] = "built-in",
    quantize: Quantize = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Processes that share the lines; --threads is then for each. Two processes of one thread are mostly "
            "faster than one of two threads: --dry-run measures it on your text.",
            min=1,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Translate nothing: measure which --workers and --threads are fastest.")
    ] = False,
    as_json: AsJson = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Translate line by line: typed at a prompt, through a pipe, or from file to file.

    An empty line stays an empty line, so line i of the answer belongs to line i of the text.
    """
    machine = use_machine(device, threads, processes=workers or 1)
    from glassformer.decode import DecodingConfig
    from glassformer.decode.sample import fresh_seed

    if stream and (as_json or n_best or workers or engine != "built-in"):
        raise UserError("--stream writes one answer as it comes: leave out --json, --n-best, --workers and --engine.")
    drawing = dict(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, seed=seed)
    if not sample and (unused := [name for name, value in drawing.items() if value is not None]):
        raise UserError(f"--{unused[0].replace('_', '-')} is for drawing answers at random: add --sample.")
    given = drawing | dict(
        beam=beam or (1 if stream else None), length_penalty=length_penalty, n_best=n_best, sample=sample or None
    )
    chosen = {name: value for name, value in given.items() if value is not None}
    loaded = open_model(model, machine)
    saved = loaded.config.decoding
    if n_best and not beam:
        chosen["beam"] = max(n_best, saved.get("beam", 1))
    decoding = DecodingConfig.from_dict(saved | chosen)
    if workers and decoding.sample and decoding.seed is None:
        decoding = replace(decoding, seed=fresh_seed())
    maker = Engine(model, str(machine), decoding, engine, quantize)
    if source is None and target is None and sys.stdin.isatty() and not dry_run:
        converse(maker.built_in(loaded) if stream else maker.translator(loaded), stream, as_json)
        return
    with open_text(source) if source else nullcontext(standard_input()) as lines:
        if dry_run:
            show_fastest(maker, list(islice(stripped(lines), BLOCK)))
            return
        with open_answers(target, source) if target else nullcontext(sys.stdout) as answers:
            if stream:
                translator = maker.built_in(loaded)
                for place, line in enumerate(stripped(lines)):
                    stream_line(translator, line, answers, place)
                return
            several, done = decoding.n_best > 1, 0
            total = count_lines(source) if source and target and err.is_terminal else None
            with reading_bar() if target else nullcontext() as progress:
                for texts, found in translated(maker, loaded, blocks(stripped(lines), BLOCK * (workers or 1)), workers):
                    print_answers(texts, found, answers, as_json, several)
                    done += len(texts)
                    if progress:
                        progress("lines translated", done, total)


def count_lines(path: Path) -> int | None:
    """How many lines a file has; None for a pipe, which can be read only once."""
    if not path.is_file():
        return None
    with path.open("rb") as lines:
        return sum(1 for _ in lines)


def standard_input() -> TextIO:
    """Read as a file of --input is: UTF-8, whatever the terminal's."""
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="strict", newline="\n")
    return sys.stdin


def open_text(path: Path) -> TextIO:
    try:
        return open(path, encoding="utf-8-sig", newline="\n")
    except OSError as error:
        raise UserError(f"--input {path} cannot be read: {error.strerror}.") from error


def open_answers(path: Path, source: Path | None) -> TextIO:
    try:
        if source and path.exists() and path.samefile(source):
            raise UserError(f"--output {path} is the text to translate: it would be lost. Name another file.")
        return open(path, "w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise UserError(f"--output {path} cannot be written: {error.strerror}.") from error


def stripped(lines: Iterable[str]) -> Iterator[str]:
    """Lines without their ends; UserError where the bytes are not UTF-8."""
    number = 0
    try:
        for number, line in enumerate(lines, start=1):  # noqa: B007  the error below says where
            yield line.removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise UserError(f"line {number + 1} or one soon after it is not UTF-8 text: {error.reason}.") from error


def blocks(lines: Iterator[str], size: int) -> Iterator[list[str]]:
    while block := list(islice(lines, size)):
        yield block


def print_answers(
    texts: list[str], answered: "list[list[Translation]]", answers: TextIO, as_json: bool, several: bool
) -> None:
    """One line for each text; where there are `several` one for each hypothesis."""
    for text, found in zip(texts, answered, strict=True):
        if as_json:
            hypotheses = [{"text": h.text, "score": h.score, "log_prob": h.log_prob} for h in found]
            print(json.dumps({"source": text, "hypotheses": hypotheses}, ensure_ascii=False), file=answers)
        elif several:
            for rank, hypothesis in enumerate(found, start=1):
                print(f"{rank}\t{hypothesis.score:.4f}\t{one_line(hypothesis.text)}", file=answers)
        else:
            print(one_line(found[0].text), file=answers)
    answers.flush()


def one_line(text: str) -> str:
    """A text without the ends of lines, which a model of bytes may write."""
    return text.replace("\r", " ").replace("\n", " ")


def stream_line(translator: "Translator", text: str, answers: TextIO, place: int = 0) -> None:
    """The answer token by token, each piece as soon as it is known."""
    for piece in translator.stream(text, place):
        answers.write(one_line(piece))
        answers.flush()
    answers.write("\n")


def converse(translator: Any, stream: bool, as_json: bool) -> None:
    """A prompt until Ctrl-D."""
    err.print("One sentence a line; Ctrl-D ends.", style="dim")
    prompt = "> " if sys.stdout.isatty() else ""  # input() would write it among the answers
    while True:
        try:
            text = input(prompt)
        except EOFError:
            return
        try:
            if stream:
                stream_line(translator, text, sys.stdout)
            else:
                several = translator.config.n_best > 1
                print_answers([text], translator.hypotheses([text]), sys.stdout, as_json, several)
        except UserError as error:
            err.print(str(error), style="red", markup=False)
