"""The contract of SegmentReader and SegmentWriter, for the real client at the emulator and for the fake."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from support.fakes.clock import FakeClock
from support.fakes.criteo import FakeCriteo, at_once

from reconciler.core.errors import AuthenticationError, RejectedError
from reconciler.core.members import Identifiers
from reconciler.core.model import IdentifierType
from reconciler.core.ports import SegmentReader, SegmentWriter
from reconciler.core.remote import (
    DeleteResult,
    ItemFailure,
    NewSegment,
    Segment,
    SegmentPatch,
    SharingStatus,
)
from reconciler.core.secret import Secret
from reconciler.criteo.connection import connect
from reconciler.criteo.grants import ClientCredentials, ClientKeys
from reconciler.emulator import Emulator, Switches
from reconciler.emulator.in_process_transport import transport

pytestmark = pytest.mark.promise("client")

ACCOUNT, RETAILER = "368477501993431040", "3239117063738827231"
LATER = 86_400


@dataclass(frozen=True)
class Remote:
    """One implementation, and the hands and eyes that a test has at Criteo."""

    reader: SegmentReader
    writer: SegmentWriter
    clock: FakeClock
    members: Callable[[str], frozenset[str]]
    rename: Callable[[str, str], None]
    delete: Callable[[str], None]
    build: Callable[[str, Sequence[str]], object]
    share: Callable[[str, SharingStatus], None]


@contextmanager
def fake(_path: Path) -> Iterator[Remote]:
    clock = FakeClock()
    criteo = FakeCriteo(clock, (ACCOUNT,))

    def members(segment_id: str) -> frozenset[str]:
        return frozenset(criteo.accounts[ACCOUNT][segment_id].members)

    def build(name: str, ids: Sequence[str]) -> None:
        criteo.audiences[name] = frozenset(ids)

    def share(segment_id: str, status: SharingStatus) -> None:
        criteo.accounts[ACCOUNT][segment_id].sharing = status

    yield Remote(criteo.reader, criteo.writer, clock, members, criteo.rename, criteo.delete, build, share)


def emulated(switches: Switches) -> Callable[[Path], AbstractContextManager[Remote]]:
    @contextmanager
    def open_it(path: Path) -> Iterator[Remote]:
        clock = FakeClock()
        opened = Emulator.open(path / "criteo.db", switches=switches, clock=lambda: clock.now().timestamp())
        with opened as emulator:
            emulator.ensure_account(ACCOUNT, [RETAILER])
            with connect(
                base_url="http://emulator",
                version="2026-07",
                token_url="",
                grant=ClientCredentials(
                    ClientKeys(
                        Secret(emulator.credentials.client_id), Secret(emulator.credentials.client_secret)
                    )
                ),
                timeout=timedelta(seconds=60),
                clock=clock,
                transport=transport(emulator.pipeline),
            ) as connection:
                yield Remote(
                    connection.reader,
                    connection.writer(),
                    clock,
                    emulator.members,
                    emulator.rename_by_hand,
                    emulator.delete_by_hand,
                    partial(emulator.seed_audience, ACCOUNT, RETAILER),
                    emulator.share_by_hand,
                )

    return open_it


REMOTES = {
    "fake": fake,
    "as we guess": emulated(Switches()),
    "failures in errors": emulated(Switches(failures="errors", match_rate_scale="0-1")),
    "failures as 400": emulated(Switches(failures="http-400", trace_key="traceIdentifier")),
    "ten calls a minute": emulated(Switches(rate_limit=10, rate_window="sliding", token_calls_count=True)),
    "no rate headers": emulated(Switches(rate_headers=False, rate_window="bucket")),
    "short tokens": emulated(Switches(token_seconds=61)),
}


@pytest.fixture(params=REMOTES.values(), ids=REMOTES.keys())
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Remote]:
    with request.param(tmp_path) as opened:
        yield opened


def new(name: str, kind: IdentifierType = IdentifierType.CUSTOMER_ID, description: str = "") -> NewSegment:
    return NewSegment(name, description, RETAILER, kind)


def made(remote: Remote, name: str = "Lapsed") -> Segment:
    (item,) = remote.writer.create(ACCOUNT, [new(name)], at_once).items
    assert isinstance(item, Segment)
    return item


def failures(items: tuple[Segment | ItemFailure, ...]) -> list[str]:
    return [item.code if isinstance(item, ItemFailure) else "" for item in items]


def test_an_empty_account_lists_nothing(remote: Remote) -> None:
    assert remote.reader.segments(ACCOUNT) == ()


def test_what_was_created_is_listed(remote: Remote) -> None:
    """With all that was asked for, an id that is a digit string, and times in UTC."""
    asked = [new("Lapsed", IdentifierType.EMAIL, "Bought once"), new("Loyal")]
    answer = remote.writer.create(ACCOUNT, asked, at_once)
    assert not answer.earlier_unconfirmed
    assert answer.items == remote.reader.segments(ACCOUNT)
    first, second = remote.reader.segments(ACCOUNT)
    assert (first.name, first.description, first.identifier_type) == ("Lapsed", "Bought once", "Email")
    assert (second.name, second.description, second.identifier_type) == ("Loyal", "", "CustomerId")
    assert first.account_id == ACCOUNT
    assert first.retailer_id == RETAILER
    assert first.id.isdigit()
    assert first.created_at == remote.clock.now()
    assert not first.read_only


def test_items_of_a_create_fail_on_their_own(remote: Remote) -> None:
    """Names are compared trimmed and case-folded; the others are created."""
    made(remote, "Taken")
    answer = remote.writer.create(ACCOUNT, [new("One"), new(" tAKEN"), new("Two"), new(" ")], at_once)
    assert failures(answer.items) == ["", "name-must-be-unique", "", "name-must-not-be-empty"]
    assert [one.name for one in remote.reader.segments(ACCOUNT)] == ["Taken", "One", "Two"]


def test_of_two_equal_names_in_one_create_one_fails(remote: Remote) -> None:
    answer = remote.writer.create(ACCOUNT, [new("Same"), new("same ")], at_once)
    assert sorted(failures(answer.items)) == ["", "name-must-be-unique"]
    assert len(remote.reader.segments(ACCOUNT)) == 1


def test_an_update_changes_what_it_names_and_nothing_else(remote: Remote) -> None:
    segment = made(remote)
    (renamed,) = remote.writer.update(ACCOUNT, [SegmentPatch(segment.id, name="Renamed")], at_once).items
    assert isinstance(renamed, Segment)
    assert (renamed.name, renamed.description) == ("Renamed", "")
    remote.writer.update(ACCOUNT, [SegmentPatch(segment.id, description="Described")], at_once)
    (listed,) = remote.reader.segments(ACCOUNT)
    assert (listed.name, listed.description) == ("Renamed", "Described")
    remote.writer.update(ACCOUNT, [SegmentPatch(segment.id, description="")], at_once)
    (listed,) = remote.reader.segments(ACCOUNT)
    assert (listed.name, listed.description) == ("Renamed", "")


def test_items_of_an_update_fail_on_their_own(remote: Remote) -> None:
    """One is missing, one has a name in use, one succeeds; in the order of the call."""
    taken, other, gone = made(remote, "Taken"), made(remote, "Other"), made(remote, "Gone")
    remote.delete(gone.id)
    answer = remote.writer.update(
        ACCOUNT,
        [
            SegmentPatch(gone.id, name="Back"),
            SegmentPatch(other.id, name="taken"),
            SegmentPatch(taken.id, description="Still here"),
        ],
        at_once,
    )
    assert failures(answer.items) == ["segment-not-found", "name-must-be-unique", ""]


def test_segments_are_deleted_and_the_others_stay(remote: Remote) -> None:
    one, two, three = made(remote, "One"), made(remote, "Two"), made(remote, "Three")
    result = remote.writer.delete(ACCOUNT, [one.id, three.id], at_once)
    assert result == DeleteResult((None, None))
    assert [item.id for item in remote.reader.segments(ACCOUNT)] == [two.id]


def test_items_of_a_delete_fail_on_their_own(remote: Remote) -> None:
    """One is missing, one is deleted; in the order of the call."""
    gone, there = made(remote, "Gone"), made(remote, "There")
    remote.delete(gone.id)
    result = remote.writer.delete(ACCOUNT, [gone.id, there.id], at_once)
    failed, deleted = result.items
    assert isinstance(failed, ItemFailure)
    assert (failed.code, deleted) == ("segment-not-found", None)
    assert remote.reader.segments(ACCOUNT) == ()


def test_segments_are_found_by_id_if_they_exist(remote: Remote) -> None:
    one, two, three = made(remote, "One"), made(remote, "Two"), made(remote, "Three")
    remote.delete(two.id)
    remote.rename(three.id, "By hand")
    found = {item.id: item.name for item in remote.reader.segments_by_id(ACCOUNT, [three.id, two.id, one.id])}
    assert found == {one.id: "One", three.id: "By hand"}
    assert remote.reader.segments_by_id(ACCOUNT, []) == ()


def test_the_audiences_built_on_segments_are_found(remote: Remote) -> None:
    first, second, third = (made(remote, name) for name in ("Lapsed", "Loyal", "New"))
    remote.build("Spring", [first.id, second.id])
    remote.build("Summer", [first.id])
    remote.build("Autumn", [third.id])
    found = remote.reader.audiences_on(ACCOUNT, [first.id, second.id, first.id])
    assert found == {first.id: ("Spring", "Summer"), second.id: ("Spring",)}
    assert remote.reader.audiences_on(ACCOUNT, [made(remote, "Unused").id]) == {}


def test_shared_segments_are_listed_as_shared(remote: Remote) -> None:
    segment = made(remote)
    assert (segment.sharing, segment.is_shared) == (SharingStatus.NOT_SHARED, False)
    remote.share(segment.id, SharingStatus.SHARED_WITH_DEMAND_ACCOUNTS)
    [listed] = remote.reader.segments(ACCOUNT)
    assert (listed.sharing, listed.is_shared) == (SharingStatus.SHARED_WITH_DEMAND_ACCOUNTS, True)


def test_members_are_a_set(remote: Remote) -> None:
    """Adding twice and removing what is absent change nothing."""
    segment = made(remote)
    kind = IdentifierType.CUSTOMER_ID
    for values in (["a", "b", "c"], ["c", "d"]):
        answer = remote.writer.change_members(segment.id, kind, "add", Identifiers(values), at_once)
        assert (answer.valid, answer.invalid, answer.earlier_unconfirmed) == (len(values), 0, False)
    remote.writer.change_members(segment.id, kind, "remove", Identifiers(["a", "z"]), at_once)
    assert remote.members(segment.id) == {"b", "c", "d"}


def test_invalid_identifiers_are_counted(remote: Remote) -> None:
    segment = made(remote)
    sent = Identifiers(["a", "", " "])
    answer = remote.writer.change_members(segment.id, IdentifierType.CUSTOMER_ID, "add", sent, at_once)
    assert (answer.valid, answer.invalid) == (1, 2)
    assert remote.members(segment.id) == {"a"}


def test_members_of_another_type_or_a_missing_segment_are_rejected(remote: Remote) -> None:
    segment = made(remote)
    with pytest.raises(RejectedError) as caught:
        remote.writer.change_members(
            segment.id, IdentifierType.EMAIL, "add", Identifiers(["a@b.example"]), at_once
        )
    assert caught.value.code == "identifier-type-mismatch"
    remote.delete(segment.id)
    with pytest.raises(RejectedError) as caught:
        remote.writer.change_members(
            segment.id, IdentifierType.CUSTOMER_ID, "add", Identifiers(["a"]), at_once
        )
    assert caught.value.code == "segment-not-found"


def test_statistics_count_members_after_a_computation(remote: Remote) -> None:
    segment = made(remote)
    sent = Identifiers([f"c{number}" for number in range(100)])
    remote.writer.change_members(segment.id, IdentifierType.CUSTOMER_ID, "add", sent, at_once)
    remote.clock.advance(LATER)
    statistics = remote.reader.statistics(ACCOUNT, segment.id)
    assert statistics.identifiers == len(sent)
    assert statistics.matches is not None
    assert statistics.match_rate == pytest.approx(statistics.matches / len(sent))


def test_statistics_of_a_missing_segment_are_rejected(remote: Remote) -> None:
    segment = made(remote)
    remote.delete(segment.id)
    with pytest.raises(RejectedError) as caught:
        remote.reader.statistics(ACCOUNT, segment.id)
    assert caught.value.code == "segment-not-found"


def test_an_account_without_consent_is_no_empty_account(remote: Remote) -> None:
    for ask in (remote.reader.segments, remote.reader.probe):
        with pytest.raises(AuthenticationError):
            ask("1")


def test_an_account_with_consent_answers_a_probe(remote: Remote) -> None:
    remote.reader.probe(ACCOUNT)


def test_a_reader_has_no_way_to_write(remote: Remote) -> None:
    for name in ("create", "update", "delete", "change_members", "writer"):
        assert not hasattr(remote.reader, name)
