"""What a diagnosis says: findings with a witness each, notes, what held, and what could not be checked."""

from dataclasses import asdict, dataclass, field
from typing import Any

from glassformer.learn.diagnose.catalogue import KINDS
from glassformer.learn.diagnose.rows import ROWS


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A mistake that was measured. `witness` is the smallest counterexample, in words and numbers."""

    name: str
    title: str
    witness: str
    meaning: str  # what follows from it, and what is right
    thread: str  # where others met it
    exercise: str  # the number of the exercise that trains it, "01" to "20"
    row: int | None  # of confusions 1 to 29: `glassformer why ROW`; None where it is none of them


@dataclass(frozen=True)
class Note:
    """A fact worth knowing, never an accusation."""

    name: str
    text: str


@dataclass(frozen=True)
class Unchecked:
    """What could not be looked at, and why."""

    check: str
    why: str


@dataclass
class Report:
    """Everything one diagnosis has to say."""

    called: list[str] = field(default_factory=list)  # how the model was called and what was guessed
    findings: list[Finding] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    held: list[str] = field(default_factory=list)  # the checks that found nothing wrong
    unchecked: list[Unchecked] = field(default_factory=list)

    def found(self, name: str, witness: str) -> None:
        """Adds a finding of the catalogue; the same name a second time only adds its witness."""
        for index, finding in enumerate(self.findings):
            if finding.name == name:
                more = asdict(finding) | {"witness": f"{finding.witness} Also: {witness}"}
                self.findings[index] = Finding(**more)
                return
        kind = KINDS[name]
        self.findings.append(
            Finding(
                name=name,
                title=kind.title,
                witness=witness,
                meaning=kind.meaning,
                thread=kind.thread,
                exercise=kind.exercise,
                row=kind.row,
            )
        )

    def has(self, *names: str) -> bool:
        return any(finding.name in names for finding in self.findings)

    def note(self, name: str, text: str) -> None:
        self.notes.append(Note(name, text))

    def skip(self, check: str, why: str) -> None:
        self.unchecked.append(Unchecked(check, why))

    def sort(self) -> None:
        """Causes before symptoms: the order of the catalogue."""
        order = list(KINDS)
        self.findings.sort(key=lambda finding: order.index(finding.name))

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self) | {"not_visible": not_visible()}


def not_visible() -> dict[int, str]:
    """The rows of the confusions that no behaviour of a model shows, and why."""
    return {row: says for row, says in ROWS.items() if says not in KINDS}
