"""The changed parts of a definition are named, with old and new values."""

from dataclasses import replace

import pytest
from support.in_memory_environment import OPEN, DesiredSegment, InMemoryEnvironment

from reconciler.core.definition import parts_of, redefined
from reconciler.core.errors import StorageError
from reconciler.core.model import Address, Exclusion, IdentifierType, SegmentSpec, Source
from reconciler.core.pii import REDACTED
from reconciler.core.plan.changes import PartChange, Update
from reconciler.core.plan.drift import detect_drift
from reconciler.core.state.codec import decode_resource, encode_resource
from reconciler.core.state.resource import ResourceState

pytestmark = pytest.mark.promise("read-right")

ADDRESS = Address("offsite", "buyers")


@pytest.fixture
def world() -> InMemoryEnvironment:
    world = InMemoryEnvironment(
        wishes={ADDRESS: DesiredSegment("Buyers")}, people={"buyers": frozenset("abcd")}
    )
    world.run()
    return world


def spec(world: InMemoryEnvironment) -> SegmentSpec:
    [one] = world.desired().segments
    return one


def resource(world: InMemoryEnvironment) -> ResourceState:
    return world.store.saved_resources[ADDRESS]


def sourced(one: SegmentSpec, **changes: object) -> SegmentSpec:
    return replace(one, audience=replace(one.audience, source=replace(one.audience.source, **changes)))


def test_a_guard_that_changed_is_named_with_both_values(world: InMemoryEnvironment) -> None:
    world.guards = replace(OPEN, max_invalid=0.25)
    made = world.plan()
    assert made.redefined == {ADDRESS: (PartChange("guards.maxInvalid", "100%", "25%"),)}
    world.run()
    assert world.plan().redefined == {}


def test_parts_that_come_and_go_are_named(world: InMemoryEnvironment) -> None:
    listed = Exclusion(("out.csv",), ((IdentifierType.EMAIL, "mail"),), country="FR")
    one = sourced(spec(world), where="age > 18", sample_rows=1_000, pinned=True)
    columns = ((IdentifierType.EMAIL, "email"),)
    one = replace(one, audience=replace(one.audience, exclusion_lists=(listed,), columns=columns))
    unlisted = (part for part in resource(world).parts if not part[0].startswith(("exclude", "columns")))
    before = replace(resource(world), parts=(*unlisted, ("source.maxAge", "36 hours")))
    assert redefined(one, before) == (
        PartChange("columns.Email", "", "email"),
        PartChange("exclude[0].columns.Email", "", "mail"),
        PartChange("exclude[0].defaultCountry", "", "FR"),
        PartChange("exclude[0].files", "", "out.csv"),
        PartChange("exclude[0].maxShrink", "", "5%"),
        PartChange("sample.rows", "", "1,000"),
        PartChange("source.maxAge", "36 hours", ""),
        PartChange("source.pinned", "", "true"),
        PartChange("source.where", "", "age > 18"),
    )


def test_each_of_many_new_parts_is_named(world: InMemoryEnvironment) -> None:
    one, columns = spec(world), ((IdentifierType.EMAIL, "mail"),)
    lists = tuple(Exclusion((f"out-{number}.csv",), columns) for number in range(30))
    named = redefined(replace(one, audience=replace(one.audience, exclusion_lists=lists)), resource(world))
    added = {PartChange(f"exclude[{number}].files", "", f"out-{number}.csv") for number in range(1, 30)}
    assert added <= set(named)


def test_what_was_never_applied_in_full_is_compared_with_nothing(world: InMemoryEnvironment) -> None:
    one = sourced(spec(world), where="true")
    assert redefined(one, None) == ()
    assert redefined(one, replace(resource(world), parts=())) == ()


def test_what_looks_like_a_person_is_withheld(world: InMemoryEnvironment) -> None:
    source = Source(("files/jane.doe@example.com.csv",), "mail = 'jane.doe@example.com'")
    one = spec(world)
    parts = dict(parts_of(replace(one, audience=replace(one.audience, source=source))))
    assert parts["source.where"] == REDACTED
    assert parts["source.files"] == f"files/{REDACTED}"
    assert "example.com" not in repr(parts)


def test_a_title_is_reported_once(world: InMemoryEnvironment) -> None:
    world.wishes[ADDRESS] = DesiredSegment("Customers", "new")
    made = world.plan()
    [change] = made.changes
    assert isinstance(change, Update)
    assert [one.name for one in change.attributes] == ["description", "name"]
    assert not any(one.drifted for one in change.attributes)
    assert made.redefined == {}


def test_an_outside_rename_beside_another_change_is_drift(world: InMemoryEnvironment) -> None:
    segment_id = resource(world).current.segment_id
    world.criteo.rename(segment_id, "By hand")
    world.guards = replace(OPEN, max_invalid=0.25)
    [change] = world.plan().changes
    assert isinstance(change, Update)
    assert [(one.name, one.before, one.drifted) for one in change.attributes] == [("name", "By hand", True)]
    segment = world.criteo.segment(segment_id)
    head = world.store.reader().head()
    assert segment
    assert head
    found = {segment_id: segment.value}
    [drift] = detect_drift(world.desired(), head.lineage, {ADDRESS: resource(world)}, found, {})
    assert [(one.name, one.after) for one in drift.attributes] == [("name", "By hand")]


def test_an_outside_rename_beside_another_title_is_drift(world: InMemoryEnvironment) -> None:
    world.criteo.rename(resource(world).current.segment_id, "By hand")
    world.wishes[ADDRESS] = DesiredSegment("Customers")
    made = world.plan()
    [change] = made.changes
    assert isinstance(change, Update)
    assert [one.drifted for one in change.attributes] == [True]
    assert made.redefined == {ADDRESS: (PartChange("name", "Buyers", "Customers"),)}


def test_without_known_parts_nothing_is_called_drift(world: InMemoryEnvironment) -> None:
    world.store.saved_resources[ADDRESS] = replace(resource(world), parts=(), definition="")
    world.criteo.rename(resource(world).current.segment_id, "By hand")
    [change] = world.plan().changes
    assert isinstance(change, Update)
    assert [one.drifted for one in change.attributes] == [False]


def test_parts_are_kept_and_damaged_ones_refused(world: InMemoryEnvironment) -> None:
    encoded = encode_resource(resource(world))
    assert decode_resource(encoded) == resource(world)
    for damaged in ({}, [{"path": "name"}], [{"path": "name", "value": 1}]):
        with pytest.raises(StorageError):
            decode_resource({**encoded, "parts": damaged})
