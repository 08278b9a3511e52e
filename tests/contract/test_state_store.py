"""The contract of every StateStore."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import strategies
from support.fakes import object_stores as buckets
from support.fakes.memory_bucket import MemoryBucket
from support.fakes.state import MemoryStore

from reconciler.buckets.bucket import Bucket, ObjectStore
from reconciler.buckets.connection import UnreachableError
from reconciler.core.approval.model import ApprovalRecord
from reconciler.core.endpoints import EndpointKind
from reconciler.core.erasure import ErasureList, added, rotated
from reconciler.core.errors import ConfigurationError, CorruptSnapshotError, LockedError, StorageError
from reconciler.core.members import EMPTY_SNAPSHOT, SnapshotRef
from reconciler.core.model import Address, Hashing, IdentifierType, Retention, Seat, SegmentKey
from reconciler.core.portable_definition import PartDigest
from reconciler.core.ports import StateReader, StateStore, StateWriter
from reconciler.core.promotion.gate import PortablePart
from reconciler.core.reuse import ReadRecord, ReadRecords
from reconciler.core.series import PointKind, SeriesMonth, SeriesPoint, SeriesRun, newest_months
from reconciler.core.state.codec import FORMAT_VERSION, dump
from reconciler.core.state.model import StateHead
from reconciler.core.state.resource import ResourceState, SegmentState
from reconciler.core.verification import Verification, VerificationOutcome, Verifications
from reconciler.disk.atomic import names_in
from reconciler.state.bucket_reader import StoreContext
from reconciler.state.bucket_snapshots import SUM
from reconciler.state.bucket_store import BucketStore
from reconciler.state.lease import LeaseTiming
from reconciler.state.local_store import LocalStore
from reconciler.state.open_store import placed
from reconciler.state.outbox import Outbox, PendingWrite
from reconciler.state.seal import PLAIN, Seal
from reconciler.state.sealed_stream import key_id

pytestmark = pytest.mark.promise("state")

KEY = SegmentKey("1", "2", IdentifierType.EMAIL, Hashing.SHA256)
ONE, TWO = SnapshotRef("0001", 1), SnapshotRef("0002", 2)
LAPSED = ResourceState(Address("email", "lapsed"), SegmentState(KEY, segment_id="11"))
LOYAL = ResourceState(Address("email", "loyal"), SegmentState(KEY, segment_id="12"))

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECORDS = ReadRecords((ReadRecord("lapsed", "ab", NOON, ()),))
NEWER = ReadRecords((ReadRecord("lapsed", "cd", NOON, ()), ReadRecord("loyal", "ef", NOON, ())))
PROVEN = Verifications(
    (
        Verification(
            address=LAPSED.address,
            outcome=VerificationOutcome.VERIFIED,
            at=NOON,
            computed_at=NOON,
            parts=tuple(PartDigest(part, "ab") for part in PortablePart),
            endpoint=EndpointKind.CRITEO,
            seat=Seat("1", "2"),
            sample_rows=1000,
            segment_id="11",
            sent=10,
            rejected=1,
            arrived=9,
            matched=6,
        ),
    )
)
RUN = SeriesRun("1a", PointKind.APPLY, NOON, (SeriesPoint(LAPSED.address, 10, 10, 0, 1),))
CHECK = SeriesRun("1b", PointKind.VERIFY, NOON, (SeriesPoint(LAPSED.address, 10, 0, 0, 1, 9, 6, 0.625),))
Read = Callable[[StateReader], object]
Write = Callable[[StateWriter, object], None]
ADVISORY = [
    pytest.param(
        "sources.json",
        lambda reader: reader.read_records(),
        [ReadRecords(), RECORDS, NEWER],
        lambda writer, found: writer.write_read_records(found),
        id="readings",
    ),
    pytest.param(
        "verifications.json",
        lambda reader: reader.verifications(),
        [Verifications(), PROVEN, Verifications((replace(PROVEN.verifications[0], arrived=8),))],
        lambda writer, found: writer.write_verifications(found),
        id="verifications",
    ),
    pytest.param(
        "series/2026-03.json",
        lambda reader: reader.series("2026-03"),
        [SeriesMonth("2026-03"), SeriesMonth("2026-03", (RUN,)), SeriesMonth("2026-03", (RUN, CHECK))],
        lambda writer, found: writer.write_series(found),
        id="series",
    ),
]
"""The documents beside a state: file, how to read it, none and two contents, how to write it."""
Open = Callable[..., StateStore]
"""The same state again, as the next process would open it; with another seal if one is given."""


SEAL = Seal(lambda: b"k" * 32)
OLD, NEW = b"o" * 32, b"n" * 32
THREE = SnapshotRef("0003", 3)
MEMBERS = {ONE: "one", TWO: "two", THREE: "three"}


@contextmanager
def in_memory(seal: Seal = PLAIN) -> Iterator[Open]:
    store = MemoryStore("sandbox", key_id=seal.current_id())
    yield lambda *_: store


@contextmanager
def in_a_directory(seal: Seal = PLAIN) -> Iterator[Open]:
    with TemporaryDirectory() as folder:
        yield lambda seal=seal: LocalStore(
            Path(folder) / "state", "sandbox", seal=seal, opened=private(Path(folder))
        )


@contextmanager
def in_a_bucket(seal: Seal = PLAIN) -> Iterator[Open]:
    bucket = MemoryBucket()
    with TemporaryDirectory() as folder:
        yield lambda seal=seal: remote(bucket, Path(folder), seal)


@contextmanager
def in_an_object_store(seal: Seal = PLAIN) -> Iterator[Open]:
    """obstore's own, in memory."""
    from obstore.store import MemoryStore as Objects

    objects = Objects()
    with TemporaryDirectory() as folder:
        yield lambda seal=seal: remote(ObjectStore(objects, placed("memory")), Path(folder), seal)


@contextmanager
def in_s3(seal: Seal = PLAIN) -> Iterator[Open]:
    """Over the protocol, through a server on loopback."""
    with buckets.s3() as served, TemporaryDirectory() as folder:
        yield lambda seal=seal: remote(ObjectStore(served.store, placed(served.url)), Path(folder), seal)


