"""Which segments of the seats are to be adopted, and how many others there are."""

import pytest

from reconciler.core.model import Address, IdentifierType, Seat
from reconciler.core.remote import Segment
from reconciler.core.state.ownership_tag import tag, with_tag
from reconciler.core.unmanaged import NotAdoptable, UnmanagedSegments, unmanaged_segments

pytestmark = pytest.mark.promise("refused-early")

EMAIL = IdentifierType.EMAIL
SEATS = (("acme", Seat("1", "7")), ("again", Seat("1", "7")), ("beta", Seat("2", "8")))


def found(
    *segments: Segment, managed: frozenset[str] = frozenset(), declared: frozenset[str] = frozenset()
) -> UnmanagedSegments:
    accounts = {account: [one for one in segments if one.account_id == account] for account in ("1", "2")}
    return unmanaged_segments(SEATS, accounts, managed, declared)


def test_segments_of_the_seats_are_found_by_name_under_their_first_seat() -> None:
    seen = found(Segment("5", "b", "", "1", "7", EMAIL), Segment("6", "A", "", "2", "8", EMAIL))
    assert [(one.seat, one.segment.id) for one in seen.adoptable] == [("beta", "6"), ("acme", "5")]
    assert dict(seen.others) == {}


def test_other_retailers_and_managed_segments_are_left_out() -> None:
    other, ours = Segment("5", "b", "", "1", "9", EMAIL), Segment("6", "A", "", "2", "8", EMAIL)
    seen = found(other, ours, managed=frozenset({"6"}))
    assert (seen.adoptable, dict(seen.others)) == ((), {})


def test_what_can_not_be_adopted_is_counted_by_reason() -> None:
    tagged = with_tag("theirs", tag("production", Address("email", "buyers"), "1a2b"))
    seen = found(
        Segment("1", "a", "", "1", "7", EMAIL),
        Segment("2", "b", tagged, "1", "7", EMAIL),
        Segment("3", "c", "", "1", "7", EMAIL, read_only=True),
        Segment("4", "d", "", "1", "7", None),
        declared=frozenset({"1"}),
    )
    assert seen.adoptable == ()
    assert seen.others == dict.fromkeys(NotAdoptable, 1)
