"""What a test environment left at Criteo: members of forgotten addresses, and segments without a state."""

from dataclasses import replace

import pytest
from golden import plan_cases as cases

from reconciler.core.desired_state import DesiredState
from reconciler.core.members import EMPTY_SNAPSHOT, SnapshotRef
from reconciler.core.model import Address
from reconciler.core.plan.left_behind import LeftBehind, left_behind
from reconciler.core.remote import Segment
from reconciler.core.state.ownership_tag import tag, with_tag
from reconciler.core.state.resource import ResourceState, RetiredSegment, SegmentState

pytestmark = pytest.mark.promise("read-right")

LINEAGE = "1a2b3c4d"
SANDBOX = replace(cases.ENVIRONMENT, name="sandbox", name_prefix="[sandbox] ", sample_rows=100)
GONE, SPEC = Address("offsite-email", "gone"), cases.LAPSED
HELD = SegmentState(SPEC.key, segment_id="1", confirmed=SnapshotRef("ab", 90), uncertain=SnapshotRef("cd", 7))
FORGOTTEN = ResourceState(GONE, HELD, forgotten_at=cases.NOW)
EMPTIED = replace(HELD, confirmed=EMPTY_SNAPSHOT, uncertain=EMPTY_SNAPSHOT)


def segment(segment_id: str, name: str, description: str = "") -> Segment:
    return Segment(segment_id, name, description, SPEC.key.account_id, SPEC.key.retailer_id, None)


def found(
    *resources: ResourceState,
    segments: tuple[Segment, ...] = (segment("1", "any"),),
    environment: cases.Environment = SANDBOX,
    only: frozenset[Address] = frozenset({GONE, SPEC.address}),
    lineage: str = LINEAGE,
) -> list[LeftBehind]:
    desired = DesiredState(environment, (), (SPEC,))
    there = {one.id: one for one in segments}
    return list(left_behind(desired, lineage, resources, there, only))


def test_members_of_a_forgotten_address_are_named() -> None:
    assert found(FORGOTTEN) == [LeftBehind("1", GONE, 97)]
    assert found(replace(FORGOTTEN, forgotten_at=None)) == []
    assert found(replace(FORGOTTEN, current=EMPTIED)) == []
    assert found(FORGOTTEN, segments=()) == []
    assert found(FORGOTTEN, only=frozenset({SPEC.address})) == []


def test_replaced_segments_count_too() -> None:
    old = RetiredSegment(replace(HELD, segment_id="2"), cases.NOW)
    resource = replace(FORGOTTEN, current=EMPTIED, retired=(old,))
    there = (segment("1", "any"), segment("2", "old"))
    assert found(resource, segments=there) == [LeftBehind("2", GONE, 97)]


def test_segments_that_no_state_knows_are_named_by_prefix_or_tag() -> None:
    gone = with_tag("", tag("sandbox", GONE, LINEAGE))
    there = (
        segment("3", "[sandbox] Buyers"),
        segment("4", "Renamed", gone),
        segment("5", "Theirs"),
        segment("6", "Theirs", with_tag("", tag("other", GONE, "ffff"))),
        segment("7", "[sandbox] Drift", with_tag("", tag("sandbox", SPEC.address, LINEAGE))),
    )
    assert found(segments=there) == [LeftBehind("3"), LeftBehind("4")]
    assert found(segments=there, lineage="") == [LeftBehind("3")]
    assert found(segments=there, environment=replace(SANDBOX, name_prefix="")) == [LeftBehind("4")]
    assert found(FORGOTTEN, segments=there, only=frozenset()) == []


def test_an_environment_without_a_sample_leaves_no_test_members() -> None:
    assert found(FORGOTTEN, environment=replace(SANDBOX, sample_rows=None)) == []