@contextmanager
def in_azure(seal: Seal = PLAIN) -> Iterator[Open]:
    """The same; skipped where Azurite is not installed (`make azurite`)."""
    with buckets.azure() as served, TemporaryDirectory() as folder:
        yield lambda seal=seal: remote(ObjectStore(served.store, placed(served.url)), Path(folder), seal)


def private(folder: Path) -> Callable[[], Path]:
    cache = folder / uuid4().hex
    return lambda: cache


def remote(bucket: Bucket, folder: Path, seal: Seal = PLAIN) -> BucketStore:
    """A store two days later than its objects, so that unnamed snapshots are old enough to prune."""
    later = timedelta(days=2)
    around = StoreContext(
        lambda: datetime.now(UTC) + later, never, private(folder), folder / "outbox", seal=seal
    )
    return BucketStore(bucket, "sandbox", LeaseTiming.of(timedelta(seconds=60)), around)


def never(_seconds: float, _reason: str) -> None:
    raise AssertionError("nobody vanished, and nobody is waited for")


ON_A_DISK = [in_a_directory, in_a_bucket, in_an_object_store, in_s3, in_azure]
STORES = [in_memory, *ON_A_DISK]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that store snapshots run with a seal too."""
    if "reopen" in metafunc.fixturenames:
        seals = (PLAIN, SEAL) if "file" in metafunc.fixturenames else (PLAIN,)
        makers = STORES if "sealing" not in metafunc.function.__name__ else ON_A_DISK
        stores = [(make, seal) for seal in seals for make in makers]
        names = [f"{make.__name__}{'-sealed' if seal.current else ''}" for make, seal in stores]
        metafunc.parametrize("reopen", stores, indirect=True, ids=names)


@pytest.fixture
def reopen(request: pytest.FixtureRequest) -> Iterator[Open]:
    make, seal = request.param
    with make(seal) as reopen:
        yield reopen


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], str]:
    def write(content: str) -> str:
        path = tmp_path / f"cache-{content}"
        path.write_text(content)
        return str(path)

    return write


def holding(resource: ResourceState, confirmed: SnapshotRef) -> ResourceState:
    return replace(resource, current=replace(resource.current, confirmed=confirmed))


def test_before_the_first_apply_there_is_nothing_but_a_key(reopen: Open) -> None:
    reader = reopen().reader()
    assert reader.head() is None
    assert reader.resources() == ()
    assert len(reader.key()) == 32
    assert reader.key() == reader.key()
    assert reopen().reader().key() != reader.key()


def test_the_serial_rises_once_per_run_that_writes(reopen: Open) -> None:
    for serial in (1, 2, 3):
        with reopen().lock("me") as writer:
            assert writer.begin_run().serial == serial
            assert writer.begin_run().serial == serial
            writer.write(LAPSED)
            writer.write(LOYAL)
            writer.drop(LOYAL)
            found = writer.head()
            assert found is not None
            assert found.serial == serial
        assert reopen().reader().head() == found


def test_a_run_that_writes_nothing_leaves_the_head_alone(reopen: Open) -> None:
    with reopen().lock("me") as writer:
        assert writer.head() is None
    assert reopen().reader().head() is None
    with reopen().lock("me") as writer:
        first = writer.begin_run()
    with reopen().lock("me") as writer:
        writer.key()
        writer.resources()
        writer.prune()
    assert reopen().reader().head() == first


def test_the_lineage_and_the_environment_stay(reopen: Open) -> None:
    with reopen().lock("me") as writer:
        first = writer.begin_run()
    with reopen().lock("me") as writer:
        second = writer.begin_run()
    assert len(first.lineage) == 32
    assert second == replace(first, serial=2)
    assert first.environment == "sandbox"


def test_marks_of_approvals_stay_and_the_newest_of_each_counts(reopen: Open) -> None:
    begun, other = ApprovalRecord("sha256:a", NOON), ApprovalRecord("sha256:b", NOON)
    done = replace(begun, completed_at=NOON)
    with reopen().lock("me") as writer:
        writer.record_approval(begun, NOON)
        writer.record_approval(other, NOON)
    with reopen().lock("me") as writer:
        writer.record_approval(replace(other, digest="sha256:old", started_at=NOON - timedelta(days=1)), NOON)
        writer.record_approval(done, NOON)
    found = reopen().reader().head()
    assert found is not None
    assert found.serial == 2
    assert found.approvals == (other, done)


def test_two_states_have_two_lineages(reopen: Open) -> None:
    with in_memory() as other, other().lock("me") as theirs, reopen().lock("me") as ours:
        assert theirs.begin_run().lineage != ours.begin_run().lineage


def test_writing_opens_the_run_by_itself(reopen: Open) -> None:
    with reopen().lock("me") as writer:
        writer.write(LAPSED)
    with reopen().lock("me") as writer:
        writer.drop(LAPSED)
    head = reopen().reader().head()
    assert head is not None
    assert head.serial == 2


def test_the_key_a_writer_made_is_the_key_of_all_that_follow(reopen: Open) -> None:
    with reopen().lock("me") as writer:
        key = writer.key()
        assert writer.key() == key
        assert reopen().reader().key() == key
    with reopen().lock("me") as writer:
        writer.begin_run()
        assert writer.key() == key


def test_a_state_with_a_head_has_a_key(reopen: Open) -> None:
    with reopen().lock("me") as writer:
        writer.begin_run()
    assert reopen().reader().key() == reopen().reader().key()


@pytest.mark.parametrize("make", STORES)
@settings(max_examples=20, deadline=None)
@given(resources=st.lists(strategies.resources, max_size=4, unique_by=lambda resource: resource.address))
def test_what_is_written_is_read(
    make: Callable[[], AbstractContextManager[Open]], resources: list[ResourceState]
) -> None:
    with make() as reopen, TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        cache.write_text("members")
        with reopen().lock("me") as writer:
            for resource in resources:
                for digest in resource.snapshots:
                    writer.store_snapshot(SnapshotRef(digest, 1), str(cache))
                writer.write(resource)
        found = reopen().reader().resources()
        assert found == tuple(sorted(resources, key=lambda resource: resource.address))


def test_the_last_write_stays_and_a_reader_sees_it_at_once(reopen: Open) -> None:
    reader = reopen().reader()
    with reopen().lock("me") as writer:
        writer.write(LAPSED)
        assert reader.resources() == writer.resources() == (LAPSED,)
        newer = replace(LAPSED, forgotten_at=datetime(2026, 1, 1, tzinfo=UTC))
        writer.write(newer)
        assert reader.resources() == writer.resources() == (newer,)


def test_a_resource_state_can_be_dropped_twice(reopen: Open) -> None:
    with reopen().lock("me") as writer:
        writer.write(LAPSED)
        writer.write(LOYAL)
        writer.drop(LAPSED)
        writer.drop(LAPSED)
    assert reopen().reader().resources() == (LOYAL,)


def test_a_kept_snapshot_can_be_fetched(reopen: Open, file: Callable[[str], str]) -> None:
    with reopen().lock("me") as writer:
        writer.store_snapshot(ONE, file("one"))
        assert Path(writer.snapshot_file(ONE)).read_text() == "one"
    assert Path(reopen().reader().snapshot_file(ONE)).read_text() == "one"


def test_keeping_one_that_is_there_is_a_no_op(reopen: Open, file: Callable[[str], str]) -> None:
    with reopen().lock("me") as writer:
        writer.store_snapshot(ONE, file("one"))
        writer.store_snapshot(ONE, file("other"))
        assert Path(writer.snapshot_file(ONE)).read_text() == "one"


def test_a_missing_snapshot_is_an_error_with_a_fix(reopen: Open) -> None:
    with pytest.raises(StorageError, match="missing") as caught:
        reopen().reader().snapshot_file(ONE)
    assert caught.value.remedy


def test_an_empty_set_needs_no_snapshot(reopen: Open) -> None:
    with reopen().lock("me") as writer:
        writer.store_snapshot(EMPTY_SNAPSHOT, "nowhere")
        with pytest.raises(AssertionError):
            writer.snapshot_file(EMPTY_SNAPSHOT)


def test_prune_removes_what_no_resource_state_names(reopen: Open, file: Callable[[str], str]) -> None:
    with reopen().lock("me") as writer:
        writer.store_snapshot(ONE, file("one"))
        writer.write(holding(LAPSED, ONE))
        writer.store_snapshot(TWO, file("two"))
        writer.write(holding(LAPSED, TWO))
        writer.prune()
        assert not fetchable(writer, ONE)
        assert fetchable(writer, TWO)


def test_prune_spares_what_another_thread_is_about_to_name(reopen: Open, file: Callable[[str], str]) -> None:
    with reopen().lock("me") as writer:
        writer.store_snapshot(ONE, file("one"))
        writer.prune()
        assert fetchable(writer, ONE)


def test_prune_removes_what_a_killed_run_never_named(reopen: Open, file: Callable[[str], str]) -> None:
    with reopen().lock("me") as writer:
        writer.store_snapshot(ONE, file("one"))
    with reopen().lock("me") as writer:
        writer.prune()
        assert not fetchable(writer, ONE)


def test_each_run_that_writes_keeps_the_state_before_it(reopen: Open) -> None:
    assert reopen().reader().versions() == ()
    with reopen().lock("me") as writer:
        writer.write(LAPSED)
        assert writer.versions() == ()
    with reopen().lock("me") as writer:
        first = writer.head()
        writer.write(LOYAL)
        writer.drop(LAPSED)
    with reopen().lock("me") as writer:
        writer.resources()
        writer.begin_run()
    reader = reopen().reader()
    assert [(one.serial, one.addresses) for one in reader.versions()] == [(1, 1), (2, 1)]
    assert reader.version(1).head == first
    assert [reader.version(serial).resources for serial in (1, 2)] == [(LAPSED,), (LOYAL,)]
    assert reader.versions()[0].saved_at == reader.version(1).saved_at


def test_what_is_not_kept_is_answered_with_what_is(reopen: Open) -> None:
    with pytest.raises(StorageError, match="state version 7 not found") as caught:
        reopen().reader().version(7)
    assert "there is none yet" in caught.value.remedy
    for _ in range(3):
        with reopen().lock("me") as writer:
            writer.begin_run()
    with pytest.raises(StorageError, match="state version 7 not found") as caught:
        reopen().reader().version(7)
    assert caught.value.remedy == "available: 1, 2"


def test_the_newest_20_states_are_kept(reopen: Open) -> None:
    for _ in range(20 + 3):
        with reopen().lock("me") as writer:
            writer.begin_run()
    assert [one.serial for one in reopen().reader().versions()] == list(range(3, 20 + 3))


Dated = Callable[[Retention, Callable[[], datetime]], StateStore]
"""The same state again, opened with a retention and a clock."""


@pytest.fixture(params=["memory", "folder", "bucket"])
def dated(request: pytest.FixtureRequest, tmp_path: Path) -> Dated:
    memory, bucket = MemoryStore("sandbox"), MemoryBucket()

    def reopened(keep: Retention, now: Callable[[], datetime]) -> StateStore:
        if request.param == "memory":
            memory.keep, memory.now = keep, now
            return memory
        if request.param == "folder":
            return LocalStore(tmp_path / "state", "sandbox", now=now, keep=keep)
        around = StoreContext(now, never, lambda: tmp_path / uuid4().hex, tmp_path / "outbox", keep)
        return BucketStore(bucket, "sandbox", LeaseTiming.of(timedelta(seconds=60)), around)

    return reopened


def in_days(days: float) -> Callable[[], datetime]:
    at = datetime.now(UTC) + timedelta(days=days)
    return lambda: at


def serials(store: StateStore) -> list[int]:
    return [one.serial for one in store.reader().versions()]


def test_as_many_states_are_kept_as_is_set(dated: Dated) -> None:
    """A smaller number takes effect with the next run that writes."""
    for _ in range(6):
        with dated(Retention(), in_days(0)).lock("me") as writer:
            writer.begin_run()
    few = dated(Retention(versions=2), in_days(0))
    with few.lock("me"):
        assert serials(few) == [1, 2, 3, 4, 5]
    with few.lock("me") as writer:
        writer.begin_run()
    assert serials(few) == [5, 6]


def test_a_state_is_kept_until_its_day(dated: Dated, file: Callable[[str], str]) -> None:
    """Its members are removed with it. The version before the newest run is never too old."""
    week = Retention(age=timedelta(days=7))
    with dated(week, in_days(0)).lock("me") as writer:
        writer.store_snapshot(ONE, file("one"))
        writer.write(holding(LAPSED, ONE))
    for day in (3, 9.9):
        with dated(week, in_days(day)).lock("me") as writer:
            writer.write(LAPSED)
            writer.prune()
    assert serials(dated(week, in_days(9.9))) == [1, 2]
    assert fetchable(dated(week, in_days(9.9)).reader(), ONE)
    with dated(week, in_days(10.1)).lock("me") as writer:
        writer.begin_run()
        writer.prune()
    assert serials(dated(week, in_days(10.1))) == [2, 3]
    assert not fetchable(dated(week, in_days(10.1)).reader(), ONE)
    with dated(week, in_days(400)).lock("me") as writer:
        writer.begin_run()
    assert serials(dated(week, in_days(400))) == [4]


@pytest.mark.parametrize("make", ["directory", "bucket"])
def test_a_damaged_state_version_stays_until_newer_ones_are_enough(make: str, tmp_path: Path) -> None:
    """Its age is unknown, and another version of the same age is removed on its own."""
    bucket, keep = MemoryBucket(), Retention(versions=3, age=timedelta(days=7))
    opened = {
        "directory": lambda now: LocalStore(tmp_path, "sandbox", now=now, keep=keep),
        "bucket": lambda now: BucketStore(
            bucket,
            "sandbox",
            LeaseTiming.of(timedelta(seconds=60)),
            StoreContext(now, never, lambda: tmp_path / "cache", tmp_path / "outbox", keep),
        ),
    }[make]
    for _ in range(3):
        with opened(in_days(0)).lock("me") as writer:
            writer.begin_run()
    path = "history/1.json"
    (tmp_path / path).write_bytes(b"{") if make == "directory" else bucket.upload(path, b"{")
    left = []
    for _ in range(3):
        with opened(in_days(30)).lock("me") as writer:
            writer.begin_run()
        names = names_in(tmp_path / "history") if make == "directory" else bucket.names("history")
        left.append(sorted(names))
    assert left == [["1.json", "3.json"], ["1.json", "3.json", "4.json"], ["3.json", "4.json", "5.json"]]


def test_prune_spares_what_a_kept_state_names(reopen: Open, file: Callable[[str], str]) -> None:
    with reopen().lock("me") as writer:
        writer.store_snapshot(ONE, file("one"))
        writer.write(holding(LAPSED, ONE))
    with reopen().lock("me") as writer:
        writer.write(LAPSED)
        writer.prune()
        assert fetchable(writer, ONE)
    for _ in range(20):
        with reopen().lock("me") as writer:
            writer.begin_run()
            writer.prune()
    assert not fetchable(reopen().reader(), ONE)


ERASED = added(ErasureList(keys=(b"k" * 32,)), {IdentifierType.EMAIL: ["a@example.com"]}, ())
NEXT = rotated(ERASED, b"n" * 32)


def test_an_erasure_list_outlasts_its_run_and_no_version_has_it(reopen: Open) -> None:
    assert reopen().reader().erasures() == ErasureList()
    for erasures in (ERASED, NEXT):
        with reopen().lock("me") as writer:
            writer.write_erasures(erasures)
            assert writer.erasures() == erasures
        assert reopen().reader().erasures() == erasures
    with reopen().lock("me") as writer:
        writer.write(LAPSED)
    assert reopen().reader().erasures() == NEXT


def test_a_saved_version_is_rewritten_in_its_place(reopen: Open, file: Callable[[str], str]) -> None:
    """What only the earlier version named is gone at once."""
    with reopen().lock("me") as writer:
        writer.store_snapshot(ONE, file("one"))
        writer.write(holding(LAPSED, ONE))
    with reopen().lock("me") as writer:
        writer.store_snapshot(TWO, file("two"))
        writer.write(holding(LAPSED, TWO))
        before = writer.version(1)
        writer.rewrite_version(replace(before, resources=(holding(LAPSED, TWO),)))
        writer.purge()
        assert not fetchable(writer, ONE)
        assert fetchable(writer, TWO)
        assert writer.version(1) == replace(before, resources=(holding(LAPSED, TWO),))


@pytest.mark.parametrize("make", ["directory", "bucket"])
def test_an_erasure_list_is_essential(make: str, tmp_path: Path) -> None:
    """A list that is damaged or has no key is refused: without it, erased members could come back."""
    bucket = MemoryBucket()
    store = LocalStore(tmp_path, "sandbox") if make == "directory" else remote(bucket, tmp_path)
    with store.lock("me") as writer:
        writer.write_erasures(NEXT)

    def put(name: str, content: bytes) -> None:
        (tmp_path / name).write_bytes(content) if make == "directory" else bucket.upload(name, content)

    put("erasure.key", b"k" * 32)
    with pytest.raises(StorageError, match=r"erasure\.key is missing or too short") as caught:
        store.reader().erasures()
    assert "from a backup" in caught.value.remedy
    put("erasure.key", b"k" * 32 + b"n" * 32 + b"u" * 32)
    assert store.reader().erasures() == NEXT
    put("erasure.json", b"{")
    with pytest.raises(StorageError, match=r"erasure\.json"):
        store.reader().erasures()


@pytest.mark.parametrize("make", ["directory", "bucket"])
def test_nothing_is_purged_while_a_version_is_unreadable(make: str, tmp_path: Path) -> None:
    bucket = MemoryBucket()
    store = LocalStore(tmp_path, "sandbox") if make == "directory" else remote(bucket, tmp_path)
    for _ in range(2):
        with store.lock("me") as writer:
            writer.write(LAPSED)
    path = "history/1.json"
    (tmp_path / path).write_bytes(b"{") if make == "directory" else bucket.upload(path, b"{")
    with store.lock("me") as writer, pytest.raises(StorageError, match="can't be read") as caught:
        writer.purge()
    assert "remove it" in caught.value.remedy


def test_a_state_from_elsewhere_begins_with_its_serial_and_its_key(reopen: Open) -> None:
    head = StateHead("a" * 32, 41, "sandbox")
    with reopen().lock("me") as writer:
        writer.key()
        writer.initialize(head, b"k" * 32)
        writer.write(LAPSED)
        assert writer.key() == b"k" * 32
    with reopen().lock("me") as writer:
        writer.initialize(head, b"k" * 32)
        writer.write(LOYAL)
    reader = reopen().reader()
    assert (reader.head(), reader.key(), reader.resources()) == (head, b"k" * 32, (LAPSED, LOYAL))
    assert reader.versions() == ()


@pytest.mark.parametrize("other", [{"serial": 42}, {"lineage": "b" * 32}, {}])
def test_it_takes_no_other_states_place(reopen: Open, other: dict[str, object]) -> None:
    head = StateHead("a" * 32, 41, "sandbox")
    with reopen().lock("me") as writer:
        writer.initialize(head, b"k" * 32)
    with reopen().lock("me") as writer, pytest.raises(StorageError, match="there is a state") as caught:
        writer.initialize(replace(head, **other), b"k" * 32 if other else b"x" * 32)
    assert caught.value.remedy
    assert (reopen().reader().head(), reopen().reader().key()) == (head, b"k" * 32)


def test_nothing_is_set_aside_that_can_be_read(reopen: Open) -> None:
    with reopen().lock("me") as writer:
        writer.write(LAPSED)
        assert writer.quarantine() == ()
    assert reopen().reader().resources() == (LAPSED,)


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b'{"token": 1}', b'{"format_version": 3}'])
@pytest.mark.parametrize("make", ["directory", "bucket"])
def test_a_resource_state_that_can_not_be_read_is_set_aside(
    make: str, content: bytes, tmp_path: Path
) -> None:
    bucket = MemoryBucket()
    store = LocalStore(tmp_path, "sandbox") if make == "directory" else remote(bucket, tmp_path)
    with store.lock("me") as writer:
        writer.write(LAPSED)
        writer.write(LOYAL)
    path, aside = "resources/email.lapsed.json", "history/email.lapsed.json.damaged"
    (tmp_path / path).write_bytes(content) if make == "directory" else bucket.upload(path, content)
    with store.lock("me") as writer:
        with pytest.raises(StorageError, match="1 of 2 resource states") as caught:
            writer.resources()
        assert "state restore --accept-loss" in caught.value.findings[0].remedy
        assert writer.quarantine() == (LAPSED.address,)
        assert writer.resources() == (LOYAL,)
        writer.write(LAPSED)
    assert store.reader().resources() == (LAPSED, LOYAL)
    found = bucket.read(aside)
    assert content == ((tmp_path / aside).read_bytes() if make == "directory" else found and found.content)


@pytest.mark.parametrize("content", [b"", b"{", b'{"token": 1}'])
def test_a_damaged_resource_state_does_not_block_a_takeover(content: bytes, tmp_path: Path) -> None:
    """The old run can't write any more, and a restore finds the damage unchanged."""
    bucket = MemoryBucket()
    store = remote(bucket, tmp_path)
    vanished = store.lock("vanished")
    writer = vanished.__enter__()
    writer.write(LAPSED)
    writer.write(LOYAL)
    bucket.upload("resources/email.lapsed.json", content)
    store.break_lock(store.holder().id)
    passed = timedelta(days=2)

    def wait(seconds: float, _reason: str) -> None:
        nonlocal passed
        passed += timedelta(seconds=seconds)

    around = StoreContext(lambda: datetime.now(UTC) + passed, wait, lambda: tmp_path, tmp_path / "outbox")
    successor = BucketStore(bucket, "sandbox", LeaseTiming.of(timedelta(seconds=60)), around)
    with successor.lock("me") as taking_over:
        with pytest.raises(StorageError, match="taken over"):
            writer.write(LAPSED)
        assert taking_over.quarantine() == (LAPSED.address,)
        assert taking_over.resources() == (LOYAL,)
    aside = bucket.read("history/email.lapsed.json.damaged")
    assert aside is not None
    assert aside.content.startswith(content)


