"""What every score is made of: a name, a value, and the signature without which a value cannot be compared."""

from collections.abc import Sequence
from dataclasses import dataclass

from glassformer.errors import UserError


@dataclass(frozen=True)
class Score:
    """One score of a whole test set."""

    name: str
    value: float  # in percent, from 0 to 100 (error rates may pass 100)
    signature: str  # everything that changes the value: references, tokens, case, versions

    def __str__(self) -> str:
        return f"{self.name} = {self.value:.2f} ({self.signature})"


def check_pairs(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    """Raises UserError unless each hypothesis has a list of at least one reference."""
    if isinstance(hypotheses, str) or any(isinstance(several, str) for several in references):
        raise UserError("each hypothesis needs a list of references, not a text. Write [[text], ...] for one each.")
    if len(hypotheses) != len(references):
        raise UserError(
            f"{len(hypotheses)} hypotheses and {len(references)} lists of references: each hypothesis needs its own "
            "list. Score the same lines that were translated."
        )
    if not hypotheses:
        raise UserError("there is nothing to score: the lists of hypotheses and references are empty.")
    for number, several in enumerate(references, start=1):
        if not several:
            raise UserError(f"hypothesis {number} has no reference. Give it at least one, or leave the line out.")


def reference_counts(references: Sequence[Sequence[str]]) -> str:
    """The number of references of each hypothesis as a signature says it, as sacreBLEU does."""
    counts = {len(several) for several in references}
    return str(counts.pop()) if len(counts) == 1 else "var"
