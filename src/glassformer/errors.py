"""The one error of a user's mistake: it names the value, the rule and the way out; the command line shows it alone."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """Something the user wrote, named or passed cannot be used. Its message is meant to be read by a person."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not among the known ones, with the nearest suggestions first."""
    names = sorted(known)
    near = get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(names)}."
    return UserError(f"unknown {kind} {name!r}. {hint}")