def test_leftovers_wait_until_what_is_damaged_is_restored(tmp_path: Path) -> None:
    bucket = MemoryBucket()
    with remote(bucket, tmp_path).lock("me") as writer:
        writer.write(LAPSED)
        writer.write(LOYAL)
    newer = replace(LOYAL, definition="newer")
    leftovers = Outbox(tmp_path / "outbox")
    leftovers.keep(PendingWrite(LOYAL, newer))
    sound = bucket.read("resources/email.lapsed.json")
    assert sound is not None
    bucket.upload("resources/email.lapsed.json", b"{")
    with remote(bucket, tmp_path).lock("me") as writer, pytest.raises(StorageError, match="1 of 2"):
        writer.resources()
    bucket.upload("resources/email.lapsed.json", sound.content)
    with remote(bucket, tmp_path).lock("me") as writer:
        assert writer.resources() == (LAPSED, newer)
    assert leftovers.all() == []


def away(call: str, _path: str) -> None:
    if call == "replace":
        raise UnreachableError("the store is away")


def test_the_outbox_restores_a_dropped_resource_state(tmp_path: Path) -> None:
    """The outbox entry applies to the empty object, not to the dropped resource state."""
    bucket = MemoryBucket()
    with remote(bucket, tmp_path).lock("me") as writer:
        writer.write(LAPSED)
        writer.resources()
        writer.drop(LAPSED)
        healthy, bucket.before = bucket.before, away
        with pytest.raises(StorageError, match="away"):
            writer.write(replace(LAPSED, definition="another"))
        bucket.before = healthy
    with remote(bucket, tmp_path).lock("me") as writer:
        assert writer.resources() == (replace(LAPSED, definition="another"),)


