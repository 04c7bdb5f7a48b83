"""`diagnose`: an encoder-decoder is asked what only a right one answers rightly; each mistake comes with a witness."""

from glassformer.learn.diagnose.adapter import Adapter
from glassformer.learn.diagnose.forms import CannotCall
from glassformer.learn.diagnose.load import Built, load_build
from glassformer.learn.diagnose.report import Finding, Note, Report, Unchecked, not_visible
from glassformer.learn.diagnose.run import diagnose

__all__ = [
    "Adapter",
    "Built",
    "CannotCall",
    "Finding",
    "Note",
    "Report",
    "Unchecked",
    "diagnose",
    "load_build",
    "not_visible",
]
