"""What a confusion is made of: texts and code, as data. Imports no torch, so that the list answers at once.

The code that is shown is the code that is run. `given`, then `wrong` or `right`, then `then` is one program in
which the names of `PREAMBLE` exist already; it starts from torch.manual_seed(0).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from glassformer.learn.why.run import Demonstration

Theme = Literal["masks", "attention", "layers", "training", "decoding", "habits"]

PREAMBLE = """\
import math
import torch
import torch.nn.functional as F
from torch import einsum, nn
from glassformer import Transformer
from glassformer.learn.why.stage import error_of, small_model
torch.manual_seed(0)
"""


@dataclass(frozen=True)
class Compare:
    """One quantity to look at on both sides; the names are expressions over what the code left behind."""

    label: str
    value: str
    same: bool = False  # here it does not matter: both sides have the same
    rows: str = ""  # the names of a tensor's rows
    columns: str = ""  # the names of its columns


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """A question that people ask, and the two programs that answer it."""

    number: int  # 1 to 29 as in the survey of the peers' threads; from 30 on the origin's own
    slug: str
    theme: Theme
    question: str
    given: str  # code for both sides
    wrong: str
    right: str
    then: str = ""  # code for both sides again
    compare: tuple[Compare, ...]
    changes: str  # what the wrong side changes
    harmless: str  # where it does not matter
    truth: str
    threads: tuple[str, ...]  # owner/repo#number
    seen: str = ""  # where else it was met
    exercise: str  # of the course: "05"
    paper: str  # section of "Attention Is All You Need"

    def demonstrate(self) -> "Demonstration":
        """Run both programs and read off what there is to compare; imports torch."""
        from glassformer.learn.why.run import demonstrate

        return demonstrate(self)