@pytest.mark.parametrize("make", ["directory", "bucket"])
def test_what_a_newer_version_wrote_is_not_set_aside(make: str, tmp_path: Path) -> None:
    bucket = MemoryBucket()
    store = LocalStore(tmp_path, "sandbox") if make == "directory" else remote(bucket, tmp_path)
    with store.lock("me") as writer:
        writer.write(LAPSED)
    newer: dict[str, object] = {"format_version": FORMAT_VERSION + 1}
    path = "resources/email.lapsed.json"
    if make == "directory":
        (tmp_path / path).write_bytes(dump(newer))
    else:
        bucket.upload(path, dump({"token": 1, "resource": newer}))
    with store.lock("me") as writer:
        assert writer.quarantine() == ()
        with pytest.raises(StorageError, match="1 of 1 resource states") as caught:
            writer.resources()
        assert "a newer reconciler wrote it" in str(caught.value.findings[0])


@pytest.mark.parametrize("make", ["directory", "bucket"])
def test_a_kept_state_that_can_not_be_read_is_named_and_keeps_its_snapshots(
    make: str, tmp_path: Path, file: Callable[[str], str]
) -> None:
    bucket = MemoryBucket()
    store = LocalStore(tmp_path, "sandbox") if make == "directory" else remote(bucket, tmp_path)
    with store.lock("me") as writer:
        writer.store_snapshot(ONE, file("one"))
        writer.write(holding(LAPSED, ONE))
    with store.lock("me") as writer:
        writer.write(LAPSED)
    path = "history/1.json"
    (tmp_path / path).write_bytes(b"{") if make == "directory" else bucket.upload(path, b"{")
    with store.lock("me") as writer:
        writer.prune()
        assert fetchable(writer, ONE)
        for look in (writer.versions, lambda: writer.version(1)):
            with pytest.raises(StorageError, match=r"1\.json") as caught:
                look()
            assert "remove it" in caught.value.remedy


