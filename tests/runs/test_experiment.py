"""What a run needs is looked at before it begins, and what a model cannot read does not break it."""

from pathlib import Path

import pytest

from glassformer.data import Tsv, from_sources
from glassformer.errors import UserError
from glassformer.runs.experiment import Experiment, prepare
from glassformer.runs.recipe import Recipe, changed

SMALL = dict(embed_size=8, heads=2, num_layers=1, max_length=12)


def prepared(folder: Path, lines: list[str], **changes: str) -> Experiment:
    """A small run over these sentences, which are their own translations, and are all held out as well."""
    (folder / "text.tsv").write_text("".join(f"{line}\t{line}\n" for line in lines))
    text = Tsv(folder / "text.tsv")
    recipe = changed(Recipe(name="files", data="files", src_kind="symbols", trg_kind="symbols", model=SMALL), changes)
    return prepare(recipe, cache_folder=folder / "cache", dataset=from_sources(text, text))


def test_a_held_out_sentence_too_long_for_the_model_is_left_out(tmp_path: Path) -> None:
    longest, too_long = " ".join("ab" * 5 + "a"), " ".join("ab" * 6)
    run = prepared(tmp_path, [too_long, "a b", longest, "b"], valid_sentences="2")
    assert [source for source, _ in run.valid_references] == ["a b", longest]
    assert run.evaluate(run.build_model()).keys() == {"valid_loss", "bleu", "chrf"}


def test_a_score_that_does_not_exist_is_said_before_training(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown score 'pur'. Did you mean per"):
        prepared(tmp_path, ["a b"], scores="exact,pur")
