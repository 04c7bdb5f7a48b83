"""A trained model writes its answers: greedy, beam search and sampling over ids, and one `Translator` over text."""

from glassformer.decode.beam import beam_search
from glassformer.decode.config import DecodingConfig
from glassformer.decode.sample import sample
from glassformer.decode.steps import Hypothesis, greedy
from glassformer.decode.translator import Translation, Translator

__all__ = ["DecodingConfig", "Hypothesis", "Translation", "Translator", "beam_search", "greedy", "sample"]
