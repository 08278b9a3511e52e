"""A plan over a bucket that reuses readings of unchanged objects is the plan that brings and reads them all.

`InMemoryEnvironment` compares both in each plan that reuses a reading.
"""

import os
import tempfile
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fakes.tagged_objects import (
    STRONG,
    TAGS,
    Tag,
    TaggedObjects,
    absent,
    of_content,
    weak,
)
from support.in_memory_environment import DesiredSegment
from support.integration_simulation import IntegrationEnvironment

from reconciler.buckets.connection import BucketLocation
from reconciler.buckets.source_objects import SourceBucket
from reconciler.core.errors import StorageError
from reconciler.core.model import Address, Exclusion, IdentifierType, SegmentSpec, Source
from reconciler.core.plan.model import Plan
from reconciler.core.ports import StateReader
from reconciler.members.bucket_mirror import Mirror
from reconciler.members.data_root import SourceChangedError
from reconciler.members.engine import DuckDbEngine
from reconciler.operations.read_sources import NO_READINGS, EarlierReadings

pytestmark = pytest.mark.promise("members")

LAPSED, LOYAL = Address("email", "lapsed"), Address("email", "loyal")
PLACE = BucketLocation("s3://acme/exports", "create it", "ask for rights", "look at the network")
OUT = "out.csv"
OLD = 60.0
"""Seconds."""


class World(IntegrationEnvironment):
    """Two audiences over objects that only a test writes. Each plan opens the bucket again."""

    def __init__(self, folder: Path, tag: Tag) -> None:
        super().__init__(folder)
        self.bucket = TaggedObjects(tag, lambda: self.clock.now())
        self.opened = 0
        self.requests: list[str] = []
        self.wishes = {one: DesiredSegment(one.audience) for one in (LAPSED, LOYAL)}
        self.write("lapsed-1.csv", "ab")
        self.write("loyal/1.csv", "cd")
        self.write(OUT, "x")
        self.clock.advance(OLD)

    def write(self, name: str, people: str) -> None:
        rows = "".join(f"{one}@example.com,{one}\n" for one in people)
        self.bucket.put(name, f"email,id\n{rows}".encode())

    def _sources(self) -> None:
        """Objects are as the test wrote them."""

    def _spec(self, address: Address, wish: DesiredSegment) -> SegmentSpec:
        spec = super()._spec(address, wish)
        pattern = "lapsed-*.csv" if address == LAPSED else "loyal/**/*.csv"
        listed = Exclusion((OUT,), ((IdentifierType.EMAIL, "email"),), max_shrink=1.0)
        audience = replace(spec.audience, source=Source((pattern,)), exclusion_lists=(listed,))
        return replace(spec, audience=audience)

    def _opened(self, state: StateReader) -> DuckDbEngine:
        return DuckDbEngine(self.mirror(), self.folder / "cache", state.snapshot_file, state.key(), None)

    def mirror(self) -> Mirror:
        self.opened += 1
        brought = self.folder / "brought" / str(self.opened)
        brought.mkdir(parents=True)
        clock = lambda: int(self.clock.now().timestamp() * 1_000_000_000)  # noqa: E731
        return Mirror(SourceBucket(self.bucket, PLACE), brought, lambda: None, PLACE.url, clock)

    def _planned_from(
        self,
        state: StateReader,
        only: Container[Address],
        counted: Container[Address],
        earlier: EarlierReadings,
    ) -> Plan:
        """Note which objects a plan with records brings, before it is compared with the one without."""
        before = len(self.bucket.asked)
        planned = super()._planned_from(state, only, counted, earlier)
        if earlier is not NO_READINGS:
            self.requests = sorted(self.bucket.asked[before:])
        return planned

    def reused(self) -> list[str]:
        return sorted(self.plan().reused)


@contextmanager
def opened(tag: Tag) -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), tag)
        try:
            yield world
        finally:
            world.close()


@pytest.fixture
def world() -> Iterator[World]:
    with opened(of_content) as made:
        yield made


