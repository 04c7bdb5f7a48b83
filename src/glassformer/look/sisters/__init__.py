"""Two small models that differ in one thing: the cheating one was trained without the look-ahead mask.

Made by `glassformer train reverse-honest --threads 1` and `glassformer train reverse-cheating --threads 1`; facts.json
holds what `glassformer.runs.sisters.measure` says of them.
"""

import json
from pathlib import Path

from glassformer.checkpoint import load
from glassformer.look.pack import Shown

HOME = Path(__file__).parent


def sisters() -> dict[str, Shown]:
    """The two by name, `honest` and `cheating`, as loaded: both then compute with the look-ahead mask.

    `glassformer.learn.zoo.plant(model, "no-look-ahead")` opens it again, as it was in the cheat's training.
    """
    facts = json.loads((HOME / "facts.json").read_text(encoding="utf-8"))
    loaded = {name: load(HOME / name) for name in ("honest", "cheating")}
    return {
        name: Shown(each, facts[name] | {"cheats": each.config.run["fault"] is not None})
        for name, each in loaded.items()
    }
