"""A plan that reuses readings of unchanged sources is the plan that reads them, whatever happened between.

`InMemoryEnvironment` compares both in each plan that reuses a reading.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fakes.clock import NOON
from support.fakes.crash import Crash
from support.in_memory_environment import EMAIL, EVERYTHING, DesiredSegment
from support.integration_simulation import IntegrationEnvironment, identifier

from reconciler.core.members import AudienceRequest, BuiltAudience, SourceProgress
from reconciler.core.model import Address, Exclusion, IdentifierType, SegmentSpec, Source
from reconciler.core.ports import StateReader
from reconciler.core.reuse import ReadRecord, ReadRecords
from reconciler.core.state.codec import dump, encode_records
from reconciler.members import identities
from reconciler.members.data_root import LocalFolder
from reconciler.members.engine import DuckDbEngine
from reconciler.operations.restore_state import restore_to

pytestmark = pytest.mark.promise("members")

LAPSED, LOYAL = Address("email", "lapsed"), Address("email", "loyal")
LATER = 3_600 * 1_000_000_000
OUT = "out.csv"


class WatchedEngine(DuckDbEngine):
    """Calls `during` while sources are read."""

    during: Callable[[], None]

    def build(
        self,
        requests: Sequence[AudienceRequest],
        today: date,
        progress: Callable[[SourceProgress], None],
    ) -> Mapping[str, BuiltAudience]:
        found = super().build(requests, today, progress)
        self.during()
        return found


class World(IntegrationEnvironment):
    """Two audiences over files that only a test writes. `during` is called while sources are read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.where = ""
        self.sample_rows: int | None = None
        self.during: Callable[[], None] = lambda: None
        self.wishes = {one: DesiredSegment(one.audience) for one in (LAPSED, LOYAL)}
        self.write("lapsed-1.csv", "ab")
        self.write("loyal-1.csv", "cd")
        self.write(OUT, "x")

    def write(self, name: str, people: str, day: str = "2026-11-20") -> None:
        rows = "".join(f"{one}@example.com,{one},{day}\n" for one in people)
        (self.folder / "data" / name).write_text(f"email,id,day\n{rows}")

    def file(self, name: str = "lapsed-1.csv") -> Path:
        return self.folder / "data" / name

    def _sources(self) -> None:
        """Files are as the test wrote them."""

    def _spec(self, address: Address, wish: DesiredSegment) -> SegmentSpec:
        spec = super()._spec(address, wish)
        source = Source((f"{address.audience}-*.csv",), where=self.where)
        listed = Exclusion((OUT,), ((IdentifierType.EMAIL, "email"),), max_shrink=1.0)
        return replace(spec, audience=replace(spec.audience, source=source, exclusion_lists=(listed,)))

    def _opened(self, state: StateReader) -> DuckDbEngine:
        root, cache = LocalFolder(self.folder / "data"), self.folder / "cache"
        engine = WatchedEngine(root, cache, state.snapshot_file, state.key(), self.sample_rows)
        engine.during = self.during
        return engine

    def reused(self) -> list[str]:
        """Audiences whose sources a plan does not read."""
        return sorted(self.plan().reused)


