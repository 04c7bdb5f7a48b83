"""How good answers are: the field's scores through sacreBLEU, and error rates; each with its signature."""

from glassformer.score.errors import exact_match, phoneme_error_rate, word_error_rate
from glassformer.score.overlap import bleu, chrf, moses_bleu, ter
from glassformer.score.score import Score

__all__ = ["Score", "bleu", "chrf", "exact_match", "moses_bleu", "phoneme_error_rate", "ter", "word_error_rate"]
