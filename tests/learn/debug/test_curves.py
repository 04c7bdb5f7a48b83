"""Curves drawn in characters."""

import math

import pytest

from glassformer.learn.debug.curves import curve_lines


def test_a_curve_that_falls_is_a_staircase() -> None:
    assert curve_lines([4, 3, 2, 1], width=4, height=2) == ["█▄  ", "███▄"]


def test_every_line_is_as_wide_as_asked_for_and_zero_leaves_nothing() -> None:
    lines = curve_lines([0, 1, 0.01], width=9, height=3)
    assert [len(line) for line in lines] == [9, 9, 9]
    assert [line[0] for line in lines] == [" ", " ", " "]
    assert [line[3] for line in lines] == ["█", "█", "█"]
    assert lines[-1][6] == "▁"  # next to nothing is not nothing


def test_more_points_than_columns_are_averaged() -> None:
    assert curve_lines([0, 2, 1, 1], width=2, height=1) == ["██"]


def test_what_is_not_a_number_is_a_cross_at_the_bottom() -> None:
    assert curve_lines([1, math.nan], width=2, height=2) == ["█ ", "█x"]
    assert curve_lines([math.nan], width=1, height=1) == ["x"]


def test_a_curve_of_zeros_is_empty() -> None:
    assert curve_lines([0, 0], width=2, height=1) == ["  "]


@pytest.mark.parametrize(("curve", "width", "height"), [([], 1, 1), ([1], 0, 1), ([1], 1, 0)])
def test_nothing_to_draw_or_nowhere_to_draw_it_is_refused(curve: list[float], width: int, height: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        curve_lines(curve, width, height)
