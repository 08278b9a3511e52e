"""One contract for every member engine: DuckDB, the same in a cluster, and the fake of faster tests."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fakes.cluster import ClusterHere
from support.fakes.members import Found, ListFile, MemoryEngine, People
from support.source_project import build

from reconciler.core.erasure import NO_ERASURES, ErasureList, added
from reconciler.core.errors import StorageError
from reconciler.core.members import (
    EMPTY_SNAPSHOT,
    NO_DELTA,
    Batch,
    Delta,
    Identifiers,
    MemberComparison,
    SnapshotRef,
    TargetMembers,
)
from reconciler.core.model import Audience, Exclusion, Hashing, IdentifierType, SegmentKey, Source
from reconciler.core.ports import MemberEngine
from reconciler.core.state.resource import InFlightBatch, SegmentState, Transfer
from reconciler.members.data_root import LocalFolder
from reconciler.members.engine import DuckDbEngine
from reconciler.members.spark.changes import ClusterChanges
from reconciler.members.spark.staging import ClusterStage

pytestmark = pytest.mark.promise("members")

EMAIL, CUSTOMER = IdentifierType.EMAIL, IdentifierType.CUSTOMER_ID
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = date(2026, 11, 24)
FORMS = pytest.mark.parametrize("hashing", [Hashing.NONE, Hashing.MD5, Hashing.SHA256])


def never(snapshot: SnapshotRef) -> str:
    raise AssertionError(f"{snapshot} was never built here")


@dataclass
class World:
    """An engine, and ways to put sets into it and to look at them."""

    engine: MemberEngine
    put: Callable[[Iterable[str], Hashing], SnapshotRef]
    look: Callable[[SnapshotRef], frozenset[str]]


def memory(erasures: ErasureList = NO_ERASURES) -> World:
    engine = MemoryEngine()
    engine.erasures = erasures
    return World(engine, lambda members, hashing: engine.snapshot(frozenset(members)), engine.members)


def duck(work: Path, **options: Any) -> World:
    engine = DuckDbEngine(LocalFolder(work), work / "members", never, b"k" * 32, None, **options)

    def put(members: Iterable[str], hashing: Hashing) -> SnapshotRef:
        texts = ", ".join(f"('{member}')" for member in members) or "(NULL)"
        member = "m" if hashing == Hashing.NONE else "unhex(m)"
        query = f"SELECT {member} AS member FROM (VALUES {texts}) AS v(m) WHERE m IS NOT NULL"
        with closing(engine._database.cursor()) as cursor:
            return engine._snapshots.keep(cursor, query, hashing)

    def look(snapshot: SnapshotRef) -> frozenset[str]:
        if not snapshot:
            return frozenset()
        rows = duckdb.execute("SELECT member FROM read_parquet(?) AS s", [engine.file(snapshot)]).fetchall()
        return frozenset(row[0] if isinstance(row[0], str) else row[0].hex() for row in rows)

    return World(engine, put, look)


def clustered(work: Path) -> World:
    """Each comparison is one of a cluster, and each task reads three rows at most."""
    stage = ClusterStage(lambda _: ClusterHere(), work, NO_ERASURES)
    return duck(work, stage=stage, compare=ClusterChanges(stage, least=0, step=3))


ENGINES = {"memory": lambda _: memory(), "duckdb": duck, "cluster": clustered}


@pytest.fixture(params=ENGINES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made = ENGINES[request.param](tmp_path)
    yield made
    if isinstance(made.engine, DuckDbEngine):
        made.engine.close()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, World]]:
    real = duck(tmp_path_factory.mktemp("duck"))
    yield memory(), real
    real.engine.close()


def written(name: str, hashing: Hashing) -> str:
    """A member called `name`, in a hashing."""
    match hashing:
        case Hashing.NONE:
            return name
        case Hashing.MD5:
            return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        case _:
            return hashlib.sha256(name.encode()).hexdigest()


def people(names: str, hashing: Hashing = Hashing.NONE) -> frozenset[str]:
    return frozenset(written(name, hashing) for name in names.split())


ERASED = added(ErasureList(keys=(b"e" * 32,)), {EMAIL: ["a@x.yy"], CUSTOMER: ["a", "c"]}, ())


@FORMS
def test_erased_members_are_found_in_a_snapshot(hashing: Hashing, tmp_path: Path) -> None:
    kind = (EMAIL if hashing != Hashing.NONE else CUSTOMER, hashing)
    names = "a@x.yy b@x.yy" if hashing != Hashing.NONE else "a b c"
    for world in (memory(ERASED), duck(tmp_path, erasures=ERASED)):
        held = world.put(people(names, hashing), hashing)
        found = people("a@x.yy" if hashing != Hashing.NONE else "a c", hashing)
        assert world.look(world.engine.erased(held, kind)) == found
        assert world.engine.erased(EMPTY_SNAPSHOT, kind) == EMPTY_SNAPSHOT
        assert world.engine.erased(held, (IdentifierType.PHONE_NUMBER, hashing)) == EMPTY_SNAPSHOT


def holding(hashing: Hashing = Hashing.NONE, **parts: object) -> SegmentState:
    key = SegmentKey("1", "2", EMAIL if hashing != Hashing.NONE else CUSTOMER, hashing)
    return replace(SegmentState(key=key, segment_id="7"), **parts)


def moving(
    world: World,
    confirmed: str,
    uncertain: str,
    target: str,
    priority_removes: str = "",
    hashing: Hashing = Hashing.NONE,
) -> SegmentState:
    refs = [
        world.put(people(names, hashing), hashing)
        for names in (confirmed, uncertain, target, priority_removes)
    ]
    size = world.engine.delta(*refs)
    transfer = Transfer(target=refs[2], priority_removes=refs[3], size=size)
    return holding(hashing, confirmed=refs[0], uncertain=refs[1], transfer=transfer)


def at(held: SegmentState, acknowledged: int, in_flight: int | None = None) -> SegmentState:
    assert held.transfer
    flying = InFlightBatch(in_flight, NOW) if in_flight is not None else None
    return replace(held, transfer=replace(held.transfer, acknowledged=acknowledged, in_flight=flying))


def sent(batches: Iterable[Batch]) -> list[tuple[str, str]]:
    return [(batch.operation, member) for batch in batches for member in batch.identifiers.reveal()]


@FORMS
def test_a_snapshot_is_named_by_its_set_and_not_by_its_order(world, hashing):
    one, same = (
        world.put(names, hashing) for names in (sorted(people("a b c", hashing)), people("c b a", hashing))
    )
    other = world.put(people("a b d", hashing), hashing)
    assert one == same
    assert one.digest != other.digest
    assert one.count == other.count == 3
    assert world.put([], hashing) == EMPTY_SNAPSHOT


@FORMS
def test_adds_unconfirmed_wanted_members_and_removes_the_rest(world, hashing):
    held = moving(
        world, confirmed="a b", uncertain="c d", target="b c e", priority_removes="a z", hashing=hashing
    )
    assert held.transfer.size == Delta(priority_removes=1, adds=2, removes=1)
    steps = sent(world.engine.batches(held, 10))
    expected = [("remove", "a"), ("add", "c"), ("add", "e"), ("remove", "d")]
    order = {"remove a": 0, "add c": 1, "add e": 1, "remove d": 2}
    expected = sorted(
        ((operation, written(name, hashing)) for operation, name in expected),
        key=lambda step: (
            next(order[f"{step[0]} {n}"] for n in "acde" if written(n, hashing) == step[1]),
            step[1].encode(),
        ),
    )
    assert steps == expected


def test_text_is_sorted_by_its_bytes(world):
    held = moving(world, confirmed="", uncertain="", target="é Z z a 10 9 \U0001f600 \uffee")
    assert [member for _, member in sent(world.engine.batches(held, 3))] == sorted(
        people("é Z z a 10 9 \U0001f600 \uffee"), key=str.encode
    )


def test_a_batch_stays_in_one_phase_and_has_its_offset(world):
    held = moving(world, confirmed="a b c d", uncertain="", target="e f g", priority_removes="a")
    spans = [
        (batch.operation, batch.start, batch.end, len(batch.identifiers))
        for batch in world.engine.batches(held, 2)
    ]
    assert spans == [
        ("remove", 0, 1, 1),
        ("add", 1, 3, 2),
        ("add", 3, 4, 1),
        ("remove", 4, 6, 2),
        ("remove", 6, 7, 1),
    ]


def test_nothing_to_do_is_no_batches(world):
    same = moving(world, confirmed="a b", uncertain="", target="a b")
    assert same.transfer.size == NO_DELTA
    assert list(world.engine.batches(same, 5)) == []
    assert list(world.engine.batches(moving(world, "", "", ""), 5)) == []
    assert list(world.engine.batches(holding(), 5)) == []
    assert list(world.engine.batches(at(moving(world, "a", "", "b"), 2), 5)) == []


def test_giving_up_a_target_keeps_what_is_known(world):
    held = moving(world, confirmed="a b", uncertain="m n", target="b c d m", priority_removes="n")
    assert [member for _, member in sent(world.engine.batches(held, 9))] == ["n", "c", "d", "m", "a"]
    confirmed, uncertain = world.engine.abandon_transfer(at(held, acknowledged=2, in_flight=4))
    assert (world.look(confirmed), world.look(uncertain)) == (people("a b c"), people("d m"))
    confirmed, uncertain = world.engine.abandon_transfer(at(held, acknowledged=4, in_flight=5))
    assert (world.look(confirmed), world.look(uncertain)) == (people("b c d m"), people("a"))
    assert world.engine.abandon_transfer(at(held, acknowledged=0)) == (held.confirmed, held.uncertain)
    assert world.engine.abandon_transfer(replace(held, transfer=None)) == (held.confirmed, held.uncertain)


@FORMS
def test_members_of_all_states_are_confirmed_and_others_uncertain(world, hashing):
    one, two, three = (world.put(people(names, hashing), hashing) for names in ("a b c", "b c d", "c b e"))
    confirmed, uncertain = world.engine.mark_uncertain(hashing, [one, two, one], [three, EMPTY_SNAPSHOT, two])
    assert world.look(confirmed) == people("b c", hashing)
    assert world.look(uncertain) == people("a d e", hashing)


def test_if_all_states_agree_no_member_is_uncertain(world):
    one, two = (world.put(people(names), Hashing.NONE) for names in ("a b", "c"))
    assert world.engine.mark_uncertain(Hashing.NONE, [one, one], [one]) == (one, EMPTY_SNAPSHOT)
    assert world.engine.mark_uncertain(Hashing.NONE, [EMPTY_SNAPSHOT, EMPTY_SNAPSHOT], [EMPTY_SNAPSHOT]) == (
        EMPTY_SNAPSHOT,
        EMPTY_SNAPSHOT,
    )
    assert world.engine.mark_uncertain(Hashing.NONE, [one, EMPTY_SNAPSHOT], [two]) == (
        EMPTY_SNAPSHOT,
        world.put(people("a b c"), Hashing.NONE),
    )
    assert world.engine.mark_uncertain(Hashing.NONE, [one, two], []) == (
        EMPTY_SNAPSHOT,
        world.put(people("a b c"), Hashing.NONE),
    )


def test_suppressed_are_held_and_listed_and_not_wanted(world):
    listed, wanted = world.put(people("a b x"), Hashing.NONE), world.put(people("b"), Hashing.NONE)
    target = TargetMembers(members=wanted, suppressed=listed, rows=1, drops=())
    held = holding(
        confirmed=world.put(people("a b c"), Hashing.NONE), uncertain=world.put(people("x y"), Hashing.NONE)
    )
    assert world.look(world.engine.suppressed(held, target)) == people("a x")
    assert world.engine.suppressed(holding(), target) == EMPTY_SNAPSHOT
    assert world.engine.suppressed(held, replace(target, suppressed=EMPTY_SNAPSHOT)) == EMPTY_SNAPSHOT
    mid_way = moving(world, confirmed="a", uncertain="", target="x c")
    assert world.look(world.engine.suppressed(at(mid_way, acknowledged=1, in_flight=2), target)) == people(
        "a x"
    )


def test_build_gives_a_target_for_each_kind(world, tmp_path):
    kinds = [(EMAIL, Hashing.SHA256), (CUSTOMER, Hashing.NONE)]
    emails, ids = people("a@x.com b@x.com", Hashing.SHA256), people("1 2")
    (tmp_path / "people.csv").write_text("email,id\na@x.com,1\nb@x.com,2\nc@x.com,3\n")
    (tmp_path / "gone.csv").write_text("id\n3\n")
    if isinstance(world.engine, MemoryEngine):
        gone = {kinds[0]: people("c@x.com", Hashing.SHA256), kinds[1]: people("3")}
        lists = {"gone.csv": ListFile(frozenset(["sha256 of 3"]))}
        found = Found(frozenset(["sha256 of 3"]), gone)
        world.engine.people["all"] = People(
            {kinds[0]: emails, kinds[1]: ids}, gone, lists, found={"gone.csv": found}
        )
    audience = Audience(
        "all", "All", "", Source(("people.csv",)), ((EMAIL, "email"), (CUSTOMER, "id")),
        (Exclusion(("gone.csv",), ((CUSTOMER, "id"),)),),
    )  # fmt: skip
    targets = build(world.engine, audience, kinds)
    assert [world.look(targets[kind].members) for kind in kinds] == [emails, ids]
    assert [world.look(targets[kind].suppressed) for kind in kinds] == [
        people("c@x.com", Hashing.SHA256),
        people("3"),
    ]
    for target in targets.values():
        assert target.rows == target.members.count + sum(count for _, count in target.drops)
        assert world.engine.file(target.members)
        [listed] = target.lists
        assert (listed.files, listed.identifier_type, listed.max_shrink) == (("gone.csv",), CUSTOMER, 0.05)
        assert (listed.members.count, listed.present, listed.invalid) == (1, 1, 0)
        assert world.engine.file(listed.members)
        assert listed.matches.found == listed.members
    for (kind, form), target in targets.items():
        [listed] = target.lists
        assert (listed.matches.identifier_type, listed.matches.hashing) == (kind, form)
        assert listed.matches.excluded == target.suppressed


@FORMS
def test_members_missing_from_a_list_are_in_no_current_list(world, hashing):
    before, some, others = (
        world.put(people(names, hashing), hashing) for names in ("a b c d", "a x", "b y z")
    )
    assert world.engine.missing(before, [some, others]) == 2
    assert world.engine.missing(before, [others]) == 3
    assert world.engine.missing(before, []) == 4
    assert world.engine.missing(before, [EMPTY_SNAPSHOT, before]) == 0
    assert world.engine.missing(EMPTY_SNAPSHOT, [some]) == 0


names = st.sampled_from("abcdefghijkl")


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[frozenset[str]], int, int, int]:
    fate = draw(st.dictionaries(names, st.sampled_from(["base", "maybe", "none"]), max_size=12))
    sets = [frozenset(name for name, where in fate.items() if where == part) for part in ("base", "maybe")]
    sets += [draw(st.frozensets(names)), draw(st.frozensets(names))]
    return sets, draw(st.integers(0, 14)), draw(st.integers(0, 6)), draw(st.integers(1, 5))


def test_a_set_without_another(world):
    held, out = world.put(people("a b c"), Hashing.NONE), world.put(people("b x"), Hashing.NONE)
    assert world.look(world.engine.without(Hashing.NONE, held, out)) == people("a c")
    assert world.engine.without(Hashing.NONE, held, EMPTY_SNAPSHOT) == held
    assert world.engine.without(Hashing.NONE, EMPTY_SNAPSHOT, out) == EMPTY_SNAPSHOT


@FORMS
def test_a_snapshot_says_which_of_some_members_it_holds(world, hashing):
    held = world.put(people("a b c", hashing), hashing)
    wanted = [written(name, hashing) for name in ("c", "x", "a", "a")]
    assert world.engine.found(held, hashing, Identifiers(wanted)) == {0, 2, 3}
    assert world.engine.found(held, hashing, Identifiers([written("x", hashing)])) == frozenset()
    assert world.engine.found(held, hashing, Identifiers([])) == frozenset()


@FORMS
def test_lists_are_read_whatever_the_source_is_like(tmp_path, hashing):
    """In each hashing of a segment, and those that can't be read are passed over."""
    (tmp_path / "out.csv").write_text("mail\nA@example.com\nb@example.com\nnobody\n")
    (tmp_path / "cut.csv").write_text("mail\na@example.com,too,many\n")
    whole = Exclusion(("out.csv",), ((EMAIL, "mail"),))
    others = (Exclusion(("gone.csv",), ((EMAIL, "mail"),)), Exclusion(("cut.csv",), ((EMAIL, "mail"),)))
    lists = (*others, whole)
    made = duck(tmp_path)
    with closing(made.engine):
        [(read, listed)] = made.engine.listed(lists, [(EMAIL, hashing)])[EMAIL, hashing]
        plain = ("a@example.com", "b@example.com")
        assert made.look(listed) == frozenset(written(one, hashing) for one in plain)
        assert (read.files, read.members.count, read.present, read.invalid) == (("out.csv",), 2, 3, 1)
        assert made.engine.listed(lists, [(CUSTOMER, Hashing.NONE)]) == {(CUSTOMER, Hashing.NONE): ()}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(situations(), st.sampled_from([Hashing.NONE, Hashing.SHA256]))
