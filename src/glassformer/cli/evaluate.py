"""`glassformer evaluate`: a trained model's scores, with their signatures."""

import json
from typing import Annotated, Literal

import typer

from glassformer.cli.common import (
    AsJson,
    DataDir,
    Device,
    Model,
    Threads,
    err,
    open_data,
    open_model,
    out,
    print_json,
    use_machine,
)
from glassformer.cli.engines import Quantize
from glassformer.errors import UserError


def evaluate(
    model: Model,
    data: Annotated[str | None, typer.Option(help="A named data set. Default: the one it was trained on.")] = None,
    split: Annotated[Literal["test", "valid"], typer.Option(help="Which part of it to score.")] = "test",
    data_dir: DataDir = None,
    scores: Annotated[
        str | None,
        typer.Option(
            help="Names, with commas: bleu,chrf,ter,exact,per,wer; bleu-moses-de (-en, -fr) beside old papers."
        ),
    ] = None,
    beam: Annotated[int | None, typer.Option(help="Hypotheses kept while searching; 1 is greedy.", min=1)] = None,
    length_penalty: Annotated[float | None, typer.Option(help="The paper's alpha.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many sentences.", min=1)] = None,
    quantize: Quantize = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Score even though the model saw another split.")] = False,
    as_json: AsJson = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Score a model on held-out data.

    The same data split in another way is refused: the model may have been trained on these sentences.
    """
    machine = use_machine(device, threads)
    from glassformer.data import check_same_split
    from glassformer.decode import DecodingConfig
    from glassformer.decode.quantize import quantize as quantized
    from glassformer.runs.scoring import score_model

    loaded = open_model(model, machine)
    name = data or loaded.config.run.get("data")
    if name is None:
        raise UserError("this model does not say what it was trained on: name the data with --data NAME.")
    dataset = open_data(name, data_dir)
    if not anyway:
        check_same_split(loaded.config.data, dataset.identity)
    trained = loaded.config.data
    if trained.get("name") == dataset.name and trained.get("sha256") != dataset.identity.get("sha256"):
        err.print("[yellow]note:[/] these data are another copy than the model's: the score may differ for that alone.")
    pairs = (dataset.test_references() if split == "test" else dataset.valid_references())[:limit]
    given = {"beam": beam, "length_penalty": length_penalty}
    decoding = DecodingConfig.from_dict(
        loaded.config.decoding | {key: value for key, value in given.items() if value is not None}
    )
    names = scores.split(",") if scores else dataset.metrics
    network = quantized(loaded.model, quantize) if quantize else loaded.model
    found = score_model(network, loaded.vocabularies, pairs, names, decoding)
    if as_json:
        listed = [{"name": score.name, "value": score.value, "signature": score.signature} for score in found]
        print_json({"data": dataset.identity, "split": split, "sentences": len(pairs), "scores": listed})
        return
    err.print(f"{name}, {split}: {len(pairs)} sentences, beam {decoding.beam}")
    for score in found:
        out.print(f"{score.name}\t{score.value:.2f}\t{score.signature}", markup=False)
    if dataset.attribution:
        out.print(f"credit\t{dataset.attribution}", markup=False)
    out.print(f"data\t{json.dumps(dataset.identity, ensure_ascii=False)}", markup=False)
