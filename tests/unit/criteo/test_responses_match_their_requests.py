"""A response about anything but the request is refused."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from support.fakes.clock import FakeClock
from support.fakes.criteo import FakeWriter, at_once
from support.fakes.scripted_criteo import Script, answer, connected
from support.in_memory_environment import DesiredSegment, InMemoryEnvironment

from reconciler.core.errors import OutcomeUnknownError, RemoteError
from reconciler.core.members import Identifiers
from reconciler.core.model import Address, IdentifierType
from reconciler.core.remote import BulkResult, NewSegment, Segment, SegmentPatch, Unconfirmed

pytestmark = pytest.mark.promise("client")

ACCOUNT = "1001"
ONE, TWO = Address("offsite", "buyers"), Address("offsite", "loyal")


def listed(number: str, **attributes: object) -> dict[str, object]:
    reported = {"name": "Buyers", "retailerId": "7", "contactList": {"identifierType": "Email"}}
    return {"id": number, "attributes": {**reported, **attributes}}


@pytest.mark.parametrize("call", ["segments", "probe"])
def test_a_list_of_another_account_is_refused(call: str) -> None:
    script = Script([answer(200, {"data": [listed("9", accountId="1002")]})])
    with (
        connected(script, FakeClock()) as connection,
        pytest.raises(RemoteError, match="another account"),
    ):
        getattr(connection.reader, call)(ACCOUNT)


def test_a_list_that_leaves_the_account_out_is_of_the_one_that_was_asked_for() -> None:
    with connected(Script([answer(200, {"data": [listed("9")]})]), FakeClock()) as connection:
        [segment] = connection.reader.segments(ACCOUNT)
    assert segment.account_id == ACCOUNT


def test_unrequested_segments_are_refused() -> None:
    script = Script([answer(200, {"data": [listed("9"), listed("10")]})])
    with connected(script, FakeClock()) as connection:
        assert len(connection.reader.segments_by_id(ACCOUNT, ["9", "10"])) == 2
        with pytest.raises(RemoteError, match="not asked for"):
            connection.reader.segments_by_id(ACCOUNT, ["9"])


@pytest.mark.parametrize(("reported", "fits"), [("9", True), (None, True), ("10", False)])
def test_statistics_of_another_segment_are_refused(reported: str | None, *, fits: bool) -> None:
    body = {"data": {"id": reported, "attributes": {"numberOfIdentifiers": 5}}}
    with connected(Script([answer(200, body)]), FakeClock()) as connection:
        if fits:
            assert connection.reader.statistics(ACCOUNT, "9").identifiers == 5
        else:
            with pytest.raises(RemoteError, match="another segment"):
                connection.reader.statistics(ACCOUNT, "9")


@pytest.mark.parametrize("reported", [{"operation": "remove"}, {"identifierType": "CustomerId"}])
def test_members_are_not_acknowledged_by_an_answer_about_others(reported: dict[str, str]) -> None:
    body = {"data": {"nbValidIdentifiers": 1, "nbInvalidIdentifiers": 0, **reported}}
    with (
        connected(Script([answer(200, body)]), FakeClock()) as connection,
        pytest.raises(OutcomeUnknownError),
    ):
        connection.writer().change_members("9", IdentifierType.EMAIL, "add", Identifiers(["p"]), at_once)


def test_an_update_that_is_answered_with_another_name_is_sent_again_and_stays_unconfirmed() -> None:
    script = Script([answer(200, {"data": [listed("9", name="Other")]})])
    with connected(script, FakeClock()) as connection, pytest.raises(OutcomeUnknownError):
        connection.writer().update(ACCOUNT, [SegmentPatch("9", "Buyers")], at_once)
    assert len(script.calls) > 1


def test_one_of_two_updates_that_is_answered_wrongly_may_still_be_carried_out() -> None:
    script = Script([answer(200, {"data": [listed("9"), listed("10", name="Other")]})])
    with connected(script, FakeClock()) as connection:
        patches = [SegmentPatch("9", "Buyers"), SegmentPatch("10", "Loyal")]
        updated = connection.writer().update(ACCOUNT, patches, at_once)
    assert isinstance(updated.items[0], Segment)
    assert isinstance(updated.items[1], Unconfirmed)
    assert updated.earlier_unconfirmed


@pytest.mark.parametrize(
    "other", [{"retailerId": "8"}, {"contactList": {"identifierType": "CustomerId"}}, {"accountId": "1002"}]
)
def test_a_create_that_is_answered_with_another_segment_is_unconfirmed(other: dict[str, object]) -> None:
    new = NewSegment("Buyers", "", "7", IdentifierType.EMAIL)
    with connected(Script([answer(200, {"data": [listed("9", **other)]})]), FakeClock()) as connection:
        [item] = connection.writer().create(ACCOUNT, [new], at_once).items
    assert isinstance(item, Unconfirmed)


# ---- what an apply does then


@pytest.fixture
def world() -> InMemoryEnvironment:
    wishes = {ONE: DesiredSegment("Buyers"), TWO: DesiredSegment("Loyal")}
    return InMemoryEnvironment(wishes=wishes, people={"buyers": frozenset({"p"}), "loyal": frozenset({"q"})})


def answering(world: InMemoryEnvironment, change: Callable[[BulkResult], BulkResult]) -> None:
    """Creates take place, and are answered otherwise."""

    class Wrong(FakeWriter):
        def create(self, *asked: object) -> BulkResult:
            return change(super().create(*asked))

    world.criteo.writer = Wrong(world.criteo)


def unconfirmed(answered: BulkResult) -> BulkResult:
    return replace(answered, items=(Unconfirmed("another retailer"),) * len(answered.items))


def one_for_all(answered: BulkResult) -> BulkResult:
    return replace(answered, items=(answered.items[0],) * len(answered.items))


@pytest.mark.parametrize("wrong", [unconfirmed, one_for_all])
def test_a_wrong_create_response_sends_no_member_to_a_wrong_segment(
    world: InMemoryEnvironment, wrong: Callable[[BulkResult], BulkResult]
) -> None:
    """Each request is looked up by its tag, which tells its segment."""
    answering(world, wrong)
    assert not world.run().errors
    for address in (ONE, TWO):
        segment = world.criteo.segment(world.store.saved_resources[address].current.segment_id)
        assert segment.name == world.wishes[address].title
        assert segment.members == world.members(address)


@pytest.mark.parametrize("wrong", [unconfirmed, one_for_all])
def test_a_wrong_answer_that_nothing_settles_leaves_the_create_unconfirmed(
    world: InMemoryEnvironment, wrong: Callable[[BulkResult], BulkResult]
) -> None:
    answering(world, wrong)
    world.criteo.hidden = {ACCOUNT}
    report = world.run()
    assert all(isinstance(error, OutcomeUnknownError) for error in report.errors.values())
    assert len(report.errors) == 2
    assert all(one.current.intent for one in world.store.saved_resources.values())
    world.criteo.hidden.clear()
    assert not world.run().errors


def test_a_segment_of_another_address_is_not_new(world: InMemoryEnvironment) -> None:
    loyal = world.wishes.pop(TWO)
    world.run()
    [known] = world.criteo.accounts[ACCOUNT].values()
    world.wishes[TWO] = loyal
    answering(world, lambda answered: replace(answered, items=(known.value,)))
    assert not world.run().errors
    assert known.members == world.members(ONE)
    assert len(world.criteo.accounts[ACCOUNT]) == 2


def test_all_pages_of_audiences_are_read() -> None:
    """An audience whose algebra names none of the segments may be built on any of them."""
    first = [{"attributes": {"name": "Spring", "algebra": {"audienceSegmentId": "9"}}}]
    pages = [
        answer(200, {"data": first, "meta": {"totalItems": 2}}),
        answer(200, {"data": [{"attributes": {"name": "Summer"}}], "meta": {"totalItems": 2}}),
    ]
    with connected(Script(pages), FakeClock()) as connection:
        found = connection.reader.audiences_on(ACCOUNT, ["9", "10"])
    assert found == {"9": ("Spring", "Summer"), "10": ("Summer",)}


def test_an_answer_that_is_no_list_is_no_unused_segment() -> None:
    script = Script([answer(200, {"hello": "world"})])
    with (
        connected(script, FakeClock()) as connection,
        pytest.raises(RemoteError, match="no list of audiences"),
    ):
        connection.reader.audiences_on(ACCOUNT, ["9"])
