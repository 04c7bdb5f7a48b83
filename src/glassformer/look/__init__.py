"""Every number visible, from outside: watch a model, and draw what it showed.

    with watch(model) as seen:
        model(src, trg[:, :-1])
    rich.print(ShapeTable(seen))
    weights = seen["decoder.layers.0.cross_attention.attention"]
    rich.print(attention_drawing(attention_picture(weights, trg_pieces, src_pieces)))

Data for programs comes from functions that return rows and pictures with `to_dict()`, drawings are rich renderables.
"""

from glassformer.look.attention import attention_drawing, attention_picture
from glassformer.look.masks import (
    mask_drawing,
    numbers_drawing,
    shifted_drawing,
    source_mask,
    step_by_step,
    steps_drawing,
    target_masks,
)
from glassformer.look.seen import Seen, Tap
from glassformer.look.shapes import ShapeTable, shape_rows, watch_pair
from glassformer.look.svg import export_svg
from glassformer.look.watch import watch

__all__ = [
    "Seen",
    "ShapeTable",
    "Tap",
    "attention_drawing",
    "attention_picture",
    "export_svg",
    "mask_drawing",
    "numbers_drawing",
    "shape_rows",
    "shifted_drawing",
    "source_mask",
    "step_by_step",
    "steps_drawing",
    "target_masks",
    "watch",
    "watch_pair",
]
