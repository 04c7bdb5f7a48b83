"""Draw the README's pictures from the demo's model: python docs/make_pictures.py [runs/demo]

The picture of the page needs playwright and Chromium.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Group
from rich.text import Text

from glassformer import load
from glassformer.look import (
    attention_drawing,
    attention_picture,
    export_svg,
    mask_drawing,
    step_by_step,
    steps_drawing,
    target_masks,
)
from glassformer.runs.looking import look_at

WORD = "attention"
PICTURES = Path(__file__).parent / "pictures"
VIEW = "#room=wall&head=cross.1.mean"


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/demo")
    draw_terminal(folder)
    photograph_page(folder / "page.html")


def photograph_page(page: Path) -> None:
    """The attention wall, as a browser shows it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1360, "height": 1400})
        tab.goto(page.absolute().as_uri() + VIEW)
        tab.wait_for_selector(".honesty dd")
        tab.wait_for_timeout(1000)
        tab.screenshot(path=PICTURES / "page.png")
        browser.close()


def draw_terminal(folder: Path) -> None:
    model, vocabularies, _ = load(folder)
    sight = look_at(model, vocabularies, WORD)
    name = f"decoder.layers.{len(model.decoder.layers) - 1}.cross_attention.attention"
    picture = attention_picture(sight.seen[name], sight.trg_pieces, sight.src_pieces)
    words = ["I", "love", "deep", "learning"]
    target = ["<s>", *words, "</s>"], [1, 4, 5, 6, 7, 2], 0
    drawing = Group(
        Text(f'The decoder says "{sight.answer}" for "{WORD}": where each sound (row) looks (columns)', style="bold"),
        Text(),
        attention_drawing(picture),
        Text(),
        mask_drawing(target_masks(*target)[-1]),
        Text(),
        steps_drawing(step_by_step(*target)),
    )
    export_svg(drawing, PICTURES / "demo.svg", title="glassformer", width=96)


if __name__ == "__main__":
    main()