def fetchable(reader: StateReader, snapshot: SnapshotRef) -> bool:
    try:
        return bool(reader.snapshot_file(snapshot))
    except StorageError:
        return False


def test_a_second_writer_is_refused_with_the_holder_of_the_state(reopen: Open) -> None:
    first, second = reopen(), reopen()
    with first.lock("ci run 7"):
        with pytest.raises(LockedError, match="ci run 7"), second.lock("me"):
            pass
        assert second.reader().resources() == ()
    with second.lock("me") as writer:
        writer.write(LAPSED)


def test_the_holder_of_the_lock_can_be_read(reopen: Open) -> None:
    assert reopen().holder() is None
    with reopen().lock("ci run 7"):
        holder = reopen().holder()
        assert holder is not None
        assert "ci run 7" in holder.description
        with pytest.raises(LockedError):
            reopen().break_lock("somebody else")
    assert reopen().holder() is None


@pytest.mark.parametrize(("name", "read", "contents", "write"), ADVISORY)
def test_advisory_documents_are_replaced_as_a_whole(
    reopen: Open,
    name: str,
    read: Read,
    contents: list[object],
    write: Write,
) -> None:
    assert read(reopen().reader()) == contents[0]
    for content in (*contents[1:], contents[0]):
        with reopen().lock("me") as writer:
            write(writer, content)
            assert read(writer) == content
        assert read(reopen().reader()) == content


