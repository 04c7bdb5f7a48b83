"""`glassformer demo`: from nothing to a trained Transformer that one can look into."""

import os
import random
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from glassformer.cli.common import Device, Threads, err, open_model, out, use_machine

if TYPE_CHECKING:
    from glassformer.checkpoint import Loaded
    from glassformer.runs.experiment import Experiment

WORD = "attention"
KEPT_FOR_LOOK = 5  # models over the training, for the time slider of the page
SHOWN = ("src_mask", "memory", "trg_mask", "decoder.layers.*.cross_attention.*", "decoded", "logits")
SCORE_NAMES = {"per": "phonemes wrong (PER)", "wer": "words not wholly right (WER)"}


def demo(
    minutes: Annotated[float, typer.Option(help="How long to train at most.", min=0.05)] = 5.0,
    folder: Annotated[Path, typer.Option("--out", help="Where the run goes.")] = Path("runs/demo"),
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Train a Transformer to pronounce English in five minutes on two cores, then open it up.

    The data is the CMU Pronouncing Dictionary inside this package; nothing is downloaded. At the end: the error
    on words it never saw, ten of them beside the dictionary's answer, the shapes of its tensors, its masks,
    where it looks while it speaks, and a page on which every number of it can be seen.
    """
    machine = use_machine(device, threads)
    from glassformer.cli.progress import TrainingBar
    from glassformer.data.download import cache_folder
    from glassformer.model import transformer
    from glassformer.runs import experiment, named, recipe

    chosen = recipe.changed(named.pronounce_demo(), {"max_minutes": minutes, "keep_for_look": KEPT_FOR_LOOK})
    prepared = experiment.prepare(chosen, cache_folder=cache_folder() / "encoded")
    heading("1. Learning to pronounce English")
    out.print(
        f"{len(prepared.train_pairs):,} pronunciations to learn from; {len(prepared.dataset.test_references()):,} "
        'words held out. A word goes in letter by letter ("h e l l o"), its sounds come out in turn ("HH AH L OW").\n'
    )
    place = unused(folder)
    reason = prepared.trainer(place, machine, [TrainingBar(err)]).train()
    if reason.exit_code:
        err.print(escape(reason.message))
        sys.exit(reason.exit_code)
    loaded = open_model(place / "model", machine)
    show_scores(prepared, loaded)
    look_inside(loaded)
    heading("5. Every number of it on one page")
    page = write_the_page(loaded, place)
    heading("6. What to try next")
    for command, meaning in (
        (str(page), "open it in a browser: it computes this model, offline"),
        (f"glassformer translate {place}", "pronounce words of your own (try glassformer, hyperbole, yacht)"),
        (f'glassformer shapes {place} "attention"', "every named tensor, and the line of source that makes it"),
        ('glassformer masks "I love deep learning"', "the masks, step by step"),
        ("glassformer train reverse", "a smaller task, learned in a minute"),
        (os.path.relpath(transformer.__file__), "the whole model; read masks.py and attention.py first"),
    ):
        out.print(f"  [cyan]{escape(command):<44}[/] {meaning}")


def write_the_page(loaded: "Loaded", place: Path) -> Path:
    """page.html beside the model, opening with the demo's word."""
    from glassformer.look.pages import page_of, write_page

    page = place / "page.html"
    size = write_page(page_of(loaded, WORD, folder=place).html, page)
    out.print(
        f"{page} ({size / 1e6:.1f} MB) shows this model and {KEPT_FOR_LOOK} moments of its training.", markup=False
    )
    return page


def heading(words: str) -> None:
    out.print(f"\n[bold]{words}[/]")


def unused(folder: Path) -> Path:
    """The folder, or the first of folder-2, folder-3, ... that is not there yet: no earlier run is lost."""
    candidates = (folder if number == 1 else folder.with_name(f"{folder.name}-{number}") for number in count(1))
    return next(candidate for candidate in candidates if not candidate.exists())


def show_scores(prepared: "Experiment", loaded: "Loaded") -> None:
    """Error rates over every held-out word, and ten of them one by one."""
    from glassformer.decode import Translator
    from glassformer.runs.scoring import score_answers

    model, vocabularies, _ = loaded
    held_out = prepared.dataset.test_references()
    answers = Translator(model, vocabularies, prepared.recipe.decoding).translate([word for word, _ in held_out])
    references = [right for _, right in held_out]
    heading(f"2. {len(held_out):,} words it never saw")
    for score in score_answers(prepared.scores, answers, references):
        out.print(f"{SCORE_NAMES[score.name]}: {score.value:.1f} %")
    table = Table("word", "it says", "the dictionary says", "", box=None, header_style="dim", pad_edge=False)
    for index in random.Random(0).sample(range(len(held_out)), 10):
        right = answers[index] in references[index]
        table.add_row(
            held_out[index][0], answers[index], " | ".join(references[index]), "[green]right[/]" if right else ""
        )
    out.print("", table)


def look_inside(loaded: "Loaded") -> None:
    """The shapes, the masks and the cross-attention of one word."""
    from glassformer.look import (
        ShapeTable,
        attention_drawing,
        attention_picture,
        mask_drawing,
        step_by_step,
        steps_drawing,
        target_masks,
    )
    from glassformer.runs.looking import look_at

    model, vocabularies, _ = loaded
    sight = look_at(model, vocabularies, WORD, only=SHOWN)
    heading(f'3. The shapes of its tensors while it says "{WORD}", in the first cross-attention')
    out.print(ShapeTable(sight.seen, src_pieces=sight.src_pieces, trg_pieces=sight.trg_pieces))
    pieces, pad = [*sight.trg_pieces, "</s>"], vocabularies.trg.pad_id
    heading("4. Who may look at whom, and who does")
    out.print(mask_drawing(target_masks(pieces, sight.trg_ids, pad)[-1]), "")
    out.print(steps_drawing(step_by_step(pieces, sight.trg_ids, pad)), "")
    last = len(model.decoder.layers) - 1
    attention = sight.seen[f"decoder.layers.{last}.cross_attention.attention"]
    out.print("Cross-attention of the last layer, mean over heads: each sound (row) looks at letters (columns).")
    out.print(attention_drawing(attention_picture(attention, sight.trg_pieces, sight.src_pieces)))
