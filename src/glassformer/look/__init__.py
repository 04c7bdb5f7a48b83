"""Every number visible, from outside: watch a model, and draw what it showed.

    with watch(model) as seen:
        model(src, trg[:, :-1])
    rich.print(ShapeTable(seen))
    weights = seen["decoder.layers.0.cross_attention.attention"]
    rich.print(attention_drawing(attention_picture(weights, trg_pieces, src_pieces)))

Data for programs comes from functions that return rows and pictures with `to_dict()`, drawings are rich renderables.
"""

from glassformer.look.arithmetic.cells import Cell, Term
from glassformer.look.attention import attention_drawing, attention_picture, attention_wall
from glassformer.look.edits import replace_with, uniform, zero, zero_channel, zero_head
from glassformer.look.explain import explain
from glassformer.look.files import save_drawing
from glassformer.look.gradients import GradientReport, gradient_report
from glassformer.look.heads import HeadTable, head_statistics
from glassformer.look.masks import (
    mask_drawing,
    numbers_drawing,
    shifted_drawing,
    source_mask,
    step_by_step,
    steps_drawing,
    target_masks,
)
from glassformer.look.plot import attention_figure, heads_figure, masks_figure, save_figure, wall_figure
from glassformer.look.seen import Seen, Tap
from glassformer.look.shapes import ShapeTable, shape_rows, watch_pair
from glassformer.look.svg import export_svg
from glassformer.look.watch import watch

__all__ = [
    "Cell",
    "GradientReport",
    "HeadTable",
    "Seen",
    "ShapeTable",
    "Tap",
    "Term",
    "attention_drawing",
    "attention_figure",
    "attention_picture",
    "attention_wall",
    "explain",
    "export_svg",
    "gradient_report",
    "head_statistics",
    "heads_figure",
    "mask_drawing",
    "masks_figure",
    "numbers_drawing",
    "replace_with",
    "save_drawing",
    "save_figure",
    "shape_rows",
    "shifted_drawing",
    "source_mask",
    "step_by_step",
    "steps_drawing",
    "target_masks",
    "uniform",
    "wall_figure",
    "watch",
    "watch_pair",
    "zero",
    "zero_channel",
    "zero_head",
]
