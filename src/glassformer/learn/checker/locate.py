"""Where an unknown mistake sits, and what a wrong shape may have come from."""

from collections.abc import Sequence
from itertools import permutations

from torch import Tensor

from glassformer.learn.checker.observe import NOT_A_NUMBER, Leaf, Seen
from glassformer.learn.exercise import Part, Probe

AXES = {"n": "sentence", "q": "query", "k": "key", "h": "head", "d": "channel", "m": "value channel", "t": "position",
        "s": "source position", "e": "channel", "f": "hidden channel", "v": "vocabulary entry"}  # fmt: skip


def shape_problem(part: Part, probes: Sequence[Probe], seen: Sequence[Seen], right: Sequence[Seen]) -> str | None:
    """The first answer of another type or shape, in words, with a guess where one fits; None where all are alike."""
    for probe, ours, theirs in zip(probes, seen, right, strict=True):
        if ours.error is not None or theirs.error is not None:
            continue
        if ours.value is None:
            return f"on '{probe.label}' the answer is None: is a return missing?"
        if len(ours.leaves) != len(theirs.leaves):
            got = f"a {type(ours.value).__name__} of {pieces(ours)}"
            return f"on '{probe.label}' the answer is {got} where {pieces(theirs)} {is_are(theirs)} expected"
        for mine, wanted in zip(ours.leaves, theirs.leaves, strict=True):
            other_kind = mine.kind != wanted.kind and {mine.kind, wanted.kind} != {"int", "float"}
            if other_kind or mine.shape != wanted.shape:
                place = f" at {mine.path}" if mine.path else ""
                return f"on '{probe.label}' the answer{place} {difference(part, mine, wanted)}"
    return None


def pieces(seen: Seen) -> str:
    return "1 tensor or number" if len(seen.leaves) == 1 else f"{len(seen.leaves)} tensors or numbers"


def is_are(seen: Seen) -> str:
    return "is" if len(seen.leaves) == 1 else "are"


def difference(part: Part, mine: Leaf, wanted: Leaf) -> str:
    if mine.shape == wanted.shape:
        return f"holds {mine.kind} where {wanted.kind} is expected"
    letters = f" ({part.result})" if len(part.result.split()) == len(wanted.shape) else ""
    guess = shape_guess(mine.shape, wanted.shape)
    return f"has the shape {mine.shape}; expected{letters} {wanted.shape}{': ' + guess if guess else ''}"