@pytest.fixture(autouse=True)
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that tests wrote a moment ago count as old."""
    now = identities.time_ns
    monkeypatch.setattr(identities, "time_ns", lambda: now() + LATER)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def test_unchanged_sources_are_not_read_again(world: World) -> None:
    assert world.reused() == []
    world.run()
    assert world.reused() == ["lapsed", "loyal"]
    world.run()
    assert world.reused() == ["lapsed", "loyal"]
    assert not world.plan().changes


def rewritten_with_its_size_and_time(file: Path) -> None:
    before = file.stat()
    file.write_text(file.read_text().replace("b", "z"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size


def replaced_by_rename(file: Path) -> None:
    before, new = file.stat(), file.with_suffix(".new")
    new.write_text(file.read_text().replace("b", "z"))
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.rename(file)


def appended(file: Path) -> None:
    with file.open("a") as text:
        text.write("z@example.com,z,2026-11-20\n")


def joined_by_another(file: Path) -> None:
    file.with_name("lapsed-2.csv").write_text("email,id,day\nz@example.com,z,2026-11-20\n")


@pytest.mark.parametrize(
    "change", [rewritten_with_its_size_and_time, replaced_by_rename, appended, joined_by_another]
)
def test_a_changed_file_is_read(world: World, change: Callable[[Path], None]) -> None:
    world.run()
    change(world.file())
    planned = world.plan()
    assert sorted(planned.reused) == ["loyal"]
    assert [one.members.delta.adds for one in planned.changes] == [1]
    world.run()
    assert world.reused() == ["lapsed", "loyal"]


def test_a_file_that_was_only_touched_costs_one_reading(world: World) -> None:
    world.run()
    world.file().touch()
    planned = world.plan()
    assert (sorted(planned.reused), planned.changes) == (["loyal"], ())
    world.run()
    assert world.reused() == ["lapsed", "loyal"]


def test_a_file_written_just_before_its_reading_is_not_trusted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within one tick of the file system, another content may have the same times."""
    newest = max(world.file(name).stat().st_ctime_ns for name in ("lapsed-1.csv", "loyal-1.csv", OUT))
    monkeypatch.setattr(identities, "time_ns", lambda: newest + 1_999_999_999)
    world.run()
    assert world.reused() == []
    rewritten_with_its_size_and_time(world.file())
    assert [one.members.delta.adds for one in world.plan().changes] == [1]


def test_a_file_that_grows_while_it_is_read_is_not_recorded(world: World) -> None:
    world.during = lambda: appended(world.file())
    world.run()
    world.during = lambda: None
    planned = world.plan()
    assert sorted(planned.reused) == ["loyal"]
    assert [one.members.delta.adds for one in planned.changes] == [1]


def test_a_changed_exclusion_list_is_read(world: World) -> None:
    world.run()
    world.write(OUT, "xa")
    planned = world.plan()
    assert not planned.reused
    assert [one.members.delta.out for one in planned.changes] == [1]


def test_today_in_where_reads_again_after_midnight(world: World) -> None:
    world.where = "day < :today"
    world.write("lapsed-1.csv", "ab")
    world.write("lapsed-2.csv", "e", day="2026-11-24")
    world.run()
    assert world.reused() == ["lapsed", "loyal"]
    world.clock.advance(timedelta(days=1).total_seconds())
    planned = world.plan()
    assert not planned.reused
    assert [one.members.delta.adds for one in planned.changes] == [1]


def test_without_today_midnight_changes_nothing(world: World) -> None:
    world.run()
    world.clock.advance(timedelta(days=1).total_seconds())
    assert world.reused() == ["lapsed", "loyal"]


def test_another_version_of_the_engine_reads_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run()
    monkeypatch.setattr(identities, "engine_version", lambda: "another")
    assert world.reused() == []
    world.run()
    assert world.reused() == ["lapsed", "loyal"]


def test_another_sample_reads_all(world: World) -> None:
    world.run()
    world.sample_rows = 1
    planned = world.plan()
    assert not planned.reused
    assert [one.members.delta.removes for one in planned.changes] == [1, 1]


def test_a_changed_definition_reads_its_audience(world: World) -> None:
    world.run()
    world.where = "id <> 'a'"
    assert [one.members.delta.removes for one in world.plan().changes] == [1, 0]
    assert world.reused() == []


def test_a_run_for_one_address_keeps_the_readings_of_others(world: World) -> None:
    world.run()
    world.write("lapsed-1.csv", "abe")
    world.write("loyal-1.csv", "cdf")
    world.run(only={LAPSED})
    planned = world.plan()
    assert sorted(planned.reused) == ["lapsed"]
    assert [one.members.delta.adds for one in planned.changes] == [1]


