"""Suppression lists of an environment are part of each definition, and block what they cannot protect."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from support.in_memory_environment import DesiredSegment, InMemoryEnvironment

from reconciler.core.definition import parts_of
from reconciler.core.erasure import Erasures
from reconciler.core.list_refusals import list_refusals
from reconciler.core.lists import ListChange
from reconciler.core.members import EMPTY_SNAPSHOT, Delta, ListMatches, ReadList, SnapshotRef, TargetMembers
from reconciler.core.model import (
    Address,
    Exclusion,
    Guards,
    Hashing,
    IdentifierType,
    ListKind,
    SegmentSpec,
    SourceLocation,
)
from reconciler.core.overridden import guards_of
from reconciler.core.plan.changes import Delete, Emptying, MemberChange, Removal
from reconciler.core.plan.forgotten import forgotten_specs
from reconciler.core.plan.guards import GuardInput, relaxed_guards
from reconciler.core.plan.observed import Departure, ObservedState
from reconciler.core.plan.planner import create_plan
from reconciler.core.state.codec import decode_erasures, encode_erasures
from reconciler.core.state.resource import ResourceState, SegmentState

pytestmark = pytest.mark.promise("lists")

EMAIL, PHONE = IdentifierType.EMAIL, IdentifierType.PHONE_NUMBER
ADDRESS = Address("offsite", "buyers")
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
PLACE = SourceLocation("environments/production/environment.yaml", 9, 3)
OPTED_OUT = Exclusion(
    ("opt-outs.csv",), ((PHONE, "phone"),), PLACE, kind=ListKind.SUPPRESSION, name="opted-out"
)


def world() -> InMemoryEnvironment:
    return InMemoryEnvironment(wishes={ADDRESS: DesiredSegment("Buyers")}, guards=Guards())


def suppressing(*, exempt: bool = False) -> SegmentSpec:
    [spec] = world().desired().segments
    audience = replace(spec.audience, columns=((EMAIL, "email"),), suppression_lists=(OPTED_OUT,))
    return replace(spec, audience=audience, exempt=exempt)


def read(matches: ListMatches, found: int = 1000) -> ReadList:
    members = SnapshotRef("d", found)
    return ReadList(
        OPTED_OUT.files, EMAIL, members, found, 0, 0.05, PLACE, matches, ListKind.SUPPRESSION, "opted-out"
    )


def test_a_list_and_an_exemption_are_parts_of_the_definition() -> None:
    [plain] = world().desired().segments
    named = dict(parts_of(suppressing(exempt=True)))
    assert named["suppress.opted-out.files"] == "opt-outs.csv"
    assert named["suppress.exempt"] == "true"
    digests = {one.definition for one in (plain, suppressing(), suppressing(exempt=True))}
    assert len(digests) == 3


def test_a_list_without_a_shared_type_blocks_unless_it_is_exempt() -> None:
    [finding] = list_refusals(suppressing(), (), NOON.date())
    assert finding.problem == (
        "the suppression list opted-out can't be matched: it shares no identifier type with the audience"
    )
    assert "under `suppress.exempt` in" in finding.remedy
    assert not list(list_refusals(suppressing(exempt=True), (), NOON.date()))


def test_a_list_that_is_hashed_in_another_way_blocks() -> None:
    shared = replace(OPTED_OUT, columns=((EMAIL, "email"),))
    spec = suppressing()
    spec = replace(spec, audience=replace(spec.audience, suppression_lists=(shared,)))
    fine, other = (ListMatches(EMAIL, Hashing.SHA256, incomparable=one) for one in (False, True))
    assert not list(list_refusals(spec, (ListChange(None, read(fine), 0),), NOON.date()))
    [finding] = list_refusals(spec, (ListChange(None, read(other), 0),), NOON.date())
    assert "are hashed in different ways" in finding.problem


def test_forgotten_addresses_are_cleaned_only_where_there_are_lists() -> None:
    desired = world().desired()
    gone = Address("offsite", "gone")
    resource = ResourceState(gone, SegmentState(desired.segments[0].key, "7"), forgotten_at=NOON)
    assert forgotten_specs(desired, [resource], {gone}) == {}
    environment = replace(desired.environment, suppression_lists=(OPTED_OUT,))
    found = forgotten_specs(replace(desired, environment=environment), [resource], {gone})
    assert found[gone].audience.suppression_lists == (OPTED_OUT,)
    assert guards_of(desired, gone) == desired.environment.guards


def test_a_teardown_leaves_no_segment_for_a_removal() -> None:
    [spec] = world().desired().segments
    gone = Departure("current", EMPTY_SNAPSHOT, EMPTY_SNAPSHOT, SnapshotRef("d", 5))
    emptying = Emptying("Buyers", spec.key, "criteo", 5, 5, 0, ())
    delete = Delete(ADDRESS, emptying, ("7",))
    assert Removal(spec, (gone,)).beside(delete) == Removal(spec, ())


def test_a_new_list_that_finds_nobody_is_noted_once() -> None:
    desired = world().desired()
    observed = ObservedState(
        head=None,
        resources={},
        segments={},
        targets={},
        comparisons={},
        statistics={},
        rates={},
        now=NOON,
        conflicts={ADDRESS: Address("offsite", "former")},
        lists={ADDRESS: (ListChange(None, read(ListMatches(EMAIL, Hashing.SHA256, rows=9)), 0),)},
    )
    noted = create_plan(desired, observed, frozenset()).notes
    assert [one for one in noted if "no source has a member of the suppression list opted-out (Email)" in one]


def test_an_erasure_list_is_read_back() -> None:
    assert decode_erasures(encode_erasures(Erasures())) == Erasures()


def test_a_limit_that_only_an_override_allows_is_named() -> None:
    [spec] = world().desired().segments
    target = TargetMembers(SnapshotRef("d", 700), EMPTY_SNAPSHOT, 700, ())
    change = MemberChange(1000, target, Delta(0, 0, 300))
    question = GuardInput(replace(spec, in_force=Guards(max_shrink=0.5)), change, 1000, fresh=False, now=NOON)
    [said] = relaxed_guards(question, Guards())
    assert said.endswith("allowed only by an override, `maxShrink: 50%`")
