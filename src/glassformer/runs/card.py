"""The card of a model that ships: what it is, what was measured, and what it cannot do."""

import json
import re
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import torch

from glassformer import __version__
from glassformer.checkpoint import Loaded
from glassformer.data import DataSet
from glassformer.decode import DecodingConfig, Translator
from glassformer.runs.named import named_recipe
from glassformer.runs.recipe import Recipe, settings
from glassformer.runs.scoring import score_answers
from glassformer.score import Score

CARD = "card.md"
FENCE = "---\n"  # around the facts at the top
EXAMPLES = 10


@dataclass(frozen=True, kw_only=True)
class About:
    """What no measurement says of a model."""

    name: str
    does: str
    licence: str  # of the weights
    cannot: tuple[str, ...]  # what it is no good at, a sentence each
    largest: int  # bytes its folder may have


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a model came to be."""

    recipe: Recipe
    steps: int
    seconds: float
    machine: str


@dataclass(frozen=True, kw_only=True)
class Card:
    """The facts at the top of a card, and its text in Markdown."""

    does: str
    parameters: int
    licence: str
    scores: list[Score]
    text: str


def read_card(folder: Path) -> Card:
    """The card in the folder of a model that ships."""
    _, facts, text = (folder / CARD).read_text(encoding="utf-8").split(FENCE, 2)
    values = {name: json.loads(value) for name, _, value in (line.partition(": ") for line in facts.split("\n")[:-1])}
    return Card(**values | {"scores": [Score(**score) for score in values["scores"]], "text": text})


def write_card(folder: Path, card: Card) -> None:
    """A line of JSON for each fact, which is YAML too, and the text."""
    values = asdict(card)
    text = values.pop("text")
    facts = "".join(f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in values.items())
    (folder / CARD).write_text(f"{FENCE}{facts}{FENCE}{text}", encoding="utf-8", newline="\n")


def measured_card(stored: Loaded, about: About, dataset: DataSet, training: Training) -> Card:
    """The card of a model as it was stored: scored on all test sources, with examples chosen by their place alone."""
    pairs = dataset.test_references()
    decoding = DecodingConfig.from_dict(stored.config.decoding)
    answers = Translator(stored.model, stored.vocabularies, decoding).translate([source for source, _ in pairs])
    scores = score_answers(dataset.metrics, answers, [references for _, references in pairs])
    parameters = sum(weight.numel() for weight in stored.model.parameters())
    step = max(1, len(pairs) // EXAMPLES)
    chosen = [(*pairs[place], answers[place]) for place in range(0, len(pairs), step)][:EXAMPLES]
    recipe = training.recipe
    text = "\n".join(
        [
            f"# {about.name}\n\n{about.does}.\n",
            table(("", ""), list(facts_of(stored, about, dataset, parameters).items())),
            f"\n## Scores\n\n{len(pairs):,} test sources, beam {decoding.beam}, with the weights as they are stored. "
            f"Measured on {date.today()} with Glassformer {__version__} and torch {torch.__version__} by\n",
            f"    glassformer evaluate {about.name}\n",
            *(f"- {score.name} **{score.value:.2f}** `{score.signature}`" for score in scores),
            f"\n## Training\n\n{training.steps:,} updates in {duration(training.seconds)} on {training.machine}, seed "
            f"{recipe.training.seed}:\n",
            f"    {training_command(recipe)}",
            "\n## What it cannot do\n",
            *(f"- {sentence}" for sentence in about.cannot),
            f"\n## Examples\n\nTest sources 1, {step + 1:,}, {2 * step + 1:,} and so on, whatever the answer.\n",
            table(
                ("source", "answer", "a reference", "answer is one of them"),
                [
                    (source, answer, references[0], "yes" if answer in references else "no")
                    for source, references, answer in chosen
                ],
            ),
            "",
        ]
    )
    return Card(does=about.does, parameters=parameters, licence=about.licence, scores=scores, text=text)


def facts_of(stored: Loaded, about: About, dataset: DataSet, parameters: int) -> dict[str, str]:
    """What the table of a card says."""
    sizes, identity = stored.config.model, dataset.identity
    src, trg = stored.vocabularies
    facts = {
        "parameters": f"{parameters:,}",
        "sizes": f"embed_size {sizes.embed_size}, {sizes.heads} heads, {sizes.encoder.layers} encoder and "
        f"{sizes.decoder.layers} decoder layers, feed-forward {sizes.encoder.forward_size:,}",
        "vocabulary": f"{len(src):,} pieces, shared" if src is trg else f"{len(src):,} and {len(trg):,} pieces",
        "data": f"{identity['name']} {identity.get('date', '')}".strip(),
        "SHA-256 of the data": identity.get("sha256", ""),
        "split": identity["split"],
        "pairs": ", ".join(f"{part.replace('_', ' ')} {count:,}" for part, count in identity["counts"].items()),
        "licence": about.licence,
        "credit": dataset.attribution,
    }
    return {name: value for name, value in facts.items() if value}


def training_command(recipe: Recipe) -> str:
    """The command of a run: its name, and every setting that differs from the named run's."""
    usual = settings(named_recipe(recipe.name))
    changes = {name: value for name, value in settings(recipe).items() if value != usual[name]}
    return " ".join(
        [f"glassformer train {recipe.name}", *(f"--{name.replace('_', '-')} {word(changes[name])}" for name in changes)]
    )


def word(value: object) -> str:
    """A setting's value as the command line takes it."""
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table in Markdown, which shows each cell as it is."""
    shown = ([re.sub(r"([\\`*<|])", r"\\\1", cell).replace("\n", " ") for cell in row] for row in rows)
    lines = [head, ("---",) * len(head), *shown]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