def test_an_open_transfer_is_never_planned_from_a_record(world: World) -> None:
    world.run()
    kept = world.store.reader().read_records()
    world.write("lapsed-1.csv", "fghij")
    world.criteo.fault = lambda operation: "crash-after" if operation == "remove" else None
    with pytest.raises(Crash):
        world.run()
    world.criteo.fault = lambda _operation: None
    world.write("lapsed-1.csv", "ab")
    with world.store.lock("test") as state:
        state.write_read_records(kept)
    assert world.reused() == ["loyal"]
    world.run()
    assert world.criteo.segment(world.store.saved_resources[LAPSED].current.segment_id).members == {
        identifier(one, EMAIL) for one in "ab"
    }


def test_a_segment_that_others_deleted_is_filled_from_its_sources(world: World) -> None:
    world.run()
    world.criteo.delete(world.store.saved_resources[LAPSED].current.segment_id)
    planned = world.plan()
    assert sorted(planned.reused) == ["loyal"]
    assert [one.members.delta.adds for one in planned.changes] == [2]


FOREIGN = ReadRecords((ReadRecord("lapsed", "ab", NOON, ()), ReadRecord("loyal", "", NOON, ())))


@pytest.mark.parametrize("content", [None, b"", b"damaged", dump(encode_records(FOREIGN))])
def test_a_record_that_is_lost_damaged_or_foreign_costs_a_reading(
    world: World, content: bytes | None
) -> None:
    world.run()
    file = world.folder / "state" / "sources.json"
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    assert world.reused() == []
    world.run()
    assert world.reused() == ["lapsed", "loyal"]


def test_the_record_has_no_path_and_no_identifier(world: World) -> None:
    world.run()
    content = (world.folder / "state" / "sources.json").read_text()
    assert "lapsed" in content
    for secret in ("csv", "example.com", str(world.folder), identifier("a", EMAIL)):
        assert secret not in content


def test_a_restored_state_is_planned_as_it_is(world: World) -> None:
    world.run()
    world.write("lapsed-1.csv", "abe")
    world.run()
    with world.store.lock("test") as state:
        restore_to(state.versions()[0].serial, state, world._opened(state), timedelta())
    assert world.reused() == ["loyal"]
    world.run()
    assert world.reused() == ["lapsed", "loyal"]


names = st.sampled_from(["lapsed-1.csv", "lapsed-2.csv", "loyal-1.csv", OUT])
crowds = st.text("abcdx", min_size=1, max_size=4).map(lambda text: "".join(sorted(set(text))))
edits = st.one_of(
    st.tuples(st.just("write"), names, crowds),
    st.tuples(st.just("touch"), names, st.just("")),
    st.tuples(st.just("remove"), st.just("lapsed-2.csv"), st.just("")),
    st.tuples(st.just("where"), st.sampled_from(["", "day < :today", "id <> 'a'"]), st.just("")),
    st.tuples(st.just("run"), st.sampled_from(["all", "lapsed"]), st.just("")),
    st.tuples(st.just("tomorrow"), st.just(""), st.just("")),
)


@settings(deadline=None, max_examples=int(os.environ.get("REUSE", "15")))
@given(st.lists(edits, min_size=1, max_size=8))
def test_after_any_edits_the_plan_is_the_one_that_reads_all(changes: list[tuple[str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        try:
            world.run()
            for what, name, people in changes:
                edit(world, what, name, people)
                world.plan()
        finally:
            world.close()


def edit(world: World, what: str, name: str, people: str) -> None:
    match what:
        case "write":
            world.write(name, people)
        case "touch" | "remove" if not world.file(name).exists():
            pass
        case "touch":
            world.file(name).touch()
        case "remove":
            world.file(name).unlink()
        case "where":
            world.where = name
        case "run":
            world.run(only={LAPSED} if name == "lapsed" else EVERYTHING)
        case "tomorrow":
            world.clock.advance(timedelta(days=1).total_seconds())
