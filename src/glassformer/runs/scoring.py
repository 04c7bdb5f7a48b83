"""The scores by their names: a model's answers against the references of a data set."""

from collections.abc import Callable, Sequence
from functools import partial

from glassformer.data import Vocabularies
from glassformer.decode import DecodingConfig, Translator
from glassformer.errors import unknown_name
from glassformer.model.transformer import Transformer
from glassformer.score import Score, bleu, chrf, exact_match, moses_bleu, phoneme_error_rate, ter, word_error_rate

SCORES: dict[str, Callable[[Sequence[str], Sequence[Sequence[str]]], Score]] = {
    "bleu": bleu,
    "chrf": chrf,
    "ter": ter,
    "exact": exact_match,
    "per": phoneme_error_rate,
    "wer": word_error_rate,
    "bleu-moses-de": partial(moses_bleu, "de"),
    "bleu-moses-en": partial(moses_bleu, "en"),
    "bleu-moses-fr": partial(moses_bleu, "fr"),
}
LOWER_IS_BETTER = {"ter", "per", "wer"}


def score_answers(names: Sequence[str], answers: Sequence[str], references: Sequence[Sequence[str]]) -> list[Score]:
    """The named scores of these answers; UserError for an unknown name."""
    for name in names:
        if name not in SCORES:
            raise unknown_name("score", name, SCORES)
    return [SCORES[name](answers, references) for name in names]


def score_model(
    model: Transformer,
    vocabularies: Vocabularies,
    pairs: Sequence[tuple[str, Sequence[str]]],
    names: Sequence[str],
    decoding: DecodingConfig,
) -> list[Score]:
    """Translate the sources of `pairs` (source, its right answers) and score the answers."""
    answers = Translator(model, vocabularies, decoding).translate([source for source, _ in pairs])
    return score_answers(names, answers, [references for _, references in pairs])
