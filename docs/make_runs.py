"""Write docs/guides/runs.md: the named runs, from their recipes and their docstrings.

python docs/make_runs.py
"""

import inspect
from collections.abc import Iterator
from itertools import groupby

from made import table, write

from glassformer.data.named import SHIPPED
from glassformer.runs.named import RUNS, TRANSLATION_RUNS, named_recipe
from glassformer.runs.recipe import settings

HEAD = """\
# Named runs

`glassformer train NAME` trains one of these, and `glassformer evaluate runs/NAME` scores it. `--dry-run` says what a
run would cost on your machine and lists every setting; each is an option: `glassformer train reverse --max-steps 500`.
Your own files are trained on by the recipe of `multi30k-de-en`, for {minutes:.0f} minutes: [train](train.md).

Data from outside are read from `--data-dir`, or from the folder that `GLASSFORMER_DATA` names; where neither is said,
they are downloaded (all but those of `pronasyl`).

<!-- Made by docs/make_runs.py. Change src/glassformer/runs/named.py, then run it again. -->
"""
TAIL = """\
## Models that ship

What some of these runs gave is inside the package: `glassformer models` lists it, with sizes, scores and licences, and
`glassformer models NAME` prints a model's card. Every command takes such a name in the place of a folder.
"""
COLUMNS = ("run", "data", "layers", "channels", "heads", "dropout", "tokens of a batch", "ends after", "beam")


def page() -> str:
    kinds = list(runs())
    parts = [HEAD.format(minutes=named_recipe("files").training.max_minutes)]
    parts += table(COLUMNS, (row(names) for names, _ in kinds))
    for names, docstring in kinds:
        parts += [f"## {', '.join(names)}", "", docstring, ""]
    return "\n".join([*parts, TAIL])


def runs() -> Iterator[tuple[list[str], str]]:
    """The names of the runs that one function makes, and its docstring."""
    for make, named in groupby([*RUNS.items(), *TRANSLATION_RUNS.items()], key=lambda run: run[1]):
        yield [name for name, _ in named], inspect.getdoc(make) or ""


def row(names: list[str]) -> Iterator[str]:
    """What the runs of one function have in common."""
    recipe = named_recipe(names[0])
    chosen, training = settings(recipe), recipe.training
    yield ", ".join(names)
    yield "in the package" if recipe.data in SHIPPED else "from outside"
    yield from (str(chosen[name]) for name in ("num_layers", "embed_size", "heads", "dropout"))
    yield f"{training.batch_tokens:,}"
    yield f"{training.max_steps:,} updates" if training.max_steps else f"{training.max_minutes:.0f} minutes"
    yield str(recipe.decoding.beam)


if __name__ == "__main__":
    write("guides/runs.md", page)
