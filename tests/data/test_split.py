"""Splits by hash: the same everywhere, of the right size, and never mixed up."""

import pytest

from glassformer.data.split import check_same_split, part_of, stable_fraction
from glassformer.errors import UserError


def test_the_fraction_is_the_head_of_the_sha256() -> None:
    # printf hello | sha256sum begins with 2cf24dba5fb0a30e
    assert stable_fraction("hello") == (0x2CF24DBA5FB0A30E >> 11) / 2**53


def test_parts_have_the_sizes_asked_for() -> None:
    parts = [part_of(str(number), valid=0.1, test=0.2) for number in range(20_000)]
    assert parts.count("valid") / 20_000 == pytest.approx(0.1, abs=0.01)
    assert parts.count("test") / 20_000 == pytest.approx(0.2, abs=0.01)


def test_a_larger_validation_part_takes_nothing_from_the_test_part() -> None:
    words = [str(number) for number in range(1000)]
    small, large = ({word for word in words if part_of(word, valid=v, test=0.1) == "test"} for v in (0.01, 0.3))
    assert small == large


def test_another_split_of_the_same_data_is_refused_and_other_data_are_not() -> None:
    ours = {"name": "pronounce", "data": "cmudict", "split": "ours"}
    papers = {"name": "pronasyl", "data": "cmudict", "split": "papers"}
    check_same_split(ours, dict(ours))
    check_same_split(ours, {"name": "reverse", "data": "letters", "split": "theirs"})
    with pytest.raises(UserError, match=r"trained on pronounce .* this is pronasyl .* say --anyway"):
        check_same_split(ours, papers)
