"""Audiences with the same files are read once, as far as one read can serve them."""

import pytest

from reconciler.core.model import IdentifierType
from reconciler.core.source_groups import (
    MOST,
    ConditionSize,
    IdentifierColumn,
    SourceNeeds,
    grouped,
    parted,
)

pytestmark = pytest.mark.promise("members")

EMAIL = IdentifierColumn(IdentifierType.EMAIL, "email", "")
CUSTOMER = IdentifierColumn(IdentifierType.CUSTOMER_ID, "id", "")
NO_SIZE = ConditionSize()
LIMIT = ConditionSize(growth=10, fixed=100)


def needs(name, files="a", identifiers=(EMAIL,), size=NO_SIZE, **meanings):
    return SourceNeeds(name, files, identifiers, meanings, size)


def names(groups):
    return ["".join(one.audience for one in group) for group in groups]


def test_each_set_of_files_is_read_once():
    all_ = [needs("x"), needs("y", files="b"), needs("z", identifiers=(CUSTOMER,)), needs("w", day="a date")]
    assert names(grouped(all_, LIMIT)) == ["xzw", "y"]
    assert grouped((), LIMIT) == ()


def test_a_column_that_is_read_in_two_ways_is_read_twice():
    all_ = [needs("x", id="a number"), needs("y", id="text"), needs("z", id="text", day="a date"), needs("w")]
    assert names(grouped(all_, LIMIT)) == ["xw", "yz"]


def test_conditions_that_are_computed_together_keep_to_the_limit_of_one():
    big = ConditionSize(growth=6)
    long = ConditionSize(fixed=60)
    all_ = [needs("x", size=big), needs("y", size=big), needs("z", size=long), needs("w", size=long)]
    assert names(grouped(all_, LIMIT)) == ["xz", "yw"]
    alone = needs("x", size=ConditionSize(growth=11))
    assert names(grouped([alone, needs("y")], LIMIT)) == ["x", "y"]


def test_a_reading_serves_so_many_audiences_and_no_more():
    assert [len(group) for group in grouped([needs(str(n)) for n in range(MOST + 1)], LIMIT)] == [MOST, 1]


def test_a_group_that_fails_is_parted_by_columns_and_then_in_two():
    x, y, z, w = needs("x"), needs("y", day="a date"), needs("z"), needs("w", identifiers=(CUSTOMER,))
    assert names(parted((x, y, z, w))) == ["xz", "y", "w"]
    assert names(parted((x, z))) == ["x", "z"]
    assert names(parted((x, z, needs("q")))) == ["x", "zq"]