@pytest.mark.parametrize(("name", "read", "contents", "write"), ADVISORY)
def test_advisory_documents_are_no_part_of_the_state(
    reopen: Open,
    name: str,
    read: Read,
    contents: list[object],
    write: Write,
) -> None:
    """No head, no serial, no version: an empty plan may renew them."""
    with reopen().lock("me") as writer:
        write(writer, contents[1])
    assert reopen().reader().head() is None
    assert reopen().reader().versions() == ()
    with reopen().lock("me") as writer:
        writer.write(LAPSED)
    with reopen().lock("me") as writer:
        write(writer, contents[2])
        writer.prune()
    head = reopen().reader().head()
    assert head is not None
    assert (head.serial, len(reopen().reader().versions())) == (1, 0)
    assert reopen().reader().resources() == (LAPSED,)
    assert read(reopen().reader()) == contents[2]


@pytest.mark.parametrize(("name", "read", "contents", "write"), ADVISORY)
@pytest.mark.parametrize(
    "damaged", [b"", b"no JSON", dump({"format_version": FORMAT_VERSION + 1}), dump({"records": []})]
)
def test_advisory_documents_that_are_damaged_are_none(
    tmp_path: Path, damaged: bytes, name: str, read: Read, contents: list[object], write: Write
) -> None:
    bucket = MemoryBucket()
    file = tmp_path / "state" / name
    for folder in dict.fromkeys((tmp_path / "state", file.parent)):
        folder.mkdir(mode=0o700)
    file.write_bytes(damaged)
    bucket.upload(name, damaged)
    for store in (LocalStore(tmp_path / "state", "sandbox"), remote(bucket, tmp_path)):
        assert read(store.reader()) == contents[0]
        with store.lock("me") as writer:
            write(writer, contents[1])
        assert read(store.reader()) == contents[1]


def out_of_order(_call: str, path: str) -> None:
    raise StorageError(f"can't read {path}")


@pytest.mark.parametrize(("name", "read", "contents"), [one.values[:3] for one in ADVISORY])
def test_readings_that_cannot_be_read_are_none_and_proofs_are_an_error(
    tmp_path: Path, name: str, read: Read, contents: list[object]
) -> None:
    """Sources can be read again. An unreadable verification is not a missing one."""
    (tmp_path / name).mkdir(parents=True)
    local = LocalStore(tmp_path, "sandbox").reader()
    bucket = MemoryBucket()
    bucket.before = out_of_order
    remotely = remote(bucket, tmp_path).reader()
    for reader in (local, remotely):
        if name == "sources.json":
            assert read(reader) == contents[0]
        else:
            with pytest.raises(StorageError):
                read(reader)


def test_points_are_kept_for_24_months(reopen: Open) -> None:
    months = newest_months(NOON, 26)
    with reopen().lock("me") as writer:
        for month in months:
            writer.write_series(SeriesMonth(month, (RUN,)))
    kept = [month for month in months if reopen().reader().series(month).runs]
    assert kept == [*newest_months(NOON, 24)]


