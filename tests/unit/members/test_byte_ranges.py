"""Ranges of bytes: nothing that is wanted is left out, and nothing is brought twice."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.members.byte_ranges import Range, left, pieces, united

pytestmark = pytest.mark.promise("members")

ranges = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda one: (one[0], one[0] + one[1])), max_size=6
)


def bytes_of(found: list[Range] | tuple[Range, ...]) -> set[int]:
    return {byte for start, end in found for byte in range(start, end)}


@given(ranges, st.integers(0, 9))
def test_united_ranges_have_all_bytes_and_are_apart(wanted: list[Range], gap: int) -> None:
    found = united(wanted, gap)
    assert bytes_of(found) >= bytes_of(wanted)
    assert all(later[0] - earlier[1] > gap for earlier, later in pairwise(found))
    assert bytes_of(united(wanted)) == bytes_of(wanted)


@given(ranges, ranges)
def test_what_is_left_are_the_bytes_that_are_not_there(wanted: list[Range], there: list[Range]) -> None:
    assert bytes_of(left(wanted, there)) == bytes_of(wanted) - bytes_of(there)


@given(ranges, st.integers(1, 7))
def test_pieces_have_the_same_bytes_and_a_limit(wanted: list[Range], most: int) -> None:
    found = pieces(wanted, most)
    assert all(0 < end - start <= most for start, end in found)
    assert bytes_of(found) == bytes_of(wanted)
