"""All confusions, and how to find one by number or word. Imports no torch."""

from typing import get_args

from glassformer.errors import UserError, unknown_name
from glassformer.learn.why import attention, decoding, habits, layers, masks, training
from glassformer.learn.why.confusion import Confusion, Theme

THEMES: tuple[Theme, ...] = get_args(Theme)
CONFUSIONS: tuple[Confusion, ...] = tuple(
    sorted(
        (each for theme in (masks, attention, layers, training, decoding, habits) for each in theme.CONFUSIONS),
        key=lambda confusion: confusion.number,
    )
)


def by_theme(confusions: tuple[Confusion, ...] = CONFUSIONS) -> dict[Theme, list[Confusion]]:
    """The confusions under their themes, in the order of `THEMES`; empty themes are left out."""
    groups = {theme: [each for each in confusions if each.theme == theme] for theme in THEMES}
    return {theme: group for theme, group in groups.items() if group}


def find(wanted: str) -> tuple[Confusion, ...]:
    """The confusions of a number (6), a name (heads), a theme (masks), or a word of a name or question.

    Raises UserError where nothing fits, with the nearest names.
    """
    word = wanted.strip().lower()
    if word.isdecimal():
        found = [each for each in CONFUSIONS if each.number == int(word)]
        if not found:
            raise UserError(
                f"there is no confusion {wanted}: they go from {CONFUSIONS[0].number} to {CONFUSIONS[-1].number}. "
                "`glassformer why` lists them."
            )
        return tuple(found)
    tests = (
        lambda each: word == each.slug,
        lambda each: word == each.theme,
        lambda each: word in each.slug,
        lambda each: word in each.question.lower(),
    )
    for fits in tests:
        if word and (found := [each for each in CONFUSIONS if fits(each)]):
            return tuple(found)
    raise unknown_name("confusion", wanted, [*THEMES, *(each.slug for each in CONFUSIONS)])