@pytest.mark.parametrize("tag", STRONG)
def test_a_plan_of_unchanged_objects_lists_and_brings_none(tag: Tag) -> None:
    with opened(tag) as world:
        assert world.reused() == []
        assert len(world.requests) == 5
        world.run()
        assert world.reused() == ["lapsed", "loyal"]
        assert world.requests == ["list", "list"]


@pytest.mark.parametrize("tag", [weak, absent])
def test_an_object_without_a_strong_tag_is_read_in_each_run(tag: Tag) -> None:
    with opened(tag) as world:
        world.run()
        assert world.reused() == []


def test_only_objects_of_a_changed_audience_are_brought(world: World) -> None:
    world.run()
    world.write("lapsed-2.csv", "e")
    planned = world.plan()
    assert sorted(planned.reused) == ["loyal"]
    assert [one.members.delta.adds for one in planned.changes] == [1]
    assert [one for one in world.requests if one != "list"] == [
        "get lapsed-1.csv",
        "get lapsed-2.csv",
        f"get {OUT}",
    ]


def test_the_same_content_written_later_costs_one_reading(world: World) -> None:
    """Its time decides about `maxAge`."""
    world.run()
    world.write("lapsed-1.csv", "ab")
    planned = world.plan()
    assert (sorted(planned.reused), planned.changes) == (["loyal"], ())
    world.clock.advance(OLD)
    world.run()
    assert world.reused() == ["lapsed", "loyal"]


@pytest.mark.parametrize("tag", STRONG)
def test_another_content_of_the_same_size_and_second_is_read(tag: Tag) -> None:
    """Only a tag that follows from the time leaves it unseen, and then a reading so early is not recorded."""
    with opened(tag) as world:
        world.write("lapsed-1.csv", "ac")
        world.clock.advance(0.5)
        world.run()
        world.write("lapsed-1.csv", "az")
        planned = world.plan()
        assert "lapsed" not in planned.reused
        assert [one.members.delta.adds for one in planned.changes] == [1]


def test_a_store_whose_clock_is_ahead_costs_readings(world: World) -> None:
    world.bucket.now = lambda: world.clock.now() + timedelta(hours=1)
    world.write("lapsed-1.csv", "abe")
    world.run()
    assert world.reused() == ["loyal"]
    world.clock.advance(3_700)
    world.run()
    assert world.reused() == ["lapsed", "loyal"]


def test_an_object_replaced_after_it_was_listed_is_refused_also_without_conditions(world: World) -> None:
    world.bucket.honours_conditions = False
    root = world.mirror()
    [file] = root.matching("lapsed-1.csv")
    world.write("lapsed-1.csv", "zz")
    with pytest.raises(SourceChangedError):
        root.bring([file])


def test_a_store_that_fails_to_list_ends_the_plan(world: World) -> None:
    world.run()
    world.bucket.fails = True
    with pytest.raises(StorageError, match="can't list s3://acme/exports"):
        world.plan()


names = st.sampled_from(["lapsed-1.csv", "lapsed-2.csv", "loyal/1.csv", "loyal/deep/2.csv", OUT])
crowds = st.text("abcdx", min_size=1, max_size=3).map(lambda text: "".join(sorted(set(text))))
edits = st.one_of(
    st.tuples(st.just("write"), names, crowds),
    st.tuples(st.just("delete"), st.sampled_from(["lapsed-2.csv", "loyal/deep/2.csv"]), st.just("")),
    st.tuples(st.just("run"), st.just(""), st.just("")),
)
pauses = st.sampled_from([0.0, 0.4, 1.0, 3.0])


@settings(deadline=None, max_examples=int(os.environ.get("REUSE", "4")))
@given(st.sampled_from(TAGS), st.lists(st.tuples(edits, pauses), min_size=1, max_size=6))
def test_after_any_edits_the_plan_is_the_one_that_brings_all(
    tag: Tag, changes: list[tuple[tuple[str, str, str], float]]
) -> None:
    with opened(tag) as world:
        world.run()
        for (what, name, people), pause in changes:
            match what:
                case "write":
                    world.write(name, people)
                case "delete":
                    world.bucket.delete(name)
                case _:
                    world.run()
            world.plan()
            world.clock.advance(pause)
