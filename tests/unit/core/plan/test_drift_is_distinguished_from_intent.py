"""Drift is a change outside reconciler; a change in the manifests is not."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from golden import plan_cases as cases

from reconciler.core.desired_state import DesiredState
from reconciler.core.members import EMPTY_SNAPSHOT, NO_DELTA, SnapshotRef
from reconciler.core.plan.changes import AttributeChange
from reconciler.core.plan.drift import Drift, NotComparable, detect_drift, uncounted, untracked_segments
from reconciler.core.remote import Segment, Statistics
from reconciler.core.state.ownership_tag import tag, with_tag
from reconciler.core.state.resource import ResourceState, SegmentState, Transfer, UnconfirmedUpdate

pytestmark = pytest.mark.promise("read-right")

SPEC = cases.LAPSED
LINEAGE = "1a2b3c4d"
OURS = tag(cases.ENVIRONMENT.name, SPEC.address, LINEAGE)
LEFT = datetime(2026, 11, 23, 9, tzinfo=UTC)
HOLDING = SegmentState(
    SPEC.key,
    segment_id="1",
    confirmed=SnapshotRef("ab", 5_000),
    rejected=100,
    completed_size=5_000,
    completed_at=LEFT,
)
RESOURCE = ResourceState(SPEC.address, HOLDING, definition=SPEC.definition)
SEGMENT = Segment(
    "1",
    SPEC.name,
    with_tag(SPEC.description, OURS),
    SPEC.key.account_id,
    SPEC.key.retailer_id,
    SPEC.key.identifier_type,
)
COUNTED = {"1": Statistics(4_900, 4_000, 0.8)}
DESIRED = DesiredState(cases.ENVIRONMENT, (), (SPEC,))


def found(
    resource: ResourceState = RESOURCE,
    segment: Segment | None = SEGMENT,
    statistics: Mapping[str, Statistics] = COUNTED,
    desired: DesiredState = DESIRED,
) -> list[Drift]:
    segments = {segment.id: segment} if segment else {}
    return list(detect_drift(desired, LINEAGE, {resource.address: resource}, segments, statistics))


def test_what_is_as_we_left_it_is_no_drift() -> None:
    assert found() == []
    assert found(statistics={}) == []
    assert found(statistics={"1": Statistics(None, None, None)}) == []


def test_a_changed_name_is_reported_with_both_values() -> None:
    [drift] = found(segment=replace(SEGMENT, name="Mine now"))
    assert drift.attributes == (AttributeChange("name", SPEC.name, "Mine now"),)


def test_what_the_manifests_ask_for_is_no_drift() -> None:
    changed = replace(DESIRED, segments=(replace(SPEC, name="New title"),))
    assert found(desired=changed) == []
    assert found(desired=replace(DESIRED, segments=())) == []


def test_unmanaged_segments_have_no_drift() -> None:
    assert found(replace(RESOURCE, forgotten_at=LEFT), None) == []
    assert found(replace(RESOURCE, current=replace(HOLDING, segment_id="")), None) == []


def test_a_missing_segment_is_reported_by_its_id() -> None:
    [drift] = found(segment=None)
    assert (drift.missing_segment_id, drift.title, drift.in_manifests) == ("1", SPEC.name, True)
    [drift] = found(segment=None, desired=replace(DESIRED, segments=()))
    assert not drift.in_manifests


def test_a_tagged_segment_outside_the_state_is_reported() -> None:
    ours = replace(SEGMENT, description=f"x {tag('production', SPEC.address, 'ffff')}")
    strange = replace(SEGMENT, description=str(tag("sandbox", SPEC.address, LINEAGE)))
    plain = replace(SEGMENT, description="")
    [drift] = untracked_segments(DESIRED, (), (plain, ours, strange))
    assert (drift.address, drift.untracked_segment_id) == (SPEC.address, "1")
    assert list(untracked_segments(DESIRED, {SPEC.address}, (ours,))) == []


@pytest.mark.parametrize(("counted", "tells"), [(4_900, False), (4_851, False), (4_850, True), (5_000, True)])
def test_counts_are_compared_softly_and_without_the_rejected(counted: int, tells: bool) -> None:
    assert bool(found(statistics={"1": Statistics(counted, 0, 0.0)})) == tells


@pytest.mark.parametrize(
    ("after", "tells"), [(timedelta(minutes=5), False), (timedelta(minutes=6), True), (-timedelta(1), False)]
)
def test_an_outside_change_is_later_than_ours(after: timedelta, tells: bool) -> None:
    drift = found(segment=replace(SEGMENT, updated_at=LEFT + after))
    assert [one.touched_at for one in drift] == ([LEFT + after] if tells else [])


def test_our_own_rename_is_not_an_outside_change() -> None:
    late = replace(SEGMENT, updated_at=LEFT + timedelta(hours=3))
    patched = replace(HOLDING, updated_at=LEFT + timedelta(hours=3))
    assert found(replace(RESOURCE, current=patched), late) == []
    under_way = (
        replace(HOLDING, unconfirmed_updates=(UnconfirmedUpdate("a", None, LEFT),)),
        replace(HOLDING, transfer=Transfer(HOLDING.confirmed, EMPTY_SNAPSHOT, NO_DELTA)),
        replace(HOLDING, uncertain=SnapshotRef("cd", 1)),
    )
    for holding in under_way:
        assert found(replace(RESOURCE, current=holding), late) == []


@pytest.mark.parametrize(
    ("holding", "now", "why"),
    [
        (HOLDING, LEFT + timedelta(hours=3, minutes=1), None),
        (HOLDING, LEFT + timedelta(hours=2), NotComparable.RECENT),
        (
            replace(HOLDING, completed_at=LEFT + timedelta(hours=2)),
            LEFT + timedelta(hours=4),
            NotComparable.RECENT,
        ),
        (replace(HOLDING, completed_at=None), LEFT + timedelta(days=1), NotComparable.EMPTY),
        (replace(HOLDING, members_unknown_before=LEFT), LEFT + timedelta(days=1), NotComparable.UNKNOWN),
        (replace(HOLDING, segment_id=""), LEFT + timedelta(days=1), NotComparable.IN_PROGRESS),
        (
            replace(HOLDING, uncertain=SnapshotRef("cd", 1)),
            LEFT + timedelta(days=1),
            NotComparable.IN_PROGRESS,
        ),
        (
            replace(HOLDING, transfer=Transfer(HOLDING.confirmed, EMPTY_SNAPSHOT, NO_DELTA)),
            LEFT + timedelta(days=1),
            NotComparable.IN_PROGRESS,
        ),
    ],
)
def test_members_are_compared_once_a_computation_has_seen_them(
    holding: SegmentState, now: datetime, why: NotComparable | None
) -> None:
    assert uncounted(holding, now) == why
