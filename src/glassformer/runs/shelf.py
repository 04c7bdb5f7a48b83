"""The models that ship: a run's final weights, scored as they are stored, with a card that says what was measured.

python -m glassformer.runs.shelf runs/tatoeba-en-fr en-fr --half --machine "two cores of an AMD EPYC (Zen 4)"
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from glassformer.checkpoint import load, save
from glassformer.checkpoint.named import SHELF
from glassformer.data import open_dataset
from glassformer.errors import UserError
from glassformer.runs.card import About, Training, measured_card, write_card
from glassformer.runs.recipe import from_dict
from glassformer.train.metrics import METRICS, read_lines

ABOUT = {
    about.name: about
    for about in (
        About(
            name="pronounce",
            does="English spelling to phonemes",
            licence="MIT; its data BSD 2-clause",
            cannot=(
                "It sees one word and no sentence: of a word that is said in two ways (read, lead, wind) it says one.",
                "It marks no stress and knows American English alone, in the 39 phones of its dictionary.",
                "It reads a to z and the apostrophe: no digits, accents, hyphens or abbreviations.",
            ),
            largest=8_000_000,
        ),
        *(
            About(
                name=name,
                does=f"{source} to {target}, short everyday sentences",
                licence="CC BY 2.0 FR, as its data",
                cannot=(
                    "It learnt from short everyday sentences: paragraphs, news, law and science are not among them.",
                    "It sees one sentence at a time: who is meant, who is addressed and how politely it must guess.",
                    "A rare word or a name may come out as another one, and nothing in the answer shows it.",
                ),
                largest=16_000_000,
            )
            for name, source, target in (("en-fr", "English", "French"), ("de-en", "German", "English"))
        ),
    )
}


def ship(
    run: Path, about: About, *, machine: str, half: bool, data_dir: Path | None = None, shelf: Path = SHELF
) -> Path:
    """Put the final model of a run on the shelf, in place of the one of that name; gives its folder.

    What was written, in half precision where `half`, is what is scored on the test part of its data. `machine` is the
    one it was trained on. Raises UserError where the run has not ended, the data are not its own, its metrics are not
    there, a weight does not fit half precision, or the folder is larger than it may be; the shelf is then as it was.
    """
    loaded = load(run / "model")  # not `run`: before the end that is a checkpoint
    recipe = from_dict(loaded.config.run)
    dataset = open_dataset(recipe.data, data_dir=data_dir)
    if dataset.identity != loaded.config.data:
        raise UserError(f"{run} was trained on {loaded.config.data}, and this is {dataset.identity}: give the former.")
    model = loaded.model.half() if half else loaded.model
    if not all(weight.isfinite().all() for weight in model.parameters()):
        raise UserError(f"{run} has a weight that half precision, which ends at 65504, cannot hold. Leave out --half.")
    noted = read_lines(run / METRICS)
    if not any("seconds" in line for line in noted):
        raise UserError(f"{run / METRICS} does not say how long it was trained: give the folder of a whole run.")
    training = Training(
        recipe=recipe,
        steps=max(line["step"] for line in noted),
        seconds=max(line.get("seconds", 0) for line in noted),
        machine=machine,
    )
    shelf.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=shelf, prefix=".tmp-") as working:
        made, place = Path(working) / about.name, shelf / about.name
        save(made, model, loaded.vocabularies, loaded.config)
        write_card(made, measured_card(load(made), about, dataset, training))
        if (size := folder_bytes(made)) > about.largest:
            raise UserError(f"{about.name} has {size:,} bytes and may have {about.largest:,}: train a smaller model.")
        if place.exists():
            shutil.rmtree(place)
        made.rename(place)
    return place


def folder_bytes(folder: Path) -> int:
    """The size of a model with all that belongs to it."""
    return sum(file.stat().st_size for file in folder.iterdir())


def main() -> None:
    parser = argparse.ArgumentParser(description="Put a run's final model on the shelf, scored and with its card.")
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("name", choices=ABOUT)
    parser.add_argument("--machine", required=True, help="where it was trained, in words")
    parser.add_argument("--half", action="store_true", help="store the weights in float16")
    parser.add_argument("--data-dir", type=Path, help="folder that holds the data sets already")
    given = parser.parse_args()
    try:
        ship(given.run, ABOUT[given.name], machine=given.machine, half=given.half, data_dir=given.data_dir)
    except UserError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
