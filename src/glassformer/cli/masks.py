"""`glassformer masks`: who may look at whom, with the sentence's words on both axes."""

from pathlib import Path
from typing import Annotated

import typer

from glassformer.cli.common import AsJson, Device, Threads, err, out, print_json, use_machine
from glassformer.errors import UserError

PAD, START, END = 0, 1, 2
FIRST_WORD = 4  # the ids before it are <pad>, <s>, </s> and <unk>, as in a trained vocabulary


def masks(
    sentence: Annotated[str, typer.Argument(help='A sentence, cut at its spaces: "I love deep learning".')],
    pad_to: Annotated[
        int | None,
        typer.Option(help="Columns, filled up with padding. Default: two more than the sentence has.", min=1),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--out", help="Write a file instead: .svg, .html, .txt, or .png (needs the extra plot)."),
    ] = None,
    as_json: AsJson = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Draw the padding mask, the look-ahead mask and both together, then go through them row by row.

    The sentence is shown as a source, which the encoder reads whole, and as a target, which the decoder reads
    word by word. Every cell comes from the model's own mask functions.
    """
    use_machine(device, threads)
    from rich.console import Group
    from rich.text import Text

    from glassformer.look import (
        mask_drawing,
        numbers_drawing,
        shifted_drawing,
        source_mask,
        step_by_step,
        steps_drawing,
        target_masks,
    )
    from glassformer.look.files import check_ending, save_drawing
    from glassformer.look.plot import masks_figure

    if file is not None:
        check_ending(file, figure=(".png",))
    words = sentence.split()
    if not words:
        raise UserError("the sentence is empty: give at least one word.")
    ids = [FIRST_WORD + list(dict.fromkeys(words)).index(word) for word in words]
    source = source_mask([*words, "</s>"], [*ids, END], PAD, pad_to)
    target = ["<s>", *words, "</s>"], [START, *ids, END], PAD, pad_to
    pictures, steps = [source, *target_masks(*target)], step_by_step(*target)
    if as_json:
        print_json({"masks": [picture.to_dict() for picture in pictures], "steps": [step.to_dict() for step in steps]})
        return
    blocks = [block for picture in pictures for block in (mask_drawing(picture), "", numbers_drawing(picture), "\n")]
    drawing = Group(*blocks, Text("Step by step", style="bold"), steps_drawing(steps), "", shifted_drawing(steps))
    if file is None:
        out.print(drawing)
        return
    save_drawing(drawing, file, title=f"Masks: {sentence}", figures={".png": lambda: masks_figure(pictures)})
    err.print(f"wrote {file}", markup=False)
