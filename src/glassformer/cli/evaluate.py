"""`glassformer evaluate`: a trained model's scores, with their signatures."""

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from glassformer.cli.common import (
    AsJson,
    DataDir,
    Device,
    InJsonl,
    InTsv,
    Model,
    Src,
    Threads,
    Trg,
    err,
    open_data,
    open_model,
    out,
    own_pairs,
    print_json,
    reading_bar,
    use_machine,
)
from glassformer.cli.engines import Beam, LengthPenalty, Quantize
from glassformer.errors import UserError

if TYPE_CHECKING:
    from glassformer.checkpoint import Config


def evaluate(
    model: Model,
    src: Src = None,
    trg: Trg = None,
    tsv: InTsv = None,
    jsonl: InJsonl = None,
    data: Annotated[
        str | None, typer.Option(help="Or a named data set. Default: the one the model was trained on.")
    ] = None,
    split: Annotated[Literal["test", "valid"], typer.Option(help="Which part of it to score.")] = "test",
    data_dir: DataDir = None,
    scores: Annotated[
        str | None,
        typer.Option(
            help="Names, with commas: bleu,chrf,ter,exact,per,wer; bleu-moses-de (-en, -fr) beside old papers."
        ),
    ] = None,
    beam: Beam = None,
    length_penalty: LengthPenalty = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many sentences.", min=1)] = None,
    quantize: Quantize = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Score even though the model saw another split.")] = False,
    as_json: AsJson = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Score a model on held-out data: the test part of what it was trained on, another data set, or your own text.

    The same data split in another way is refused, and so is the text it was trained on: it has seen these sentences.
    """
    machine = use_machine(device, threads)
    from glassformer.data import check_same_split, only_test
    from glassformer.decode import DecodingConfig
    from glassformer.decode.quantize import quantize as quantized
    from glassformer.runs.scoring import score_model

    loaded = open_model(model, machine)
    text, trained = own_pairs(src, trg, tsv, jsonl), loaded.config.data
    if text:
        if data or split != "test":
            raise UserError("--data and --split choose a part of a named data set; your own files are scored whole.")
        dataset = only_test(text)
    else:
        dataset = open_data(data or trained_on(loaded.config), data_dir)
    if not anyway:
        check_same_split(trained, dataset.identity)
    if trained.get("name") == dataset.name and trained.get("sha256") != dataset.identity.get("sha256"):
        err.print("[yellow]note:[/] these data are another copy than the model's: the score may differ for that alone.")
    pairs = (dataset.test_references() if split == "test" else dataset.valid_references())[:limit]
    given = {"beam": beam, "length_penalty": length_penalty}
    decoding = DecodingConfig.from_dict(
        loaded.config.decoding | {key: value for key, value in given.items() if value is not None}
    )
    names = [name.strip() for name in scores.split(",")] if scores else dataset.metrics
    network = quantized(loaded.model, quantize) if quantize else loaded.model
    with reading_bar() as progress:
        found = score_model(network, loaded.vocabularies, pairs, names, decoding, progress)
    if as_json:
        listed = [{"name": score.name, "value": score.value, "signature": score.signature} for score in found]
        print_json({"data": dataset.identity, "split": split, "sentences": len(pairs), "scores": listed})
        return
    err.print(f"{dataset.name}, {split}: {len(pairs)} sentences, beam {decoding.beam}")
    for score in found:
        out.print(f"{score.name}\t{score.value:.2f}\t{score.signature}", markup=False)
    if dataset.attribution:
        out.print(f"credit\t{dataset.attribution}", markup=False)
    out.print(f"data\t{json.dumps(dataset.identity, ensure_ascii=False)}", markup=False)


def trained_on(config: "Config") -> str:
    """The named data set that a model was trained on."""
    name = config.run.get("data")
    if name is None:
        raise UserError("this model does not say what it was trained on: name the data with --data NAME.")
    if name == "files":
        raise UserError("this model was trained on your own files: give the text to score, --src FILE --trg FILE.")
    return str(name)