def test_the_fake_and_the_real_engine_agree(both, situation, hashing):
    sets, acknowledged, flying, size = situation
    seen = []
    for world in both:
        refs = [world.put((written(name, hashing) for name in names), hashing) for names in sets]
        delta = world.engine.delta(*refs)
        begun = Transfer(target=refs[2], priority_removes=refs[3], size=delta)
        held = holding(hashing, confirmed=refs[0], uncertain=refs[1], transfer=begun)
        offset = min(acknowledged, delta.total)
        midway = at(held, offset, min(offset + flying, delta.total) if flying else None)
        confirmed, uncertain = map(world.look, world.engine.abandon_transfer(midway))
        everything = sent(world.engine.batches(held, 100))
        assert sent(world.engine.batches(at(held, offset), size)) == everything[offset:]
        assert not confirmed & uncertain
        assert (
            confirmed
            <= replayed(world.look(refs[0]), everything[:offset])
            <= confirmed | uncertain | world.look(refs[1])
        )
        target = TargetMembers(members=refs[2], suppressed=refs[3], rows=0, drops=())
        priority_removes = world.look(world.engine.suppressed(midway, target))
        seen.append((delta, everything, confirmed, uncertain, priority_removes))
    assert seen[0] == seen[1]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(situations(), min_size=2, max_size=6), st.sampled_from([Hashing.NONE, Hashing.SHA256]))
