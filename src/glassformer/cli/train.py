"""`glassformer train`: a named run, or your own two files, from text to a scored model."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from glassformer.cli.common import (
    Command,
    DataDir,
    Device,
    InJsonl,
    InTsv,
    Src,
    Threads,
    Trg,
    duration,
    err,
    out,
    own_pairs,
    plain_warnings,
    reading_bar,
    use_machine,
)
from glassformer.errors import UserError, unknown_name

if TYPE_CHECKING:
    import torch

    from glassformer.data import DataSet
    from glassformer.runs.experiment import Experiment
    from glassformer.runs.recipe import Recipe

SETTINGS = "glassformer.settings"
RUNS_HELP = (
    "pronounce-demo (five minutes), pronounce, reverse, copy, sort; tatoeba-en-fr (or fr-en, en-de, de-en); "
    "multi30k-de-en (or en-de, en-fr), multi30k-de-en-long (or en-de); pronasyl (its data are not downloaded: "
    "--data-dir); reverse-honest, reverse-cheating (without the look-ahead mask)"
)


class TrainCommand(Command):
    """A command that also takes the settings of a run, `--name value` or `--name=value`, which only the run knows."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Set aside the options that are not the command's own; typer reads the rest."""
        known = {option for parameter in self.params for option in parameter.opts} | set(ctx.help_option_names)
        settings: dict[str, str] = ctx.meta.setdefault(SETTINGS, {})
        own, rest = [], list(args)
        while rest:
            word = rest.pop(0)
            name, equals, value = word.partition("=")
            if not word.startswith("--") or name in known:
                own.append(word)
                continue
            check_option(name, known)
            if not equals:
                if not rest or rest[0].startswith("--"):
                    raise UserError(f"{name} needs a value, as in {name} 1.")
                value = rest.pop(0)
            settings[name.removeprefix("--")] = value
        return super().parse_args(ctx, own)


def check_option(name: str, own: set[str]) -> None:
    """Raise UserError, with near names, unless `name` is a setting; `own` are the options of the command itself."""
    from glassformer.runs import named, recipe

    names = {f"--{setting.replace('_', '-')}" for setting in recipe.settings(named.named_recipe("files"))}
    if name.replace("_", "-") not in names:
        raise unknown_name("option", name, names | {option for option in own if option.startswith("--")})


def train(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help=f"A named run: {RUNS_HELP}; or 'files' with --src and --trg.")] = "files",
    src: Src = None,
    trg: Trg = None,
    valid_src: Annotated[Path | None, typer.Option(help="Held-out source sentences. Default: a part of --src.")] = None,
    valid_trg: Annotated[Path | None, typer.Option(help="Their translations.")] = None,
    tsv: InTsv = None,
    jsonl: InJsonl = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Where checkpoints and the model go. Default: runs/RUN.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run in --out stopped, to the bit.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show sizes, memory, time and every setting; train nothing.")
    ] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also log for TensorBoard (an extra).")] = False,
    data_dir: DataDir = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Train a Transformer, with checkpoints, scores as they come, and an exact resume.

    Every setting of a run is an option too, by its own name: --embed-size 256 --dropout 0.2 --max-minutes 10 ...
    `--dry-run` lists them all with their values. --keep-for-look 20 keeps that many models from start to end, to be
    looked at one after the other.

    To watch what a classic mistake does: `glassformer train reverse --fault no-look-ahead`, or scale-missing,
    heads-merged-without-transpose, positions-ignored, layer-norm-over-time, cache-keeps-nothing ... A name that is
    not known is answered with near ones.
    """
    machine = use_machine(device, threads)
    from glassformer.checkpoint import newest_good
    from glassformer.data.download import cache_folder
    from glassformer.runs import experiment, named, recipe
    from glassformer.train.distributed import restarted

    files = your_files(src, trg, valid_src, valid_trg, tsv, jsonl)
    if (files is not None) != (run == "files"):
        raise UserError("name a run (glassformer train pronounce), or give your own files: --src FILE --trg FILE.")
    place = folder or Path("runs") / run
    resume = resume or (restarted() and newest_good(place / "checkpoints") is not None)
    if not (resume or dry_run) and any((place / "checkpoints").glob("step-*")):
        raise UserError(
            f"{place} holds a run already. --resume goes on with it; --out FOLDER starts another beside it."
        )
    chosen = recipe.changed(saved_recipe(place, run) if resume else named.named_recipe(run), context.meta[SETTINGS])
    with reading_bar() as progress:
        prepared = experiment.prepare(
            chosen, cache_folder=cache_folder() / "encoded", data_dir=data_dir, dataset=files, progress=progress
        )
    counts = prepared.train_pairs.counts
    empty_lines = prepared.dataset.identity.get("texts", {}).get("train", {}).get("dropped_empty", 0)
    err.print(
        f"data: {prepared.dataset.name}, {counts.kept:,} pairs, {counts.src_tokens:,} source and {counts.trg_tokens:,} "
        f"target tokens; dropped: {empty_lines + counts.dropped_empty:,} empty, {counts.dropped_long:,} too long",
        style="dim",
    )
    if dry_run:
        show_plan(prepared, machine)
    else:
        run_training(prepared, place, machine, resume=resume, tensorboard=tensorboard)


def your_files(
    src: Path | None,
    trg: Path | None,
    valid_src: Path | None,
    valid_trg: Path | None,
    tsv: Path | None,
    jsonl: Path | None,
) -> "DataSet | None":
    """The data set of the user's own files; None where a named run is meant."""
    from glassformer.data import TwoFiles, from_sources

    if bool(valid_src) != bool(valid_trg):
        raise UserError("--valid-src and --valid-trg go together.")
    text = own_pairs(src, trg, tsv, jsonl)
    if text is None:
        return None
    return from_sources(text, TwoFiles(valid_src, valid_trg) if valid_src and valid_trg else None)


