"""Every confusion is run once for all tests."""

from functools import cache

import pytest

from glassformer.learn.why.catalogue import CONFUSIONS
from glassformer.learn.why.confusion import Confusion
from glassformer.learn.why.run import Demonstration

EACH = pytest.mark.parametrize("confusion", [pytest.param(each, id=each.slug) for each in CONFUSIONS])


@cache
def demonstration(confusion: Confusion) -> Demonstration:
    return confusion.demonstrate()
