"""A trained model writes its answers: greedy, beam search and sampling over ids, and one `Translator` over text."""

from glassformer.decode.beam import beam_search
from glassformer.decode.config import DecodingConfig
from glassformer.decode.quantize import quantize
from glassformer.decode.sample import sample
from glassformer.decode.steps import Hypothesis, greedy
from glassformer.decode.translator import Translation, Translator
from glassformer.decode.workers import Setting, Workers, fastest

__all__ = [
    "DecodingConfig",
    "Hypothesis",
    "Setting",
    "Translation",
    "Translator",
    "Workers",
    "beam_search",
    "fastest",
    "greedy",
    "quantize",
    "sample",
]