def saved_recipe(place: Path, run: str) -> "Recipe":
    """The recipe of the run that is to go on; UserError where another one than `run` lives in this place."""
    from glassformer.checkpoint import newest_good, read_config
    from glassformer.runs.recipe import from_dict

    with plain_warnings():
        newest = newest_good(place / "checkpoints")
    if newest is None:
        raise UserError(f"{place} holds no checkpoint to resume. Leave out --resume to start, or name it with --out.")
    saved = from_dict(read_config(newest).run)
    if saved.name != run:
        name, asked = ("your own files" if each == "files" else each for each in (saved.name, run))
        raise UserError(f"{place} holds a run of {name}, not of {asked}. Name that one, or its own folder with --out.")
    return saved


def show_plan(prepared: "Experiment", machine: "torch.device") -> None:
    """The dry run: what it would cost, and every setting with its value."""
    from glassformer.runs.plan import plan
    from glassformer.runs.recipe import settings

    cost = plan(prepared, machine)
    src, trg = prepared.vocabularies
    out.print(f"parameters           {cost.parameters:,}")
    out.print(f"vocabularies         {len(src):,} source, {len(trg):,} target{', shared' if src is trg else ''}")
    out.print(f"tokens per epoch     {cost.trg_tokens_per_epoch:,} target tokens, {cost.steps_per_epoch:,} steps")
    out.print(f"memory               about {cost.memory_bytes / 2**20:,.0f} MiB beside PyTorch itself")
    out.print(f"time                 about {duration(cost.seconds)} for at most {cost.steps:,} steps (rough)")
    out.print("\nsettings, each an option of its own:")
    for name, value in settings(prepared.recipe).items():
        out.print(f"  --{name.replace('_', '-'):<34}{value}", markup=False)


def run_training(
    prepared: "Experiment", place: Path, machine: "torch.device", *, resume: bool, tensorboard: bool
) -> None:
    """Train, and leave with the exit code of what stopped it."""
    from glassformer.cli.progress import TrainingBar
    from glassformer.train import Callback

    callbacks: list[Callback] = [TrainingBar(err)]
    if tensorboard:
        from glassformer.train.tensorboard import TensorBoard

        callbacks.append(TensorBoard(place / "tensorboard"))
    trainer = prepared.trainer(place, machine, callbacks)
    if resume:
        with plain_warnings():
            trainer.resume()
    reason = trainer.train()
    err.print(escape(reason.message))
    sys.exit(reason.exit_code)