def test_points_of_another_month_are_none(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, "sandbox")
    with store.lock("me") as writer:
        writer.write_series(SeriesMonth("2026-03", (RUN,)))
    (tmp_path / "series/2026-04.json").write_bytes((tmp_path / "series/2026-03.json").read_bytes())
    assert store.reader().series("2026-04") == SeriesMonth("2026-04")


def test_a_run_that_fails_gives_its_lock_back(reopen: Open) -> None:
    with pytest.raises(ZeroDivisionError), reopen().lock("me"):
        raise ZeroDivisionError
    with reopen().lock("me") as writer:
        writer.begin_run()


def test_a_writer_without_its_lock_fails(reopen: Open, file: Callable[[str], str]) -> None:
    with reopen().lock("me") as writer:
        writer.write(LAPSED)
    uses: list[Callable[[StateWriter], object]] = [
        lambda writer: writer.write(LOYAL),
        lambda writer: writer.drop(LAPSED),
        lambda writer: writer.store_snapshot(ONE, file("one")),
        lambda writer: writer.prune(),
        lambda writer: writer.write_read_records(RECORDS),
        lambda writer: writer.write_verifications(PROVEN),
        lambda writer: writer.write_series(SeriesMonth("2026-03", (RUN,))),
        lambda writer: writer.begin_run(),
        lambda writer: writer.record_approval(ApprovalRecord("sha256:a", NOON), NOON),
        lambda writer: writer.key(),
        lambda writer: writer.initialize(StateHead("a", 1, "sandbox"), b"k" * 32),
        lambda writer: writer.quarantine(),
    ]
    for use in uses:
        with pytest.raises(AssertionError, match="lock"):
            use(writer)
    assert reopen().reader().resources() == (LAPSED,)


