"""Two models side by side: sizes, formulas, and the numbers that tell them apart."""

from glassformer.exchange.compare.comparison import Comparison, compare
from glassformer.exchange.compare.names import find_sides

__all__ = ["Comparison", "compare", "find_sides"]