def test_comparing_many_at_once_changes_no_answer(both, situations, hashing):
    sets = [[frozenset(written(name, hashing) for name in names) for names in one[0]] for one in situations]
    seen = []
    for world in both:
        refs = [[world.put(names, hashing) for names in one] for one in sets]
        world.engine.compare([MemberComparison(hashing, one[0], one[2], one[3]) for one in refs])
        for held, _, target, listed in refs:
            wanted = TargetMembers(members=target, suppressed=listed, rows=0, drops=())
            segment = holding(hashing, confirmed=held)
            urgent = world.engine.suppressed(segment, wanted)
            size = world.engine.delta(held, EMPTY_SNAPSHOT, target, urgent)
            begun = replace(segment, transfer=Transfer(target, urgent, size))
            seen.append((size, world.look(urgent), sent(world.engine.batches(begun, 3))))
    expected = [_expected(held, target, listed) for held, _, target, listed in sets]
    assert seen == expected + expected


def _expected(
    held: frozenset[str], target: frozenset[str], listed: frozenset[str]
) -> tuple[Delta, frozenset[str], list[tuple[str, str]]]:
    urgent, adds, others = (held - target) & listed, target - held, held - target - listed
    steps = [("remove", one) for one in sorted(urgent)] + [("add", one) for one in sorted(adds)]
    return (
        Delta(len(urgent), len(adds), len(others)),
        urgent,
        steps + [("remove", one) for one in sorted(others)],
    )


