"""The scores by their names: a model's answers against the references of a data set."""

from collections.abc import Callable, Sequence
from functools import partial

from glassformer.data import Vocabularies
from glassformer.data.download import Progress
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
BLOCK = 512  # sources translated between two words about the progress


def score_answers(names: Sequence[str], answers: Sequence[str], references: Sequence[Sequence[str]]) -> list[Score]:
    """The named scores of these answers; UserError for an unknown name."""
    check_scores(names)
    return [SCORES[name](answers, references) for name in names]


def score_model(
    model: Transformer,
    vocabularies: Vocabularies,
    pairs: Sequence[tuple[str, Sequence[str]]],
    names: Sequence[str],
    decoding: DecodingConfig,
    progress: Progress | None = None,
) -> list[Score]:
    """Translate the sources of `pairs` (source, its right answers) and score the answers."""
    check_scores(names)
    translator, answers = Translator(model, vocabularies, decoding), list[str]()
    for start in range(0, len(pairs), BLOCK):
        answers += translator.translate([source for source, _ in pairs[start : start + BLOCK]], start)
        if progress:
            progress("translating", len(answers), len(pairs))
    return score_answers(names, answers, [references for _, references in pairs])


def check_scores(names: Sequence[str]) -> None:
    """Raise UserError, with near names, for a score that does not exist."""
    for name in names:
        if name not in SCORES:
            raise unknown_name("score", name, SCORES)
