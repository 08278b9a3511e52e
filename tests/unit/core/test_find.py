"""Every set of members that a resource state names is searched, in the form in which it is written."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from reconciler.core.find import StoredRole, stored_sets, written_forms
from reconciler.core.identifiers import normalize
from reconciler.core.members import EMPTY_SNAPSHOT, NO_DELTA, AppliedList, ListMatches, SnapshotRef
from reconciler.core.model import Address, Hashing, IdentifierType, SegmentKey
from reconciler.core.state.resource import ResourceState, RetiredSegment, SegmentState, Transfer

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
EMAIL, PHONE = IdentifierType.EMAIL, IdentifierType.PHONE_NUMBER
KEY = SegmentKey("1", "2", EMAIL, Hashing.MD5)


def snapshot(number: int) -> SnapshotRef:
    return SnapshotRef(f"{number:064x}", number)


def test_every_snapshot_of_a_resource_state_is_searched() -> None:
    moving = Transfer(snapshot(3), snapshot(4), NO_DELTA)
    current = SegmentState(KEY, "7", confirmed=snapshot(1), uncertain=snapshot(2), transfer=moving)
    old = RetiredSegment(SegmentState(KEY, "5", confirmed=snapshot(5)), NOW)
    matches = ListMatches(EMAIL, Hashing.MD5, found=snapshot(6), excluded=snapshot(7))
    listed = AppliedList(("gone.csv",), EMAIL, snapshot(8), matches, NOW)
    resource = ResourceState(
        Address("email", "buyers"),
        current,
        replacement=SegmentState(KEY, "8", confirmed=snapshot(9)),
        retired=(old,),
        lists=(listed,),
    )
    found = {(one.place.role, one.place.segment_id, one.snapshot.count): one for one in stored_sets(resource)}
    assert {one.snapshot for one in found.values()} == resource.references
    assert {(role.value, segment, count) for role, segment, count in found} == {
        ("confirmed", "7", 1),
        ("uncertain", "7", 2),
        ("pending", "7", 3),
        ("pending", "7", 4),
        ("confirmed", "5", 5),
        ("listed", "", 6),
        ("excluded", "", 7),
        ("listed", "", 8),
        ("confirmed", "8", 9),
    }
    assert found[StoredRole.LISTED, "", 8].hashings == (Hashing.SHA256, Hashing.SHA256_OF_MD5)
    assert found[StoredRole.CONFIRMED, "7", 1].hashings == (Hashing.MD5,)


def test_empty_sets_are_not_searched() -> None:
    empty = SegmentState(KEY, "7", transfer=Transfer(EMPTY_SNAPSHOT, EMPTY_SNAPSHOT, NO_DELTA))
    listed = AppliedList(("gone.csv",), EMAIL, EMPTY_SNAPSHOT, ListMatches(EMAIL, Hashing.MD5), NOW)
    assert not list(stored_sets(replace(ResourceState(Address("email", "buyers"), empty), lists=(listed,))))


@pytest.mark.parametrize("hashing", Hashing)
def test_an_address_is_searched_in_each_hashing(hashing: Hashing) -> None:
    forms = dict(written_forms(" Person1@Example.com ", ()))
    assert forms[EMAIL, hashing] == normalize("person1@example.com", EMAIL, hashing).value
    assert (PHONE, Hashing.SHA256) not in forms


def test_a_phone_number_is_searched_as_it_is_written_in_each_country() -> None:
    forms = written_forms("030 1234567", ("DE", "FR"))
    assert ((PHONE, Hashing.NONE), "+49301234567") in forms
    assert not any(kind[0] == PHONE for kind, _ in written_forms("030 1234567", ()))


def test_what_is_no_identifier_has_no_form() -> None:
    assert written_forms("\x07", ("DE",)) == frozenset()