def test_what_a_killed_run_wrote_is_there_and_its_lock_is_not(tmp_path: Path) -> None:
    """For a directory: a real process, killed without a chance to tidy."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        store = LocalStore(tmp_path, "sandbox")
        with (
            pytest.raises(LockedError, match=f"the other run, process {other.pid} on ") as caught,
            store.lock("me"),
        ):
            pass
        assert "2026-05-01 10:00:00 UTC" in str(caught.value)
        other.kill()
    with store.lock("me") as writer:
        assert writer.begin_run().serial == 2
        assert writer.resources() == (LAPSED,)


HOLDER = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from reconciler.core.model import Address, Hashing, IdentifierType, SegmentKey
from reconciler.core.state.resource import SegmentState, ResourceState
from reconciler.state.local_store import LocalStore

store = LocalStore(Path(sys.argv[1]), "sandbox", now=lambda: datetime(2026, 5, 1, 10, tzinfo=UTC))
key = SegmentKey("1", "2", IdentifierType.EMAIL, Hashing.SHA256)
with store.lock("the other run") as writer:
    writer.write(ResourceState(Address("email", "lapsed"), SegmentState(key, segment_id="11")))
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_crash_in_memory_leaves_what_was_written_and_no_lock() -> None:
    store = MemoryStore("sandbox")
    entered = store.lock("me")
    lost = entered.__enter__()
    lost.write(LAPSED)
    store.crash()
    with store.lock("me") as writer:
        assert writer.resources() == (LAPSED,)
        with pytest.raises(AssertionError, match="lock"):
            lost.write(LOYAL)


def test_the_hooks_in_memory_stand_before_and_after_each_write() -> None:
    seen: list[str] = []
    store = MemoryStore(
        "sandbox", before_write=seen.append, after_write=lambda step: seen.append(f"done {step}")
    )
    with store.lock("me") as writer:
        writer.store_snapshot(ONE, "one")
        writer.write(holding(LAPSED, ONE))
        writer.write(LAPSED)
        writer.prune()
        writer.drop(LAPSED)
    steps = [
        "keep 0001",
        "key",
        "open_run",
        "write email/lapsed",
        "write email/lapsed",
        "prune",
        "drop email/lapsed",
    ]
    assert seen == [line for step in steps for line in (step, f"done {step}")]


def test_in_memory_a_snapshot_must_be_kept_before_a_resource_state_names_it() -> None:
    with MemoryStore("sandbox").lock("me") as writer, pytest.raises(AssertionError, match="not kept"):
        writer.write(holding(LAPSED, ONE))


def never_read() -> bytes:
    raise AssertionError("this key is not needed")


def missing() -> bytes:
    raise ConfigurationError("the key can't be read", remedy="give it to this job")


def read_by(reopen: Open, seal: Seal) -> dict[SnapshotRef, str]:
    reader = reopen(seal).reader()
    return {one: Path(reader.snapshot_file(one)).read_text() for one in MEMBERS}


def with_three_keys(reopen: Open, file: Callable[[str], str]) -> Seal:
    """Store one snapshot plain, one under the old key, one under the new one. Return the newest seal."""
    newest = Seal(lambda: NEW, (lambda: OLD,))
    for seal, ref in ((PLAIN, ONE), (Seal(lambda: OLD), TWO), (newest, THREE)):
        with reopen(seal).lock("me") as writer:
            writer.store_snapshot(ref, file(MEMBERS[ref]))
    return newest


def reseal(reopen: Open, seal: Seal) -> int:
    with reopen(seal).lock("me") as writer:
        outdated = writer.seals().outdated
        for digest in outdated:
            writer.reseal(digest)
        assert writer.seals().outdated == ()
    return len(outdated)


@pytest.mark.promise("sealed")
def test_sealing_under_several_keys_reads_everything(reopen: Open, file: Callable[[str], str]) -> None:
    newest = with_three_keys(reopen, file)
    assert read_by(reopen, newest) == MEMBERS
    seals = reopen(newest).reader().seals()
    assert seals.current == key_id(NEW)
    assert seals.keys == {ONE.digest: "", TWO.digest: key_id(OLD), THREE.digest: key_id(NEW)}
    assert seals.outdated == (ONE.digest, TWO.digest)
    assert seals.counts == {"": 1, key_id(OLD): 1, key_id(NEW): 1}


@pytest.mark.promise("sealed")
def test_after_sealing_again_the_earlier_key_is_not_needed(reopen: Open, file: Callable[[str], str]) -> None:
    newest = with_three_keys(reopen, file)
    assert reseal(reopen, newest) == 2
    assert reseal(reopen, newest) == 0
    assert read_by(reopen, Seal(lambda: NEW, (never_read,))) == MEMBERS
    for seal in (PLAIN, Seal(lambda: OLD)):
        with pytest.raises(ConfigurationError, match=key_id(NEW)) as caught:
            read_by(reopen, seal)
        assert caught.value.remedy


@pytest.mark.promise("sealed")
def test_sealing_covers_the_keys_of_all_digests(reopen: Open, file: Callable[[str], str]) -> None:
    """With the key beside them, anyone could test identifiers against digests."""
    erased = added(ErasureList(keys=(b"e" * 32,)), {IdentifierType.EMAIL: {"someone@example.com"}}, ())
    with reopen(PLAIN).lock("me") as writer:
        writer.store_snapshot(ONE, file("one"))
        writer.begin_run()
        writer.write_erasures(erased)
        key = writer.key()
    seal, other = Seal(lambda: NEW), Seal(lambda: OLD)
    assert (reopen(seal).reader().key(), reopen(seal).reader().erasures()) == (key, erased)
    for _ in range(2):
        with reopen(seal).lock("me") as writer:
            writer.reseal_keys()
        assert (reopen(seal).reader().key(), reopen(seal).reader().erasures()) == (key, erased)
    for wrong in (PLAIN, other):
        for read in (StateReader.key, StateReader.erasures):
            with pytest.raises(ConfigurationError, match=key_id(NEW)):
                getattr(reopen(wrong).reader(), read.__name__)()
    with reopen(Seal(None, (lambda: NEW,))).lock("me") as writer:
        writer.reseal_keys()
    assert (reopen(PLAIN).reader().key(), reopen(PLAIN).reader().erasures()) == (key, erased)


@pytest.mark.promise("sealed")
def test_sealing_begins_with_a_new_state(reopen: Open, file: Callable[[str], str]) -> None:
    with reopen(SEAL).lock("me") as writer:
        writer.store_snapshot(ONE, file("one"))
        head, key = writer.begin_run(), writer.key()
    with pytest.raises(ConfigurationError):
        reopen(PLAIN).reader().key()
    with reopen(SEAL).lock("me") as writer:
        writer.initialize(head, key)
        with pytest.raises(StorageError, match="another one"):
            writer.initialize(head, b"x" * 32)


@pytest.mark.promise("sealed")
def test_sealing_ends_when_the_key_is_only_an_earlier_one(reopen: Open, file: Callable[[str], str]) -> None:
    with_three_keys(reopen, file)
    leaving = Seal(None, (lambda: NEW, lambda: OLD))
    assert read_by(reopen, leaving) == MEMBERS
    assert reseal(reopen, leaving) == 2
    assert read_by(reopen, PLAIN) == MEMBERS


@pytest.mark.promise("sealed")
def test_sealing_without_its_key_writes_nothing(reopen: Open, file: Callable[[str], str]) -> None:
    with reopen(PLAIN).lock("me") as writer:
        writer.store_snapshot(ONE, file("one"))
    with pytest.raises(ConfigurationError), reopen(Seal(missing)).lock("me"):
        raise AssertionError("the lock must not be given")
    assert Path(reopen(PLAIN).reader().snapshot_file(ONE)).read_text() == "one"


@pytest.mark.promise("sealed")
def test_a_snapshot_that_was_stored_again_meanwhile_is_read_again(tmp_path: Path) -> None:
    """It was sealed between the download of the plain one and that of its checksum."""
    bucket = MemoryBucket()
    store = remote(bucket, tmp_path, Seal(lambda: NEW))
    (tmp_path / "one").write_text("one")
    with remote(bucket, tmp_path).lock("me") as writer:
        writer.store_snapshot(ONE, str(tmp_path / "one"))

    def sealed_meanwhile(_call: str, path: str) -> None:
        if path.endswith(SUM):
            bucket.before = lambda *_: None
            with store.lock("other") as writer:
                writer.reseal(ONE.digest)

    bucket.before = sealed_meanwhile
    assert Path(store.reader().snapshot_file(ONE)).read_text() == "one"


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


DAMAGES: dict[str, Callable[[bytes, bytes], bytes]] = {
    "its salt": lambda one, _: flipped(one, 40),
    "its content": lambda one, _: flipped(one, 78),
    "its last byte": lambda one, _: flipped(one, -1 % len(one)),
    "cut off in its header": lambda one, _: one[:50],
    "cut off": lambda one, _: one[:-1],
    "extended": lambda one, _: one + b"x",
    "another snapshot": lambda _, two: two,
}


@pytest.mark.promise("sealed")
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_sealed_snapshot_is_named(tmp_path: Path, damage: Callable[[bytes, bytes], bytes]) -> None:
    seal, bucket, state = Seal(lambda: NEW), MemoryBucket(), tmp_path / "state"
    stores = (
        LocalStore(state, "sandbox", seal=seal, opened=private(tmp_path)),
        remote(bucket, tmp_path, seal),
    )
    for store in stores:
        with store.lock("me") as writer:
            for one in (ONE, TWO):
                (tmp_path / "members").write_text(MEMBERS[one])
                writer.store_snapshot(one, str(tmp_path / "members"))
    one, two = (f"snapshots/{ref.digest}" for ref in (ONE, TWO))
    (state / one).write_bytes(damage(*((state / path).read_bytes() for path in (one, two))))
    bucket.upload(one, damage(*(bucket.held[path].content for path in (one, two))))
    for store in stores:
        reader = store.reader()
        with pytest.raises(CorruptSnapshotError, match=f"{ONE.digest} is sealed, and damaged") as caught:
            reader.snapshot_file(ONE)
        assert caught.value.remedy
        assert Path(reader.snapshot_file(TWO)).read_text() == "two"