def replayed(held: frozenset[str], steps: list[tuple[str, str]]) -> frozenset[str]:
    for operation, member in steps:
        held = held | {member} if operation == "add" else held - {member}
    return held


def test_a_large_change_is_in_order_and_can_be_taken_up_anywhere(tmp_path):
    """DuckDB 2.0 has lost ORDER BY before; on several threads and many row groups it must not here."""
    world = duck(tmp_path, threads=4)
    with closing(world.engine._database.cursor()) as cursor:
        rows = "SELECT unhex(sha256(i::VARCHAR)) AS member FROM range({}, {}) AS r(i)"
        confirmed = world.engine._snapshots.keep(cursor, rows.format(0, 400_000), Hashing.SHA256)
        target = world.engine._snapshots.keep(cursor, rows.format(150_000, 600_000), Hashing.SHA256)
    size = world.engine.delta(confirmed, EMPTY_SNAPSHOT, target, EMPTY_SNAPSHOT)
    assert size == Delta(0, 200_000, 150_000)
    held = holding(Hashing.SHA256, confirmed=confirmed, transfer=Transfer(target, EMPTY_SNAPSHOT, size))
    steps = sent(world.engine.batches(held, 50_000))
    adds, removes = steps[:200_000], steps[200_000:]
    assert adds == sorted(adds)
    assert removes == sorted(removes)
    assert {operation for operation, _ in adds} == {"add"}
    for offset in (1, 199_999, 200_000, 349_999):
        assert sent(world.engine.batches(at(held, offset), 33_333)) == steps[offset:]
    with ThreadPoolExecutor(4) as pool:
        at_once = pool.map(
            lambda size: sent(world.engine.batches(held, size)), (10_000, 50_000, 70_001, 9_999)
        )
        assert all(one == steps for one in at_once)
    world.engine.close()


def test_a_resource_state_that_contradicts_its_snapshots_stops_before_the_first_batch(tmp_path):
    world = duck(tmp_path)
    held = moving(world, confirmed="a b", uncertain="", target="b c")
    wrong = replace(held, transfer=replace(held.transfer, size=Delta(0, 2, 0)))
    with pytest.raises(StorageError, match="do not contain the change"):
        next(world.engine.batches(wrong, 10))
    world.engine.close()
