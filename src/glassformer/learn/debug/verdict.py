"""What the debugging set says of an answer, as data."""

from dataclasses import dataclass
from typing import Any

from glassformer.learn.checker.verdict import Outcome


@dataclass(frozen=True)
class DebugVerdict:
    """The outcome, and what there is to say, a sentence or two each."""

    outcome: Outcome
    messages: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"outcome": self.outcome, "messages": list(self.messages)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "DebugVerdict":
        return cls(values["outcome"], tuple(values["messages"]))