def shape_guess(mine: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """What turns the one shape into the other, where something common does."""
    if len(mine) == len(wanted):
        fitting = [p for p in permutations(range(len(mine))) if tuple(mine[axis] for axis in p) == wanted]
        swaps = [p for p in fitting if sum(axis != place for place, axis in enumerate(p)) == 2]
        if swaps:
            first, second = (place for place, axis in enumerate(swaps[0]) if axis != place)
            last = len(mine) - 1
            which = "the last two axes are" if (first, second) == (last - 1, last) else f"axes {first} and {second} are"
            return f"{which} swapped?"
        if fitting:
            return "the same axes in another order?"
    if tuple(size for size in wanted if size != 1) == tuple(size for size in mine if size != 1):
        return (
            "an axis of size 1 is missing (unsqueeze, or keepdim=True)?"
            if len(mine) < len(wanted)
            else "an axis of size 1 too many?"
        )
    if len(mine) == len(wanted) - 1:
        return "an axis was summed away or indexed?"
    return ""


def where_it_differs(
    part: Part, probes: Sequence[Probe], seen: Sequence[Seen], right: Sequence[Seen]
) -> tuple[str, ...]:
    """Which answers differ, and where in the first of them: along each axis, the first cell, a common ratio."""
    differing = []
    for probe, ours, theirs in zip(probes, seen, right, strict=True):
        if ours.error is None and theirs.error is None and ours.structure[1:] == theirs.structure[1:]:
            apart = [i for i, (a, b) in enumerate(zip(ours.leaves, theirs.leaves, strict=True)) if not near(a, b)]
            if apart:
                differing.append((probe, ours.leaves[apart[0]], theirs.leaves[apart[0]]))
    if not differing:
        return ()
    same = [probe.label for probe in probes if probe.label not in {probe.label for probe, _, _ in differing}]
    lines = [
        f"differs on {len(differing)} of {len(probes)} probes" + (f"; right on: {'; '.join(same)}" if same else "")
    ]
    probe, mine, wanted = differing[0]
    lines.append(f"on '{probe.label}'{' at ' + mine.path if mine.path else ''}:")
    lines += [f"  {line}" for line in inside(part, mine, wanted)]
    return tuple(lines)


def near(mine: Leaf, wanted: Leaf) -> bool:
    return not bool(apart_at(mine, wanted).any())


def apart_at(mine: Leaf, wanted: Leaf) -> Tensor:
    """Where the numbers differ. Beside a large difference the rounding of float32 is none."""
    away = (mine.numbers - wanted.numbers).abs() / (1 + wanted.numbers.abs())
    return away > (1e-6 if bool((away > 1e-4).any()) else 1e-9)


def inside(part: Part, mine: Leaf, wanted: Leaf) -> list[str]:
    """Along each axis: which indices differ, where they are not all."""
    apart = apart_at(mine, wanted).reshape(wanted.shape or (1,))
    letters = part.result.split() if len(part.result.split()) == len(wanted.shape) else []
    lines = []
    for axis in range(len(wanted.shape)):
        others = [other for other in range(apart.ndim) if other != axis]
        along = apart.any(dim=tuple(others)) if others else apart
        name = AXES.get(letters[axis], letters[axis]) if letters else f"axis {axis} at"
        said = which(along.tolist())
        if said:
            lines.append(f"only {name} {said}")
    if not lines and wanted.shape:
        lines.append("everywhere")
    first = tuple(apart.nonzero()[0].tolist()) if wanted.shape else ()
    ours, theirs = (float(leaf.numbers.reshape(wanted.shape or (1,))[first or (0,)]) for leaf in (mine, wanted))
    digits = 4 if plain(ours, 4) != plain(theirs, 4) else 12
    place = f"first at [{', '.join(map(str, first))}]: " if first else ""
    lines.append(f"{place}yours {plain(ours, digits)}, expected {plain(theirs, digits)}")
    ratio = (mine.numbers / wanted.numbers)[wanted.numbers.abs() > 1e-6]
    if (
        len(ratio) > 1
        and bool((ratio - ratio[0]).abs().max() < 1e-6 * ratio[0].abs())
        and abs(float(ratio[0]) - 1) > 1e-6
    ):
        lines.append(f"everywhere {float(ratio[0]):.4g} times the expected number")
    shift = mine.numbers - wanted.numbers
    if len(shift) > 1 and bool((shift - shift[0]).abs().max() < 1e-6 * shift[0].abs()):
        lines.append(f"everywhere {float(shift[0]):+.4g} beside the expected number")
    return lines


def plain(value: float, digits: int) -> str:
    return "NaN" if value == NOT_A_NUMBER else f"{value:.{digits}g}"


def which(along: Sequence[bool]) -> str:
    """Which indices are true, as people say it; nothing where all are."""
    chosen = [index for index, true in enumerate(along) if true]
    missing = [index for index, true in enumerate(along) if not true]
    if not missing:
        return ""
    if len(chosen) > 1 and chosen == list(range(1, len(along), 2)):
        return "1, 3, 5 ... (the odd ones)"
    if len(chosen) > 1 and chosen == list(range(0, len(along), 2)):
        return "0, 2, 4 ... (the even ones)"
    if len(missing) == 1 and len(along) > 2:
        return f"other than {missing[0]}"
    if len(chosen) > 1 and chosen == list(range(chosen[0], len(along))):
        return f"{chosen[0]} and later"
    return ", ".join(map(str, chosen))
